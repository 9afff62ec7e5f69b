"""TensorRT: Jetson, data-centre and desktop GPUs. A plan fits the GPU that it was built on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.targets.gpu import capability, why_not_on_gpu
from edge.targets.registry import register
from edge.targets.target import FRAME, Engine, Target


class TensorRtTarget(Target):
    def why_not_here(self) -> str:
        return why_not_on_gpu(self.packages) if self.installed() else "not installed"

    def make_engine(self, folder: Path, precision: str, sms: Sequence[int]) -> Engine:
        from edge.runtime.backends.tensorrt import load
        from edge.targets.inspector import inspected_layers
        from edge.targets.plans import make_plans

        engine = make_plans(self, "tensorrt", folder, sms, timings=True)
        if not engine.frame:
            return engine
        plan = (folder / engine.frame).read_bytes()
        layers, int8 = inspected_layers(folder / FRAME, plan, load("tensorrt")) or (None, None)
        return replace(engine, layers=layers, int8_layers=int8, sm=capability())

    def check_graphs(self, folder: Path) -> None:
        from edge.targets.plans import checked_graphs

        checked_graphs(self, folder)

    def install_hint(self) -> str:
        from edge.runtime import nvidia

        package = nvidia.extra().replace("cuda", "tensorrt-cu")
        return f"pip install {package}; a Jetson has JetPack's: docs/jetson.md"


register(
    TensorRtTarget(
        name="tensorrt",
        modules=("tensorrt",),
        extra="",
        packages=("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
        backend="tensorrt",
        device="gpu",
        precisions=("int8", "fp16", "fp32"),
        scheme="s8",
        upsample="depth_to_space",
        channels=16,
    )
)
