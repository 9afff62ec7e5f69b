"""The FP32 build beside every build, and what builds of one name are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import onnx

from edge import manifest as manifests
from edge.builder.write import NETWORK
from edge.calibrate.pipeline import BuildRequest
from edge.calibrate.pipeline import build as make_build
from edge.errors import BuildMismatch
from edge.targets import get

Pair = tuple[Path, Path]
"""A build and its FP32."""


def reference_build(build: Path, folder: Path) -> Path:
    """Build FP32 of the same network for the same target into `folder`, once.

    Raises:
        BuildMismatch: The runtime of the build is not installed here.
    """
    manifest = manifests.read(build)
    target = get(manifest.target)
    if not target.installed():
        raise BuildMismatch(
            f"{build} needs `{manifest.runtime[0]}`, which is not installed here",
            target.install_hint(),
        )
    # Networks of one name, old and new, each have their own.
    place = folder / str(manifest.model["sha256"])[:16] / f"{manifest.target}-fp32"
    if not place.exists():
        request = BuildRequest(network=manifest.network, target=manifest.target, precision="fp32")
        make_build(request, place, network=onnx.load(build / NETWORK))
    return place


def with_references(builds: Sequence[Path], folder: Path) -> list[Pair]:
    """Each build and its FP32, FP32 first and once: those given, and those built into `folder`."""
    kinds = {path: manifests.read_finished(path) for path in builds}
    pairs: list[Pair] = []
    for path, manifest in kinds.items():
        given = [
            other
            for other, candidate in kinds.items()
            if candidate.precision == "fp32"
            and candidate.model["sha256"] == manifest.model["sha256"]
            and candidate.target == manifest.target
        ]
        reference = given[0] if given else reference_build(path, folder)
        for pair in ((reference, reference), (path, reference)):
            if pair not in pairs:
                pairs.append(pair)
    return pairs


def display_names(pairs: Sequence[Pair], given: Sequence[Path]) -> dict[Path, str]:
    """What each build is called: its own name or, where several have that, its path too."""
    own = {path: manifests.read(path).name for path, _ in pairs}
    owners = {reference: path for path, reference in reversed(pairs) if path != reference}
    builds = Counter(own.values())

    def name_of(path: Path) -> str:
        if builds[own[path]] == 1:
            return own[path]
        return str(path) if path in given else f"{own[path]} of {owners[path]}"

    return {path: name_of(path) for path in own}
