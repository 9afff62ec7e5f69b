"""A plan of a build: its graphs in the form that the target takes, and where they came from."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import onnx

from edge.graph.float16 import to_float16
from edge.graph.fold import Split, split
from edge.graph.resize import image_size
from edge.targets import Target, get

USUAL_SIZE = (224, 224)
"""Height and width of the bundled networks; other sizes are part of a build's name."""


@dataclass(frozen=True)
class Plan:
    """Everything of a build but its folder.

    Attributes:
        network: Name of the network.
        bundled: The network is one of this package.
        target, precision, imgsz: As asked for; imgsz is (height, width).
        source: The float network at the size of the build.
        split: Its background graph and frame graph, in float.
        frame: The frame graph in the build's precision.
        command: The command that makes the build again.
        model: sha256 and ONNX metadata of the network.
        sm: GPU generations of the engine.
        upsample: Operator of the int8 frame graph (edge.targets.UPSAMPLE_OPS).
        uint8_outputs: The build gives mask and depth as uint8.
        ranges: Text of ranges.json, empty where nothing was calibrated.
        calibration: Key of the ranges, and the layers that stay in float.
        started: `time.monotonic()` when the work began.
    """

    network: str
    target: Target
    precision: str
    imgsz: tuple[int, int]
    source: onnx.ModelProto
    split: Split
    frame: onnx.ModelProto
    command: str
    model: dict[str, Any]
    upsample: str
    bundled: bool = False
    sm: tuple[int, ...] = ()
    uint8_outputs: bool = False
    ranges: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The build's name, as in small-int8-tensorrt-rtx-sm86; unusual options are part of it."""
        height, width = self.imgsz
        parts = [self.network, self.precision, self.target.name, *(f"sm{sm}" for sm in self.sm)]
        parts += [] if self.imgsz == USUAL_SIZE else [f"{width}x{height}"]
        parts += ["u8"] if self.uint8_outputs else []
        usual = get(self.target.name).upsample if self.precision == "int8" else self.upsample
        parts += [self.upsample] if self.upsample != usual else []
        return "-".join(parts)


def fingerprint(network: onnx.ModelProto) -> str:
    """sha256 of a network, the identity that its builds and ranges carry."""
    return hashlib.sha256(network.SerializeToString(deterministic=True)).hexdigest()


def float_plan(
    network: onnx.ModelProto,
    name: str,
    target: Target,
    precision: str,
    command: str,
    *,
    bundled: bool = False,
    sm: tuple[int, ...] = (),
    uint8_outputs: bool = False,
    upsample: str | None = None,
    started: float | None = None,
) -> Plan:
    """Plan a build with the frame graph in float, in float16 for fp16 where the graph says so.

    An int8 frame graph is still to be quantized (edge.calibrate.apply).
    """
    graphs = split(network)
    half = precision == "fp16" and target.float16_graph
    metadata = {entry.key: entry.value for entry in network.metadata_props}
    return Plan(
        network=name,
        target=target,
        precision=precision,
        imgsz=image_size(network),
        source=network,
        split=graphs,
        frame=to_float16(graphs.frame) if half else graphs.frame,
        command=command,
        model={**metadata, "sha256": fingerprint(network)},
        upsample=upsample or target.upsample,
        bundled=bundled,
        sm=sm,
        uint8_outputs=uint8_outputs,
        started=time.monotonic() if started is None else started,
    )
