"""What DeepStream gets of a build, as far as it can be run without it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from edge import manifest as manifests
from edge.builder.formats import deepstream, get
from edge.builder.plan import Plan
from edge.builder.write import write_build
from edge.errors import EdgeError, UsageError
from edge.manifest import Manifest, Tensor
from edge.samples.sample import Sample
from edge.targets.plans import build_plan
from edge.targets.tensorrt_rtx import count_layers

ROOT = Path(__file__).parents[4]
STAND_IN = ROOT / "tests" / "stand_ins" / "deepstream"
UNBUILT = b"a plan, whose builder needs a GPU"


@pytest.fixture(scope="module")
def build(plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graphs of an int8 build for TensorRT, as another machine prepares them."""
    place = tmp_path_factory.mktemp("builds") / "small"
    write_build(plan("tensorrt", "int8"), place, graphs_only=True)
    return place


@pytest.fixture
def folder(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(deepstream, "build_plan", lambda *_: UNBUILT)
    get("deepstream").write(build, manifests.read(build), tmp_path / "door")
    return tmp_path / "door"


def test_the_configuration_is_of_one_camera(folder: Path) -> None:
    config = configparser.ConfigParser()
    config.read(folder / "nvinfer.txt")
    settings = dict(config["property"])
    assert settings["batch-size"] == "1"
    assert settings["infer-dims"] == "3;64;64"
    assert (settings["model-color-format"], settings["net-scale-factor"]) == ("1", "1")
    # No ONNX file: nvinfer would build it in a precision of its own.
    assert settings["model-engine-file"] == "frame.engine"
    assert "onnx-file" not in settings
    assert (folder / "frame.engine").read_bytes() == UNBUILT
    # nvinfer takes the first input for the image.
    assert onnx.load(folder / "frame.onnx").graph.input[0].name == "fg_bg"


def test_the_script_is_a_shell_s(folder: Path) -> None:
    script = folder / "run.sh"
    subprocess.run(["sh", "-n", script], check=True)
    assert "nvinfer config-file-path=nvinfer.txt" in script.read_text()
    assert script.read_text().count('"$1"') == 1


def test_nvinfer_gets_the_scene_of_its_camera(
    folder: Path, build: Path, samples: list[Sample], tmp_path: Path
) -> None:
    """From bg.png through the script and the library, compiled, to mask and depth."""
    if shutil.which("g++") is None:
        pytest.skip("no g++ on this machine")
    sample = samples[0]
    cv2.imwrite(str(tmp_path / "bg.png"), sample.bg)
    script = ROOT / "examples" / "scene_tensors.py"
    subprocess.run([sys.executable, script, folder, tmp_path / "bg.png"], check=True)
    include = ["-I", str(STAND_IN)]
    library, nvinfer = folder / "libscene.so", tmp_path / "nvinfer"
    shared = ["-shared", "-fPIC", *include, "-Wall", "-Werror", "-o", library]
    subprocess.run(["g++", *shared, folder / "scene.cpp", "-ldl"], check=True)
    subprocess.run(["g++", *include, "-o", nvinfer, STAND_IN / "nvinfer.cpp", "-ldl"], check=True)
    scene = manifests.read(build).scene
    layers = [word for t in scene for word in (t.name, str(int(np.prod(t.shape))))]
    filled = subprocess.run([nvinfer, library, "1", *layers], check=True, capture_output=True)

    values, feeds = np.frombuffer(filled.stdout, np.float32), {}
    for tensor in scene:
        size = int(np.prod(tensor.shape))
        feeds[tensor.name], values = values[:size].reshape(tensor.shape), values[size:]
    planes = sample.fg_bg.transpose(2, 0, 1)[None].astype(np.float32)
    found = onnxruntime.InferenceSession(folder / "frame.onnx").run(
        None, {"fg_bg": planes, **feeds}
    )
    images = {"bg": sample.bg[None], "spread": np.zeros_like(sample.bg[None])}
    background = onnxruntime.InferenceSession(build / "background.onnx")
    taken = {value.name: images[value.name] for value in background.get_inputs()}
    made = dict(zip([t.name for t in scene], background.run([t.name for t in scene], taken),
                    strict=True))  # fmt: skip
    true = onnxruntime.InferenceSession(build / "frame.onnx").run(
        None, {"fg_bg": sample.fg_bg[None], **made}
    )
    assert all(np.array_equal(a, b) for a, b in zip(found, true, strict=True))
    assert found[0].max() > 0.5

    for words, said in (
        (["2", *layers], "batch-size is 2, expected 1"),
        (["1", layers[0], "7"], "bytes, expected 28 of float32"),
        (["1", "nobody", "7"], "nobody.bin has -1 bytes"),
    ):
        done = subprocess.run([nvinfer, library, *words], capture_output=True, text=True)
        assert done.returncode == 1
        assert said in done.stderr


def test_tensorrt_rtx_builds_the_planar_graph_in_int8(folder: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    assert count_layers(build_plan(folder / "frame.onnx", "tensorrt_rtx", (86,))) == (13, 13)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": (Tensor("fg_bg", (1, 64, 64, 3), "uint8"), Tensor("bg", (1,), "uint8"))},
         "this one reads bg at every frame"),
        ({"outputs": (Tensor("mask_u8", (1, 1, 64, 64), "uint8"),)}, "is mask_u8"),
        ({"scene": (Tensor("a", (1, 2), "float16"),)}, r"not a \(float16\)"),
    ],
    ids=["unfolded", "bytes", "float16"],
)  # fmt: skip
def test_what_nvinfer_cannot_do_is_refused(
    build: Path, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    manifest: Manifest = replace(manifests.read(build), **change)  # type: ignore[arg-type]
    with pytest.raises(EdgeError, match=words):
        get("deepstream").write(build, manifest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_stays(build: Path, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match=r"photos was not written by --format"):
        get("deepstream").write(build, manifests.read(build), tmp_path / "photos")


@pytest.mark.parametrize("scene", [True, False])
def test_the_library_is_compiled_where_the_build_has_a_scene(scene: bool, build: Path) -> None:
    manifest = manifests.read(build)
    manifest = manifest if scene else replace(manifest, scene=())
    assert ("g++ -shared" in deepstream._script(manifest)) == scene
    assert ("custom-lib-path" in deepstream._config(manifest)) == scene
