"""The frame as float planes gives the same bits."""

from __future__ import annotations

import numpy as np
import onnx

from edge.graph.fold import split
from edge.graph.planar_input import with_planar_input
from edge.graph.trt_ready import trt_ready
from tests.edge.graph.exporters import SIDE, small_network

from .test_open_batch import run


def test_planes_are_the_picture(rng: np.random.Generator) -> None:
    parts = split(onnx.shape_inference.infer_shapes(small_network()))
    assert parts.background is not None
    bg, frame = (rng.integers(0, 256, (1, SIDE, SIDE, 3), np.uint8) for _ in range(2))
    scene = dict(zip(parts.scene, run(parts.background, {"bg": bg}), strict=True))
    planar = with_planar_input(parts.frame)
    planes = frame.transpose(0, 3, 1, 2).astype(np.float32)
    found, true = (
        run(model, {"fg_bg": given, **scene})
        for model, given in ((planar, planes), (parts.frame, frame))
    )
    assert all(np.array_equal(a, b) for a, b in zip(found, true, strict=True))
    assert trt_ready(planar) == []
