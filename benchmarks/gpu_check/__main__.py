"""Check the GPU of this machine and write down what it did.

    make gpu-check
    python -m edge.benchmarks.gpu_check [OUT.json]

First the driver layer and the runtime's GPU backend with a stand-in engine, by torch or CuPy, then
the TensorRT and TensorRT-RTX that are installed. It takes minutes and no network. Exit code 0: no
check failed; 1: one did; 5: there is no GPU.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx

from edge.benchmarks.gpu_check.arrays import find_arrays
from edge.benchmarks.gpu_check.check import FAILED, OK, SKIPPED, Result, Seen, Skipped, run
from edge.benchmarks.gpu_check.counted import Counted
from edge.benchmarks.gpu_check.driver import check_copies, check_events, check_graphs
from edge.benchmarks.gpu_check.plans import PlanBench, plan_checks
from edge.benchmarks.gpu_check.runtime import (
    StandInBench,
    check_frames,
    check_outputs,
    check_stages,
    check_threads,
)
from edge.benchmarks.gpu_check.scenes import PER_SCENE, rendered_samples, scenes_of
from edge.benchmarks.gpu_check.stand_in import build_stand_in
from edge.benchmarks.measuring.bench import Settings
from edge.bundled import DEFAULT, bundled
from edge.doctor import machine
from edge.errors import BuildMismatch, EdgeError
from edge.files import atomic_write
from edge.graph.resize import image_size, resize_network
from edge.runtime import cuda as drivers
from edge.runtime.cuda import Cuda

SCHEMA = "edge.gpu-check/1"
OUT = "gpu-check.json"


@dataclass(frozen=True)
class Extent:
    """How much is checked.

    network: a bundled one; imgsz: (height, width), None for its own; frames: that must leave no
    growth; bench: of the installed TensorRT's.
    """

    network: str = DEFAULT
    imgsz: tuple[int, int] | None = None
    frames: int = 10_000
    bench: Settings = field(default_factory=lambda: Settings(samples="rendered:8:5", threads=1))


def open_gpu() -> Cuda:
    """The GPU.

    Raises:
        BuildMismatch: There is none, or nothing that drives it.
    """
    try:
        return drivers.driver()
    except EdgeError as error:
        raise BuildMismatch(f"no GPU to check: {error.message}", error.hint) from error


def every_check(cuda: Cuda, extent: Extent, folder: Path) -> Iterator[Result]:
    """Run all checks; `folder` takes the builds."""
    counted = Counted(cuda)
    yield run("copies", lambda: check_copies(counted))
    yield run("events", lambda: check_events(counted))
    yield run("graphs", lambda: check_graphs(counted))

    network = onnx.load(bundled(extent.network))
    size = extent.imgsz or image_size(network)
    samples = rendered_samples(2 * PER_SCENE, size)
    yield from stand_in_checks(cuda, extent, resize_network(network, *size), samples, folder)
    yield from plan_checks(
        PlanBench(
            extent.network, extent.imgsz, samples, extent.bench, cuda.capability, folder / "plans"
        )
    )


def stand_in_checks(
    cuda: Cuda, extent: Extent, network: onnx.ModelProto, samples: Sequence[Any], folder: Path
) -> Iterator[Result]:
    """The checks of the backend, for each array library."""
    libraries, reasons = find_arrays()
    if not libraries:
        yield run("stand-in", lambda: _none(reasons))
        return
    build_stand_in(network, extent.network, folder / "stand-in")
    scenes = scenes_of(folder / "stand-in", samples)
    for arrays in libraries:
        given = StandInBench(Counted(cuda), arrays, folder / "stand-in", scenes, extent.frames)
        for name, check in (
            ("outputs", check_outputs),
            ("threads", check_threads),
            ("frames", check_frames),
            ("stages", check_stages),
        ):
            yield run(f"{arrays.name} {name}", lambda check=check, given=given: check(given))  # type: ignore[misc]


def _none(reasons: str) -> Seen:
    raise Skipped(
        f"{reasons}; one of them computes the stand-in engine: pip install cupy-cuda13x, or"
        " cupy-cuda12x where the driver is of CUDA 12"
    )


def libraries() -> dict[str, str]:
    """Versions of the installed packages that take part, by their names."""
    wanted = ("numpy", "onnxruntime", "cuda-bindings", "pycuda", "torch")
    packages = importlib.metadata.distributions()
    found = {str(package.metadata["Name"]): package.version for package in packages}
    return {
        name: version
        for name, version in sorted(found.items())
        if name in wanted or name.startswith(("tensorrt", "cupy"))
    }


def document(cuda: Cuda, results: Sequence[Result]) -> dict[str, Any]:
    """What gpu-check.json holds."""
    free, total = cuda.memory()
    return {
        "schema": SCHEMA,
        "machine": {finding.subject: finding.text for finding in machine()},
        "libraries": libraries(),
        "gpu": {
            "name": cuda.name(),
            "capability": cuda.capability,
            "integrated": cuda.integrated,
            "graphs": cuda.graphs,
            "memory_mb": round(total / 1e6),
            "free_mb": round(free / 1e6),
        },
        "checks": [asdict(result) for result in results],
    }


def table(results: Sequence[Result]) -> str:
    """A line for each check, and one of their number."""
    width = max(len(result.name) for result in results)
    lines = [
        f"{result.status:<{len(SKIPPED)}}  {result.name:<{width}}  {result.seconds:>6.1f} s "
        f" {result.text}"
        for result in results
    ]
    counts = Counter(result.status for result in results)
    return "\n".join([*lines, ", ".join(f"{counts[s]} {s}" for s in (OK, FAILED, SKIPPED))])


def check_gpu(extent: Extent, out: Path) -> int:
    """Run all checks, print the table, write `out`, and return the exit code."""
    cuda = open_gpu()
    with tempfile.TemporaryDirectory(prefix="edge-gpu-check-") as temporary, cuda.active():
        print(f"{cuda.name()}, compute capability {cuda.capability / 10:.1f}", flush=True)
        results = list(every_check(cuda, extent, Path(temporary)))
        found = document(cuda, results)
    print(table(results))
    with atomic_write(out) as draft:
        draft.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if any(result.status == FAILED for result in results) else 0


def main(arguments: Sequence[str], extent: Extent | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="gpu_check", description="Check the GPU of this machine.")
    parser.add_argument("out", nargs="?", type=Path, default=Path(OUT), help=f"default {OUT}")
    given = parser.parse_args(arguments)
    try:
        return check_gpu(extent or Extent(), given.out)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
