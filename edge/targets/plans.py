"""Plans of TensorRT and TensorRT-RTX: one builder, because the precision stands in the graph.

Both take a strongly typed network, as TensorRT 10.3 (JetPack 6) to 11 and TensorRT-RTX do.
TensorRT-RTX builds without a GPU for the generations that are named; TensorRT builds for the GPU of
this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from edge.errors import EdgeError
from edge.graph.trt_ready import trt_ready
from edge.runtime.backends.tensorrt import load, logger
from edge.runtime.cuda import FREE_MEMORY, is_out_of_memory
from edge.targets.target import BACKGROUND, FRAME, Engine, Target
from edge.targets.timings import keep_timings, timings_file, use_timings


def make_plans(
    target: Target, module: str, folder: Path, sms: Sequence[int], timings: bool = False
) -> Engine:
    """Write the plans of both graphs; without the builder only check the graphs.

    timings: keep TensorRT's timing cache beside `folder` (TensorRT-RTX times nothing).

    Raises:
        EdgeError: The builder refuses a graph; the message has its reasons.
    """
    graphs = checked_graphs(target, folder)
    if not target.installed():
        return Engine("", "", (FRAME,), "")
    plans = [graph.with_suffix(".engine") for graph in graphs]
    trt = load(module)
    kept = timings_file(folder, trt) if timings else None
    for graph, plan in zip(graphs, plans, strict=True):
        plan.write_bytes(build_plan(graph, module, sms, kept))
    frame, background = [plan.name for plan in plans] + [""] * (2 - len(plans))
    return Engine(frame, background, (frame,), str(trt.__version__))


def checked_graphs(target: Target, folder: Path) -> list[Path]:
    """The graphs in a folder; EdgeError where TensorRT would refuse one."""
    graphs = [folder / name for name in (FRAME, BACKGROUND) if (folder / name).exists()]
    for graph in graphs:
        if reasons := trt_ready(onnx.load(graph)):
            raise EdgeError(f"{target.name} would refuse {graph.name}: {'; '.join(reasons[:3])}")
    return graphs


def build_plan(
    onnx_file: Path,
    module: str,
    sms: Sequence[int] = (),
    timings: Path | None = None,
    batch: tuple[int, int] | None = None,
) -> bytes:
    """Build the plan of one graph.

    Args:
        onnx_file: The graph.
        module: "tensorrt" or "tensorrt_rtx".
        sms: Compute capabilities of a TensorRT-RTX plan, 86 for 8.6; empty is the GPU of this
            machine (TensorRT), or every one that TensorRT-RTX supports.
        timings: File of the timing cache (edge.targets.timings), read before and kept after.
        batch: The batch that a graph of any batch (edge.graph.open_batch) is tuned for, and the
            largest; None for a graph of a fixed one.

    Raises:
        EdgeError: The builder cannot build it; the message has the builder's own words.
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
    if batch is not None:
        profile = builder.create_optimization_profile()
        for index in range(network.num_inputs):
            value = network.get_input(index)
            sides = tuple(value.shape)[1:]
            profile.set_shape(value.name, *((many, *sides) for many in (1, *batch)))
        config.add_optimization_profile(profile)
    cache = None if timings is None else use_timings(config, timings, log)
    log.said.clear()
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        why = "; ".join(log.said) or "it gave no reason"
        message = f"{module} {trt.__version__} cannot build {onnx_file.name}: {why}"
        raise EdgeError(message, FREE_MEMORY if is_out_of_memory(why) else "")
    if timings is not None:
        keep_timings(config, timings)
    del cache  # TensorRT asks for it until here
    return bytes(plan)
