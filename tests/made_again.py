"""Make what is to be the same each time: python made_again.py FOLDER CORES [report]

FOLDER/data      a composed data set
FOLDER/builds    builds of a small network for each target, with their ranges
FOLDER/models    a Triton repository
FOLDER/report    with `report`, and then nothing else: the report of a benchmark of the builds
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

folder, cores = Path(sys.argv[1]), int(sys.argv[2])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from edge import manifest as manifests  # noqa: E402
from edge.benchmarks.measuring.bench import Settings, bench  # noqa: E402
from edge.benchmarks.reporting.write import write_report  # noqa: E402
from edge.builder import formats  # noqa: E402
from edge.calibrate.pipeline import BuildRequest, build  # noqa: E402
from edge.targets import get  # noqa: E402
from edge.train.data.compose import CompositionSpec, write_background  # noqa: E402
from edge.train.data.cutouts import read_backgrounds, read_cutouts  # noqa: E402
from tests.edge.graph.exporters import small_network  # noqa: E402

PLACE = folder / "builds" / "onnxruntime-minmax"
TARGETS = ("onnxruntime", "openvino", "tensorrt-rtx")


def compose() -> None:
    rng = np.random.default_rng(0)
    for part, channels in (("bg", 3), ("fg", 4)):
        (folder / part).mkdir(parents=True)
        for number in range(2):
            image = cv2.resize(rng.integers(0, 256, (9, 9, channels), np.uint8), (80, 80))
            cv2.imwrite(str(folder / part / f"{number}.png"), image)
    backgrounds = read_backgrounds(folder / "bg", 64)
    cutouts = read_cutouts(folder / "fg", 64)
    for name, image in backgrounds.items():
        spec = CompositionSpec(64, 2)
        for _ in write_background(folder / "data", name, image, cutouts, spec, None):
            pass


def build_all() -> None:
    for target in filter(lambda name: get(name).installed(), TARGETS):
        for method in ("minmax", "entropy") if target == "onnxruntime" else ("minmax",):
            request = BuildRequest(
                network="own", target=target, precision="int8", samples="rendered:4",
                calib_samples=4, calib_method=method,
                sm=(86,) if target == "tensorrt-rtx" else (),
            )  # fmt: skip
            build(request, folder / "builds" / f"{target}-{method}", network=small_network())
    formats.get("triton").write(PLACE, manifests.read(PLACE), folder / "models")


def measure() -> None:
    settings = Settings("rendered:4:4", 4, threads=cores, warmup=0, duration=0, iterations=5)
    write_report(bench([PLACE], settings, lambda *_: None), folder / "report", "edge bench")


if __name__ == "__main__":  # the benchmark's processes import this file
    if sys.argv[3:]:
        measure()
    else:
        compose()
        build_all()
