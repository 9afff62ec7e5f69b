"""The targets: one row each. What was chosen was measured (docs/build.md)."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace

from edge.errors import UsageError

PRECISIONS = ("int8", "fp16", "bf16", "fp32")


@dataclass(frozen=True)
class Target:
    """Where an engine runs, and the form in which it wants its graph.

    module:     the Python module that builds and runs it.
    maker:      the file of edge/engines that builds it.
    precisions: what it can be built in.
    scheme:     of the Q/DQ nodes (edge.calibrate.qdq.SCHEMES).
    shuffle:    ConvTranspose 2x2 becomes Conv 1x1 + DepthToSpace in int8 graphs.
    channels:   what the int8 kernels work on at a time: fewer cost as much (docs/performance.md).
    runs_here:  a build can be run by this runtime, on the CPU of this machine.
    sms:        GPU generations that a plan can be made for without such a GPU.
    """

    name: str
    module: str
    maker: str
    precisions: tuple[str, ...]
    scheme: str
    shuffle: bool
    channels: int
    runs_here: bool
    sms: tuple[int, ...] = ()


TARGETS = {
    target.name: target
    for target in (
        Target(
            "openvino",
            "openvino",
            "openvino",
            PRECISIONS,
            "u8",
            shuffle=False,
            channels=16,
            runs_here=True,
        ),
        Target(
            "onnxruntime",
            "onnxruntime",
            "onnxruntime",
            ("int8", "fp16", "fp32"),
            "u8",
            shuffle=False,
            channels=4,
            runs_here=True,
        ),
        Target(
            "tensorrt-rtx",
            "tensorrt_rtx",
            "tensorrt",
            ("int8", "fp16", "fp32"),
            "s8",
            shuffle=True,
            channels=16,
            runs_here=False,
            sms=(75, 80, 86, 89, 120, 121),
        ),
        Target(
            "tensorrt",
            "tensorrt",
            "tensorrt",
            ("int8", "fp16", "fp32"),
            "s8",
            shuffle=True,
            channels=16,
            runs_here=False,
        ),
    )
}
"""Fastest first among those that run on a CPU. Channels of the CPU's were measured; tensor cores
take 16 bytes of a channel at a time."""

FORMS = {"convtranspose": False, "depth-to-space": True}
"""Forms of a ConvTranspose 2x2 in int8 graphs, and the `shuffle` that they mean."""


def in_form(target: Target, form: str) -> Target:
    """The target with another form than it was measured to like; UsageError lists the forms."""
    if form not in FORMS:
        raise UsageError(f"--form {form}: known are {', '.join(FORMS)}")
    return replace(target, shuffle=FORMS[form])


AUTO = "auto"


def running() -> list[Target]:
    """The targets whose runtime is installed and can run on this machine."""
    found = [target for target in TARGETS.values() if installed(target)]
    if not all(target.runs_here for target in found):
        from edge.errors import EdgeError
        from edge.runtime.cuda import driver

        try:
            driver()
        except EdgeError:
            found = [target for target in found if target.runs_here]
    return found


def installed(target: Target) -> bool:
    return importlib.util.find_spec(target.module) is not None


def choose(name: str) -> Target:
    """The target of that name; `auto` is the fastest one that can run on this machine."""
    if name == AUTO:
        for target in TARGETS.values():
            if target.runs_here and installed(target):
                return target
        raise UsageError(
            "no runtime is installed for this machine;"
            " in the project's folder: pip install -c constraints.txt '.[openvino,onnxruntime]'"
        )
    if name not in TARGETS:
        raise UsageError(f"unknown target {name!r}; known: {AUTO}, {', '.join(TARGETS)}")
    return TARGETS[name]


def check_precision(target: Target, precision: str) -> None:
    """UsageError where the target cannot be built in that precision."""
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    if precision not in target.precisions:
        others = [t.name for t in TARGETS.values() if precision in t.precisions]
        raise UsageError(
            f"{target.name} has no {precision} engine, it has {', '.join(target.precisions)};"
            f" {precision} is built by: {', '.join(others)}"
        )
