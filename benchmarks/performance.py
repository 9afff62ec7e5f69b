"""The tables of docs/performance.md: what limits each bundled network, and how its time grows.

    python -m edge.benchmarks.performance > reports/performance.md

One thread, int8 for OpenVINO, background folded, frames at network size; medians of interleaved
rounds. Each figure belongs to the machine that it names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import edge
from edge.benchmarks.measuring.machine import machine
from edge.bundled import bundled, names
from edge.calibrate.pipeline import BuildRequest, build, plan
from edge.calibrate.rendering.samples import Rendered
from edge.graph.fold import split
from edge.graph.profile import macs, memory_traffic
from edge.graph.resize import image_size, resize_network
from edge.graph.scene_tensors import ready_scene_tensors
from edge.interleave import median_ms
from edge.progress import note
from edge.samples.sample import Sample, resize_sample

TARGET = "openvino"
SIDES = (64, 112, 160, 224, 320, 448, 640)
BATCHES = (1, 2, 4, 8)


def frames(side: int) -> list[Sample]:
    rendered = Rendered(4, seed=778, frames_per_scene=4)
    return [resize_sample(rendered[i], side, side) for i in range(4)]


def opened(model: onnx.ModelProto, samples: list[Sample], place: Path) -> edge.Handle:
    """Open the network as an int8 build with a background."""
    request = BuildRequest(network=place.name, target=TARGET)
    build(request, place, network=model, samples=samples)
    h = edge.open(place, 1)
    edge.set_background(h, samples[0].bg, samples[0].spread)
    return h


def inference(h: edge.Handle, samples: list[Sample]) -> Callable[[], object]:
    return lambda: edge.infer(h, samples[1].fg_bg)


def int8_peak(folder: Path) -> float:
    """MACs per second of one thread: a 3x3 convolution of 256 channels, in int8."""
    channels, side = 256, 56
    # About 1 before and after each convolution: int8 is checked against FP32.
    weight = np.random.default_rng(0).normal(size=(channels, channels, 3, 3), scale=1 / 48)
    weight = weight.astype(np.float32)
    expand = np.full((channels, 3, 1, 1), 1 / 765, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["fg_bg"], ["float"], "cast", to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["float"], ["planes"], "planes", perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "expand"], ["wide"], "widen"),
            *(
                helper.make_node(
                    "Conv", [source, "weight"], [to], to, pads=[1, 1, 1, 1]
                )
                for source, to in (("wide", "a"), ("a", "b"), ("b", "c"))
            ),
            helper.make_node("ReduceMean", ["c", "axes"], ["logit"], "mean"),
            helper.make_node("Sigmoid", ["logit"], ["mask"], "mask"),
        ],
        "peak",
        [helper.make_tensor_value_info("fg_bg", TensorProto.UINT8, [1, side, side, 3])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, side, side])],
        [
            numpy_helper.from_array(value, name)
            for name, value in (
                ("weight", weight), ("expand", expand), ("axes", np.array([1], np.int64))
            )
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    samples = frames(side)
    with opened(model, samples, folder / "peak") as h:
        (ms,) = median_ms([inference(h, samples)], repeat=3)
    return macs(model) / (ms / 1e3)


def bandwidth(size: int) -> float:
    """Bytes per second that one thread reads and writes while it copies `size` bytes repeatedly."""
    source, to = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    (ms,) = median_ms([lambda: np.copyto(to, source)], repeat=40)
    return 2 * size / (ms / 1e3)


def at_batch(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """The model for `count` pairs in one call: its inputs, outputs and reshapes keep axis 0."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = count
    del copy.graph.value_info[:]
    shapes = {node.input[1] for node in copy.graph.node if node.op_type == "Reshape"}
    for weight in copy.graph.initializer:
        if weight.name in shapes:
            shape = numpy_helper.to_array(weight).copy()
            shape[0] = count
            weight.CopyFrom(numpy_helper.from_array(shape, weight.name))
    return onnx.shape_inference.infer_shapes(copy, strict_mode=True)


