"""`make gpu-check` on the simulated GPU: python rehearsal.py OUT.json [shifted]

It runs with tests/stand_ins/gpu before everything else on PYTHONPATH; its engines compute with
numpy, on a small network and few frames. `shifted`: the stand-in's results lie a value further on.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from simulated import HostArrays

from edge.benchmarks.gpu_check import __main__ as gpu_check
from edge.benchmarks.gpu_check import arrays, plans
from edge.benchmarks.measuring.bench import Settings


class Shifted(HostArrays):
    def view(self, address: int, shape: tuple[int, ...], dtype: str) -> Any:
        return super().view(address + 4 * (shape == (1, 1, 64, 64)), shape, dtype)


if __name__ == "__main__":
    out, *fault = sys.argv[1:]
    runtime = importlib.import_module("cuda.bindings.runtime")
    kind = Shifted if fault else HostArrays
    arrays.LIBRARIES.clear()
    arrays.LIBRARIES["numpy"] = lambda: kind(runtime)
    if fault:
        plans.TARGETS = ()
        real = runtime._allocate
        runtime._allocate = lambda size: real(size + 8)
    quick = Settings(samples="rendered:4", count=4, duration=0, iterations=11, warmup=0, threads=1)
    extent = gpu_check.Extent(network="nano", imgsz=(64, 64), frames=100, bench=quick)
    sys.exit(gpu_check.main([out], extent))
