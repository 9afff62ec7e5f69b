"""Plans for TensorRT and TensorRT-RTX: one builder, because the precision stands in the graph.

Both are given a strongly typed network, which TensorRT 10.3 (JetPack 6) to 11 and TensorRT-RTX all
take. TensorRT-RTX builds without a GPU for the generations that it is told; TensorRT builds for
the GPU that it finds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import onnx

from edge.errors import EdgeError
from edge.graph.trt_ready import trt_ready
from edge.runtime.tensorrt import load, logger
from edge.targets.engine import BACKGROUND, FRAME, Engine
from edge.targets.table import Target, installed


def make(folder: Path, target: Target, precision: str, sm: Sequence[int]) -> Engine:
    """Plans of both graphs; where the builder is not installed, the graphs as it is to get them."""
    graphs = [folder / name for name in (FRAME, BACKGROUND) if (folder / name).exists()]
    for graph in graphs:
        if reasons := trt_ready(onnx.load(graph)):
            raise EdgeError(f"{target.name} would refuse {graph.name}: {'; '.join(reasons[:3])}")
    if not installed(target):
        return Engine("", "", (FRAME,), "")
    plans = [graph.with_suffix(".engine") for graph in graphs]
    for graph, plan in zip(graphs, plans, strict=True):
        plan.write_bytes(build_plan(graph, target.module, sm))
    counts: tuple[int | None, int | None] = (None, None)
    if target.name == "tensorrt-rtx":
        counts = count_layers(plans[0].read_bytes())
    frame, background = [plan.name for plan in plans] + [""] * (2 - len(plans))
    version = str(load(target.module).__version__)
    return Engine(frame, background, (frame,), version, {}, *counts)


def build_plan(onnx_file: Path, module: str, sms: Sequence[int] = ()) -> bytes:
    """The plan of one graph.

    module: "tensorrt" or "tensorrt_rtx". sms: compute capabilities, as in 86 for 8.6, that a
    TensorRT-RTX plan is for; empty is the GPU of this machine (TensorRT) or any that
    TensorRT-RTX supports. EdgeError holds the builder's own words.
    """
    trt = load(module)
    log = logger(trt)
    try:
        builder = trt.Builder(log)
    except TypeError as error:  # the bindings' word for "there is none"
        why = "; ".join(log.said) or "is there a GPU and its driver?"
        raise EdgeError(f"{module} {trt.__version__} cannot build here: {why}") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx_file)):
        reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise EdgeError(f"{module} cannot read {onnx_file.name}: {'; '.join(reasons)}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 28)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if sms:
        config.num_compute_capabilities = len(sms)
        for index, sm in enumerate(sms):
            config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{sm}"), index)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EdgeError(
            f"{module} {trt.__version__} cannot build {onnx_file.name}:"
            f" {'; '.join(log.said) or 'it gave no reason'}"
        )
    return bytes(plan)


_TENSOR = re.compile(rb'tensor=\{ [^\n]*?name="([^"]+)"[^\n]*? type=(\w+) \}')
_LAYER = re.compile(
    rb'\n\s+(\w+)=\{ name="?([^" ]+)"? (?:fqn=\S+ )?output=\{([^}]*)\} input=\{([^}]*)\}'
)
_NAMES = re.compile(rb'"([^"]+)"|([^\s",]+)')
WEIGHTED = {b"corrltn", b"deconvolution"}
"""TensorRT-RTX's words for Conv and ConvTranspose."""


def layers_of(plan: bytes) -> dict[str, tuple[str, ...]]:
    """Each weight-carrying layer of a TensorRT-RTX plan with the types of what it reads.

    A plan embeds a readable listing of its kernels. NVIDIA does not document it: this is evidence
    for a report and a test, nothing that the runtime relies on.
    """
    types = {name: kind.decode() for name, kind in _TENSOR.findall(plan)}
    found = {}
    for kind, name, _, reads in _LAYER.findall(plan):
        if kind in WEIGHTED:
            names = [a or b for a, b in _NAMES.findall(reads)]
            found[name.decode()] = tuple(types[n] for n in names if n in types)
    return found


def count_layers(plan: bytes) -> tuple[int, int]:
    """(layers with weights, those whose data and weights are both int8) of an RTX plan."""
    layers = layers_of(plan)
    return len(layers), sum(kinds[:2] == ("int8", "int8") for kinds in layers.values())
