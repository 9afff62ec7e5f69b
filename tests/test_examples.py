"""The examples fit what they are made for: our program, systemd, Home Assistant, Viseron."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import typer.main

import edge
from edge import manifest as manifests
from edge.builder.formats import get as get_format
from edge.calibrate.rendering.camera import SIZE
from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.rendering.scene import RenderedScene
from edge.camera.source import SCHEMES, Decoded
from edge.cli.app import app
from edge.cli.demo import ZONE
from edge.runtime.backends import register
from edge.sinks.discovery import configs
from edge.watch.config import read_config
from edge.zones.zone import COUNTED, RESTRICTED, Zone

FIRST_S = 3.5
"""Of the yard: somebody is about to walk through the zone."""
EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_cameras_are_a_configuration_of_ours() -> None:
    config = read_config(EXAMPLES / "cameras.toml")
    assert [camera.name for camera in config.cameras] == ["door", "yard"]
    assert set(config.sinks) == {"broker"}


@pytest.mark.parametrize("name", ["edge-watch.service", "compose.yaml"])
def test_the_commands_of_services_are_ours(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    words = shlex.split(re.findall(r"(?:edge |command: )(watch .*)", text)[-1])
    command = typer.main.get_command(app)
    context = command.make_context("edge", words[:1], resilient_parsing=True)
    command.commands["watch"].make_context("watch", words[1:], parent=context)  # type: ignore[attr-defined]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "edge-watch.service"
    unit.write_text(
        (EXAMPLES / "edge-watch.service").read_text().replace("/opt/edge/bin/edge", "/bin/true")
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "edge-watch" in line]
    assert not [line for line in ours if "not-found" not in line], done.stderr


def test_home_assistant_is_asked_for_entities_that_exist() -> None:
    text = (EXAMPLES / "home-assistant.yaml").read_text()
    zone = Zone("porch", COUNTED, ((0, 0), (1, 0), (1, 1)))
    found = configs("edge", {"door": (zone,)}, ("home", "away"), True, True)
    # Home Assistant names an entity after its device and its own name.
    entities = {
        f"{topic.split('/')[0]}.{config['device']['name']}_{config['name']}".lower().replace(
            " ", "_"
        )
        for topic, config in found.items()
    }
    asked = set(
        re.findall(r"\b((?:binary_sensor|image|select|sensor|switch)\.(?!select_)\w+)", text)
    )
    assert asked
    assert asked <= entities
    assert "topic: edge/door/events" in text


def test_the_triton_client_tells_what_edge_tells_itself(
    builds: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zones, tracks and events of a rendered yard are the same with the network on a server."""
    pytest.importorskip("tritonclient")
    from tests.stand_ins.triton import Triton

    build = builds("onnxruntime", "fp32")
    get_format("triton").write(build, manifests.read(build), tmp_path)
    spec = importlib.util.spec_from_file_location("client", EXAMPLES / "triton_client.py")
    assert spec is not None and spec.loader is not None
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    scene = RenderedScene("yard", 3, SIZE)
    bg = scene.background().image
    times = [FIRST_S + number / 15 for number in range(32)]
    recorded = [scene.frame(at, camouflage=False, empty=False).image for at in times]

    class Recording:
        fps, live = 15.0, False

        def __init__(self, url: str) -> None:
            self._left = iter(recorded)

        def read(self) -> Decoded | None:
            image = next(self._left, None)
            return None if image is None else Decoded(image)

        def close(self) -> None:
            pass

    monkeypatch.setitem(SCHEMES, "recorded", Recording)
    zones = (Zone("no entry", RESTRICTED, ZONE),)

    def told() -> list[tuple[Any, ...]]:
        with edge.open(build, threads=1) as h:
            told = client.events(h, bg, "recorded://yard", zones)
            return [(e.kind, e.phase, e.zone, e.source_time, e.box, e.foot) for e in told]

    alone = told()
    monkeypatch.setattr("edge.runtime.backends._registered", {})
    with Triton(tmp_path) as server:
        register("onnxruntime", lambda _, m, options: client.TritonBackend(m, server.address))
        served = told()
        assert served == alone
        assert "no entry" in [zone for _, _, zone, *_ in served]
        assert sum(server.models[manifests.read(build).name].batches) >= len(recorded)


