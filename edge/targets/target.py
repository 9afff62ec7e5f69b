"""A target: the runtime that a build is for, and the form in which it takes its graphs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from edge.errors import UsageError, install_command

PRECISIONS = ("int8", "fp16", "bf16", "fp32")
FRAME, BACKGROUND = "frame.onnx", "background.onnx"
"""The graphs in a build folder that an engine is made from."""
UPSAMPLE_OPS = ("convtranspose", "depth_to_space")
"""Operators that int8 graphs can double height and width with; the numbers are the same."""


Run = Callable[[Sequence[str], Mapping[str, Any]], list[Any]]
"""(names of outputs, inputs by name) -> arrays; those that the graph lacks are left out."""


@dataclass(frozen=True)
class Engine:
    """The files that a target wrote into a build folder.

    frame, background: files that the runtime loads; empty where there is none.
    sized: files whose size is the engine's.
    version: of the runtime; options: its settings that belong to the precision.
    layers, int8_layers: see edge.manifest.Manifest.
    sm: GPU generation that a runtime built for because it is this machine's; empty elsewhere.
    """

    frame: str
    background: str
    sized: tuple[str, ...]
    version: str
    options: dict[str, str] = field(default_factory=dict)
    layers: int | None = None
    int8_layers: int | None = None
    sm: tuple[int, ...] = ()


@dataclass(frozen=True)
class Target(ABC):
    """One target; a file of edge/targets defines a subclass and registers an instance.

    Attributes:
        name: As in `--target`.
        modules: Python modules of the runtime; any one of them is enough.
        extra: Extra of this package that installs the runtime; empty where NVIDIA's package does.
        packages: Distributions of the runtime, for its version.
        backend: Module of edge.runtime.backends that runs its builds.
        device: "cpu" or "gpu".
        precisions: Precisions that it builds, a subset of PRECISIONS.
        scheme: Placement of Q/DQ nodes (edge.calibrate.qdq.SCHEMES).
        upsample: Operator of UPSAMPLE_OPS that its int8 graphs use; chosen by measurement
            (docs/build.md).
        channels: Channels that its int8 kernels process at a time: fewer take as long.
        channels_last: Precisions whose kernels read the scene tensors channels last
            (edge.graph.scene_tensors).
        float16_scene: Its int8 kernels read scene tensors in float16 faster than in float32.
        float16_graph: fp16 is float16 tensors in the graph; False where the runtime converts.
        sms: GPU generations that an engine can be built for without such a GPU.
    """

    name: str
    modules: tuple[str, ...]
    extra: str
    packages: tuple[str, ...]
    backend: str
    device: str
    precisions: tuple[str, ...]
    scheme: str
    upsample: str
    channels: int
    channels_last: tuple[str, ...] = ()
    float16_scene: bool = False
    float16_graph: bool = True
    sms: tuple[int, ...] = ()

    def installed(self) -> bool:
        """Whether the runtime's Python module is installed."""
        return any(importlib.util.find_spec(module) is not None for module in self.modules)

    def version(self) -> str:
        """Version of the installed runtime, or an empty text."""
        for package in self.packages:
            try:
                return importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
        return ""

    def install_hint(self) -> str:
        """The command, or the package, that installs the runtime."""
        if self.extra:
            return install_command(self.extra)
        return "JetPack or NVIDIA's package brings it"

    def runs_here(self) -> bool:
        """Whether builds for this target run on this machine."""
        return self.why_not_here() == ""

    @abstractmethod
    def why_not_here(self) -> str:
        """Why builds do not run on this machine; empty where they do."""

    @abstractmethod
    def make_engine(self, folder: Path, precision: str, sms: Sequence[int]) -> Engine:
        """Write the engine beside FRAME and, where there is one, BACKGROUND in `folder`."""

    def check_graphs(self, folder: Path) -> None:
        """EdgeError where the runtime would refuse a graph in `folder`, as far as is known without
        the runtime."""
        return None

    def session(self, model: onnx.ModelProto) -> Run | None:
        """Open a graph in the runtime as it is; None where the runtime shows no tensor within."""
        return None

    def check_precision(self, precision: str) -> None:
        """UsageError where this target cannot be built in a precision."""
        if precision not in PRECISIONS:
            raise UsageError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
        if precision not in self.precisions:
            raise UsageError(
                f"{self.name} has no {precision} engine, it has {', '.join(self.precisions)}"
            )
