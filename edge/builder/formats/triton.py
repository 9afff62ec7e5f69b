"""A model repository of NVIDIA's Triton Inference Server.

NAME/config.pbtxt, NAME/1/model.onnx or model.plan    the frame graph, many cameras in one batch
NAME-background/...                                   the background graph, once per scene

Every request brings the scene tensors of its camera, which the client got from the background
model, so that any requests can be put into one batch.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from edge.builder.formats.format import MARK, Format, check_folder, register, write_folder
from edge.errors import EdgeError, UsageError
from edge.graph.open_batch import with_open_batch
from edge.manifest import Manifest, Tensor
from edge.targets import BACKGROUND, FRAME, get
from edge.targets.plans import build_plan

CONFIG = "config.pbtxt"
MAX_BATCH = 32
"""Cameras in one batch at most; what a request waits for grows with it, the gain does not."""
TUNED_BATCH = 8
"""The batch that a plan is tuned for."""
TYPES = {
    "bool": "TYPE_BOOL", "uint8": "TYPE_UINT8", "int8": "TYPE_INT8", "int32": "TYPE_INT32",
    "int64": "TYPE_INT64", "float16": "TYPE_FP16", "float32": "TYPE_FP32", "float64": "TYPE_FP64",
}  # fmt: skip
BACKENDS = {"onnxruntime": ("onnxruntime", "model.onnx"), "tensorrt": ("tensorrt", "model.plan")}
"""Triton's backend for a target, and the name of its file."""
SAME = 1e-4
"""Mean difference of masks and depths in a batch from those alone that is rounding."""


def write_repository(build: Path, manifest: Manifest, repository: Path) -> list[str]:
    """Write the models of a build into a repository; other models in it stay."""
    frame, name, device = _batched(build / FRAME), manifest.name, _device(manifest)
    inputs = [*manifest.inputs, *manifest.scene]
    settings = ["dynamic_batching { }", *device]
    models = [(name, frame, MAX_BATCH, inputs, manifest.outputs, settings)]
    if manifest.scene:
        graph, images = onnx.load(build / BACKGROUND), [*manifest.background_inputs]
        models.insert(0, (f"{name}-background", graph, 0, images, manifest.scene, device))
    for model, *_ in models:  # both are written, or none
        check_folder(repository / model, CONFIG)
    backend, file = BACKENDS[manifest.target]
    for model, graph, batch, given, results, settings in models:
        config = _config(model, backend, batch, given, results, settings)
        data = graph.SerializeToString()
        if backend == "tensorrt":
            data = _plan(graph, (TUNED_BATCH, MAX_BATCH) if batch else None)
        write_folder(repository / model, CONFIG, {CONFIG: config.encode(), f"1/{file}": data})
    return [f"tritonserver --model-repository={shlex.quote(str(repository))}"]


def check_repository(repository: Path) -> None:
    """UsageError where the folder holds something, and no model."""
    if any(repository.glob("*")) and not any(repository.glob(f"*/{CONFIG}")):
        raise UsageError(
            f"{repository} holds files and no model of a repository",
            "give a new folder or a model repository as --out",
        )


def _plan(graph: onnx.ModelProto, batch: tuple[int, int] | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(graph, Path(folder) / FRAME)
        return build_plan(Path(folder) / FRAME, "tensorrt", batch=batch)


def _device(manifest: Manifest) -> list[str]:
    """Int8 for a CPU is no int8 on a GPU."""
    on_cpu = get(manifest.target).device == "cpu" and manifest.precision == "int8"
    return ["instance_group [ { kind: KIND_CPU } ]"] if on_cpu else []


def _config(
    name: str,
    backend: str,
    batch: int,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    settings: Iterable[str],
) -> str:
    """A model's config.pbtxt, the text form of Triton's ModelConfig.

    batch: the largest, which is then no side of the tensors; 0 for tensors as they are.
    """

    def tensor(t: Tensor) -> str:
        sides = t.shape[1:] if batch else t.shape
        # Triton has no dims without a side.
        dims = f"dims: {list(sides)}" if sides else "dims: [1] reshape { shape: [] }"
        return f'  {{ name: "{_quoted(t.name)}" data_type: {TYPES[t.dtype]} {dims} }}'

    def tensors(kind: str, values: Sequence[Tensor]) -> list[str]:
        return [f"{kind} [", ",\n".join(map(tensor, values)), "]"]

    lines = [
        MARK,
        f'name: "{_quoted(name)}"',
        f'backend: "{backend}"',
        f"max_batch_size: {batch}",
        *tensors("input", inputs),
        *tensors("output", outputs),
        *settings,
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _batched(file: Path) -> onnx.ModelProto:
    """The frame graph for any batch; EdgeError where an entry of a batch changes another."""
    frame = onnx.load(file)
    try:
        batched = with_open_batch(frame)
        _check(frame, batched)
    except EdgeError as error:
        raise EdgeError(
            f"frames of several cameras do not fit into one batch: {error.message}", error.hint
        ) from error
    return batched


def _check(frame: onnx.ModelProto, batched: onnx.ModelProto) -> None:
    """EdgeError where a batch of two noises differs from each alone."""
    cpu = get("onnxruntime")
    one, two = cpu.session(frame), cpu.session(batched)
    assert one is not None and two is not None
    rng = np.random.default_rng(0)
    feeds = [{v.name: _noise(v, rng) for v in frame.graph.input} for _ in range(2)]
    names = [value.name for value in frame.graph.output]
    alone = [one(names, feed) for feed in feeds]
    both = two(names, {k: np.concatenate([feed[k] for feed in feeds]) for k in feeds[0]})
    for index, name in enumerate(names):
        true = np.concatenate([result[index] for result in alone]).astype(np.float32)
        white = 255 if both[index].dtype == np.uint8 else 1
        difference = float(np.abs(both[index].astype(np.float32) - true).mean()) / white
        if not difference <= SAME:
            raise EdgeError(
                f"{name} in a batch differs by {difference:.2g} on average from the frame alone"
            )


def _noise(value: onnx.ValueInfoProto, rng: np.random.Generator) -> npt.NDArray[Any]:
    kind = value.type.tensor_type
    sides = [side.dim_value for side in kind.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if dtype == np.uint8:
        return rng.integers(0, 256, sides, np.uint8)
    return rng.normal(0, 1, sides).astype(dtype)


register(Format("triton", ("tensorrt", "onnxruntime"), write_repository, check_repository))
