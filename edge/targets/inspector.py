"""What runs in int8 in a plan of TensorRT, by TensorRT's own engine inspector.

The inspector lists the layers of the engine, which are fused from those of the graph, and names the
graph's in each: "[ONNX Layer: stem] ..." under `Metadata`, or "stem + relu" as `Name`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from edge.runtime.backends.tensorrt import logger

_PARTS = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
_FUSED = re.compile(r" \+ | \|\| |_myl\d+_\d+$")
WEIGHTED = {"Conv", "ConvTranspose"}
COPIES = {"reformat", "noop", "constant", "shuffle"}
"""Kinds of layers that are named after another layer and compute nothing of it."""


def inspected_layers(graph: Path, plan: bytes, trt: ModuleType) -> tuple[int, int] | None:
    """Count the layers of a graph in its plan.

    Args:
        graph: The ONNX file that the plan was built from.
        plan: The plan, built on this machine with detailed profiling verbosity.
        trt: TensorRT.

    Returns:
        (layers with weights, those whose data and weights are int8 in the engine); None where the
        engine does not say so of every layer.
    """
    engine = trt.Runtime(logger(trt)).deserialize_cuda_engine(plan)
    if engine is None:
        return None
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    nodes = onnx.load(graph, load_external_data=False).graph.node
    return count_layers(text, [node.name for node in nodes if node.op_type in WEIGHTED])


def count_layers(listing: str, names: Sequence[str]) -> tuple[int, int] | None:
    """Count in the inspector's JSON the layers of these names, as `inspected_layers`."""
    try:
        layers = [layer for layer in json.loads(listing)["Layers"] if isinstance(layer, dict)]
    except (ValueError, KeyError, TypeError):
        return None
    computing = [layer for layer in layers if _kind(layer) not in COPIES]
    int8 = 0
    for name in names:
        found = [layer for layer in computing if name in _names(layer)]
        if not found:
            return None
        int8 += any(_is_int8(layer) for layer in found)
    return len(names), int8


def _kind(layer: dict[str, Any]) -> str:
    return str(layer.get("LayerType", "")).lower()


def _names(layer: dict[str, Any]) -> set[str]:
    """The graph's layers that a layer of the engine was made from."""
    return {
        *_PARTS.findall(str(layer.get("Metadata", ""))),
        *_FUSED.split(str(layer.get("Name", ""))),
    }


def _is_int8(layer: dict[str, Any]) -> bool:
    """Whether data and weights are int8.

    The older kind of layer tells the type of its weights; the newer reads them as a second input.
    """
    inputs = [str(each.get("Format/Datatype", "")) for each in layer.get("Inputs", ())]
    weights = layer.get("Weights")
    types = [*inputs[:1], str(weights.get("Type", ""))] if isinstance(weights, dict) else inputs[:2]
    return len(types) == 2 and all("int8" in kind.lower() for kind in types)