def roofline(folder: Path) -> list[str]:
    """The time of each network if only its arithmetic, or only its memory traffic, took time."""
    peak, near, far = int8_peak(folder), bandwidth(1 << 20), bandwidth(1 << 26)
    lines = [
        f"One thread does {peak / 1e9:.0f} G int8 MACs per second (3x3 convolution, 256 channels)"
        f" and moves {near / 1e9:.0f} GB/s within its caches, {far / 1e9:.0f} GB/s in memory.",
        "",
        "| | MMAC per frame | MB moved | arithmetic alone, ms | bytes alone, ms | measured, ms |"
        " of the limit |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    side = 224
    samples = frames(side)
    models = {name: onnx.load(bundled(name)) for name in names()}
    handles = [opened(model, samples, folder / f"roof-{n}") for n, model in models.items()]
    medians = median_ms([inference(h, samples) for h in handles])
    for (name, model), ms in zip(models.items(), medians, strict=True):
        frame = split(model).frame
        work, data = macs(frame), memory_traffic(frame)
        limits = 1e3 * work / peak, 1e3 * data / near
        lines.append(
            f"| `{name}` | {work / 1e6:.0f} | {data / 1e6:.1f} | {limits[0]:.2f} | {limits[1]:.2f}"
            f" | {ms:.2f} | {100 * max(limits) / ms:.0f} % |"
        )
    for h in handles:
        edge.close(h)
    return lines


def resolution(folder: Path) -> list[str]:
    """The time of each network by the side of its images."""
    lines = [
        "| ms per frame | " + " | ".join(f"{side}" for side in SIDES) + " |",
        "| --- |" + " --- |" * len(SIDES),
    ]
    for name in names():
        calls, handles = [], []
        for side in SIDES:
            samples = frames(side)
            model = resize_network(onnx.load(bundled(name)), side, side)
            handles.append(opened(model, samples, folder / f"{name}-{side}"))
            calls.append(inference(handles[-1], samples))
            note(f"built {name} at {side}")
        medians = median_ms(calls, repeat=5)
        lines.append(f"| `{name}` | " + " | ".join(f"{ms:.2f}" for ms in medians) + " |")
        for h in handles:
            edge.close(h)
    return lines


def batches(folder: Path) -> list[str]:
    """Several cameras in one call, through OpenVINO itself: the runtime has no such call."""
    from edge.runtime.backends.openvino import compiled, core

    lines = [
        "| ms per frame, by cameras per call | " + " | ".join(str(n) for n in BATCHES) + " |",
        "| --- |" + " --- |" * len(BATCHES),
    ]
    for name in names():
        model = onnx.load(bundled(name))
        samples = frames(image_size(model)[0])
        int8 = plan(BuildRequest(network=name, target=TARGET), network=model, samples=samples)
        assert int8.split.background is not None
        images = samples[0].inputs()
        background, frame = ready_scene_tensors(
            int8.split.background, int8.frame, int8.target.float16_scene
        )
        scene = compiled(
            core().read_model(_saved(background, folder / "background.onnx")), 1, "f32"
        )({value.name: images[value.name] for value in background.graph.input})
        one = {name: scene[name] for name in int8.split.scene} | {"fg_bg": samples[1].fg_bg[None]}
        calls = []
        for count in BATCHES:
            read = core().read_model(_saved(at_batch(frame, count), folder / "frame.onnx"))
            request = compiled(read, 1, "f32").create_infer_request()
            request.infer({name: np.repeat(value, count, 0) for name, value in one.items()})
            calls.append(lambda r=request: r.infer(share_outputs=True))
        medians = median_ms(calls, repeat=5)
        lines.append(
            f"| `{name}` | "
            + " | ".join(f"{ms / n:.2f}" for ms, n in zip(medians, BATCHES, strict=True))
            + " |"
        )
    return lines


def _saved(model: onnx.ModelProto, place: Path) -> Path:
    onnx.save(model, place)
    return place


def main() -> None:
    about = machine()
    with tempfile.TemporaryDirectory(prefix="edge-performance-") as temporary:
        folder = Path(temporary)
        parts = {
            "Limits": roofline(folder),
            "Resolution": resolution(folder),
            "Batch": batches(folder),
        }
    print(f"{about.processor}, {about.cores} cores, {about.libraries}, one thread.")
    for title, lines in parts.items():
        print("\n".join(["", f"### {title}", *lines]))


if __name__ == "__main__":
    main()
