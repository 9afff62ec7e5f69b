"""A report whose every figure is known, without a measurement."""

from __future__ import annotations

from typing import Any

from edge.benchmarks.reporting.report import (
    BuildEntry,
    Cameras,
    Cold,
    DepthScores,
    Energy,
    GateScores,
    LatencySummary,
    Machine,
    MachineWatch,
    MaskScores,
    Method,
    Overhead,
    Paced,
    Peer,
    Report,
    SampleSet,
    Scores,
)

FP32, INT8 = "net-fp32-openvino", "net-int8-openvino"


def latency(p50: float | None, mean: float = 1.0) -> LatencySummary:
    return LatencySummary(mean / 2, mean, p50, None, None, None, None, None, 2 * mean, 64)


def entry(name: str, p50: float, mean: float, **values: Any) -> BuildEntry:
    """A build whose frame takes `p50` ms in the network and `mean` ms from end to end."""
    known: dict[str, Any] = {
        "name": name, "path": None, "reference": FP32, "network": "net", "target": "openvino",
        "precision": "int8", "imgsz": (64, 64), "folded": True, "params": 10, "macs": 20,
        "layers": 10, "int8_layers": 9, "size_mb": 1.234, "preprocess_ms": latency(0.5),
        "latency_ms": latency(p50), "postprocess_ms": latency(0.25),
        "end_to_end_ms": latency(p50, mean), "throughput_fps": 1e3 / mean, "rss_peak_mb": 100.0,
        "drop": Scores(),
    }  # fmt: skip
    return BuildEntry(**{**known, **values})


BUILDS = (
    entry(
        FP32, 4.0, 5.0, precision="fp32", layers=None, int8_layers=None,
        mask=MaskScores(0.9, 0.95, 0.9, 0.9), depth=DepthScores(0.1, 0.2, 0.8),
        drop=Scores(MaskScores(0.0, 0.0, 0.0, 0.0), DepthScores(0.0, 0.0, 0.0)), flicker=0.0005,
    ),
    entry(
        INT8, 1.0, 2.0, path="build", mask=MaskScores(0.88, 0.94, 0.9, 0.9),
        depth=DepthScores(0.1, 0.2, 0.805),
        drop=Scores(MaskScores(0.02, 0.01, 0.0, 0.0), DepthScores(0.0, 0.0, -0.005)),
        cold=Cold(30.0, 20.0, 3.0, 2.0), paced=Paced(30.0, 29.0, latency(1.5), 3, 2),
        gate=GateScores(4.0, 500.0, 0.25, MaskScores(0.8, 0.9, 0.9, 0.9)),
        overhead=Overhead(1.1, 1.0, 2000, 0.1),
        energy={"package": Energy(12.0, 6.0)},
        cameras=Cameras(3, 5.0, (480, 640), 15, 1, 0.125, 2, {"resize": 0.5, "infer": 2.0}, 99.6),
    ),
    entry(FP32, 8.0, 9.0, precision="fp32", folded=False),
    entry(INT8, 3.0, 4.0, path="build", folded=False),
)  # fmt: skip
PEER = Peer(
    name="mog2", runtime="opencv", precision="uint8", imgsz=(64, 64), preprocess_ms=latency(0.5),
    latency_ms=latency(10.0, 10.0), end_to_end_ms=latency(10.0), throughput_fps=90.0,
    rss_peak_mb=50.0, mask=MaskScores(0.5, 0.6, 0.5, 0.5),
)  # fmt: skip
REPORT = Report(
    machine=Machine("a processor", 4, 1, "Linux", "3.12", {}),
    samples=SampleSet("rendered", "rendered:6", 6, 1, 5, {}, "truth", 0.75, "same"),
    method=Method(0, 10, 0.0, False, {}),
    watch=MachineWatch(0.0, (2000.0, 2000.0), None, None, ""),
    builds=BUILDS,
)
