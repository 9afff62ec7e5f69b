"""TensorRT-RTX: RTX GPUs from Turing to Blackwell. It builds plans without a GPU (`--sm`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.errors import install_command
from edge.targets.gpu import why_not_on_gpu
from edge.targets.registry import register
from edge.targets.target import Engine, Target


class TensorRtRtxTarget(Target):
    def why_not_here(self) -> str:
        return why_not_on_gpu(self.packages) if self.installed() else "not installed"

    def make_engine(self, folder: Path, precision: str, sms: Sequence[int]) -> Engine:
        from edge.targets.plans import make_plans

        engine = make_plans(self, "tensorrt_rtx", folder, sms)
        if not engine.frame:
            return engine
        layers, int8 = count_layers((folder / engine.frame).read_bytes())
        return replace(engine, layers=layers, int8_layers=int8)

    def check_graphs(self, folder: Path) -> None:
        from edge.targets.plans import checked_graphs

        checked_graphs(self, folder)

    def install_hint(self) -> str:
        from edge.runtime import nvidia

        old = nvidia.extra() == "cuda12"
        return install_command("tensorrt-rtx-cu12" if old else "tensorrt-rtx")


_TENSOR = re.compile(rb'tensor=\{ [^\n]*?name="([^"]+)"[^\n]*? type=(\w+) \}')
_LAYER = re.compile(
    rb'\n\s+(\w+)=\{ name="?([^" ]+)"? (?:fqn=\S+ )?output=\{([^}]*)\} input=\{([^}]*)\}'
)
_NAMES = re.compile(rb'"([^"]+)"|([^\s",]+)')
WEIGHTED = {b"corrltn", b"deconvolution"}
"""TensorRT-RTX's words for Conv and ConvTranspose."""


def layers_of(plan: bytes) -> dict[str, tuple[str, ...]]:
    """The weight-carrying layers of a TensorRT-RTX plan, each with the types of its inputs.

    A plan embeds a readable listing of its kernels, which NVIDIA does not document. Reports and
    tests use it as evidence; the runtime does not rely on it.
    """
    types = {name: kind.decode() for name, kind in _TENSOR.findall(plan)}
    layers = {}
    for kind, name, _, reads in _LAYER.findall(plan):
        if kind in WEIGHTED:
            names = [a or b for a, b in _NAMES.findall(reads)]
            layers[name.decode()] = tuple(types[n] for n in names if n in types)
    return layers


def count_layers(plan: bytes) -> tuple[int, int]:
    """Count layers in a plan: (layers with weights, those whose data and weights are int8)."""
    layers = layers_of(plan)
    return len(layers), sum(kinds[:2] == ("int8", "int8") for kinds in layers.values())


register(
    TensorRtRtxTarget(
        name="tensorrt-rtx",
        # The wheels come with or without their outer package.
        modules=("tensorrt_rtx", "tensorrt_rtx_bindings"),
        extra="tensorrt-rtx",
        packages=(
            "tensorrt-rtx-cu13",
            "tensorrt-rtx-cu12",
            "tensorrt_rtx_cu13_bindings",
            "tensorrt_rtx",
        ),
        backend="tensorrt",
        device="gpu",
        precisions=("int8", "fp16", "fp32"),
        scheme="s8",
        upsample="depth_to_space",
        channels=16,
        sms=(75, 80, 86, 89, 120, 121),
    )
)