@pytest.fixture
def viseron(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for what the example imports of Viseron; returns the domains that are set up."""
    set_up: list[dict[str, Any]] = []

    class Scanner:
        def __init__(
            self, vis: Any, component: str, config: Any, camera: str, color_format: str = "gray"
        ) -> None:
            assert color_format in ("gray", "rgb")
            self.component, self.color_format = component, color_format
            self._camera = SimpleNamespace(resolution=(224, 224))
            given = config["cameras"][camera].get("mask")
            self._mask = given is not None
            self._mask_image = given

    class Contours:
        def __init__(self, contours: Any, resolution: tuple[int, int]) -> None:
            area = resolution[0] * resolution[1]
            self.max_area = max((cv2.contourArea(c) / area for c in contours), default=0)

    class Schema:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def extend(self, keys: Any) -> Schema:
            return self

    def apply_mask(frame: Any, mask: Any) -> None:
        frame[mask] = 0

    modules = {
        "voluptuous": {"Schema": Schema, "Required": lambda key: key, "ALLOW_EXTRA": 1},
        "viseron": {},
        "viseron.domains": {
            "RequireDomain": lambda domain, identifier: (domain, identifier),
            "setup_domain": lambda vis, component, domain, config, identifier, require_domains: (
                set_up.append({"domain": domain, "identifier": identifier, "config": config})
            ),
        },
        "viseron.domains.motion_detector": {
            "AbstractMotionDetectorScanner": Scanner,
            "CAMERA_SCHEMA_SCANNER": Schema(),
        },
        "viseron.domains.motion_detector.const": {
            "CONFIG_CAMERAS": "cameras",
            "DOMAIN": "motion_detector",
        },
        "viseron.domains.motion_detector.contours": {"Contours": Contours},
        "viseron.helpers": {"apply_mask": apply_mask},
        "viseron.helpers.validators": {"CameraIdentifier": lambda: str},
    }
    for name, values in modules.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)
    return set_up


def test_the_motion_detector_for_viseron_sees_who_is_new(
    viseron: list[dict[str, Any]],
    builds: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = "viseron.components.edge_motion"
    folder = EXAMPLES / "viseron" / "edge_motion"
    spec = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, package, module)
    spec.loader.exec_module(module)
    detector = importlib.import_module(f"{package}.motion_detector")
    monkeypatch.delitem(sys.modules, f"{package}.motion_detector")
    sample = next(s for s in Rendered(8, (224, 224), seed=5) if (s.mask > 0.5).mean() > 0.02)
    cv2.imwrite(str(tmp_path / "bg.png"), sample.bg)
    hidden = np.where(np.ones(sample.bg.shape[:2], bool))
    camera = {"build": str(builds("openvino", "fp32")), "bg": str(tmp_path / "bg.png")}
    config = {
        "edge_motion": {
            "motion_detector": {"cameras": {"one": camera, "two": {**camera, "mask": hidden}}}
        }
    }
    module.setup_domains(None, config)
    assert [each["identifier"] for each in viseron] == ["one", "two"]
    assert detector.setup(None, viseron[0]["config"], "one")
    found = detector.MotionDetector(None, viseron[0]["config"]["motion_detector"], "one")
    assert found.color_format == "rgb"
    shown = (sample.mask > 0.5).mean()
    seen = found.return_motion(found.preprocess(sample.fg_bg)).max_area
    assert 0.3 * shown < seen < 1.5 * shown
    assert found.return_motion(found.preprocess(sample.bg)).max_area < 0.1 * shown
    # Where Viseron's mask blackens the whole frame, nothing is seen, not the mask itself.
    masked = detector.MotionDetector(None, viseron[1]["config"]["motion_detector"], "two")
    assert masked.return_motion(masked.preprocess(0 * sample.fg_bg)).max_area < 0.1 * shown
    assert json.dumps(camera)
