"""Networks read back from the ONNX files that `edge export` wrote, the bundled ones among them.

The graph's nodes have the paths of torch's modules as names, so their initializers are the weights.
BatchNorm that the export folded becomes the identity (train/folding.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edge.bundled import names as bundled_names
from edge.errors import EdgeError
from edge.graph.metadata import CONTRACT
from edge.graph.onnx_file import read_onnx
from edge.graph.resize import image_size
from edge.train.contract import largest_difference
from edge.train.folding import identity, normalised_layers
from edge.train.networks import create, with_weights
from edge.train.networks.variant import Variant

TOLERANCE = 1e-4
"""Largest allowed difference of outputs in 0..1 between the file and the network read from it."""


def load_exported(path: Path) -> dict[str, Any]:
    """Read an ONNX file as a checkpoint, and check that torch computes what the file does.

    Args:
        path: Written by `edge export`.

    Returns:
        As of a best.pt: network, variant, weights, recipe, scores, scene_kept.

    Raises:
        EdgeError: It is no ONNX network, `edge export` did not write it, or it was changed after.
    """
    model = read_onnx(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    name = metadata.get("name", "")
    if metadata.get("contract") != CONTRACT["contract"] or "training" not in metadata:
        raise _foreign(path, "its metadata do not say how it was trained")
    try:
        variant = _variant(model.graph)
        state = {
            "network": name,
            "variant": asdict(variant),
            "weights": _weights(_network(name, variant, model.graph), model.graph),
            "recipe": dict(json.loads(metadata["training"]).items()),
            "scores": json.loads(metadata.get("metrics", "{}")),
        }
        # Files of earlier versions do not say whether the depth of the scene is frozen.
        kept = metadata.get("scene_kept") or json.dumps(bool(state["recipe"].get("scene")))
        state["scene_kept"] = kept == "true"
        network = with_weights(name, state["weights"], variant).eval()
        difference = largest_difference(model, network, [_noise(model)])
    except EdgeError:
        raise
    except Exception as error:  # a file may hold anything; ONNX Runtime's errors share no base
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise _foreign(path, f"it does not hold {name!r} ({reason})") from error
    if not difference <= TOLERANCE:
        raise _foreign(path, f"{name} with its weights gives results {difference:.1e} apart")
    return state


def _foreign(path: Path, reason: str) -> EdgeError:
    return EdgeError(
        f"{path} is not as `edge export` writes it: {reason}",
        f"give a bundled network ({', '.join(bundled_names())}), an ONNX file of `edge export`, or"
        " the best.pt of `edge train`",
    )


def _variant(graph: onnx.GraphProto) -> Variant:
    """The variant with the inputs and outputs of a graph."""
    inputs = {value.name for value in graph.input}
    outputs = {value.name for value in graph.output}
    known = {1: {"fg_bg"}, 2: {"bg", "fg_bg"}, 3: {"bg", "fg_bg", "spread"}}
    if inputs != known.get(len(inputs)) or not outputs <= {"mask", "depth"}:
        raise ValueError(f"inputs {', '.join(inputs)} and outputs {', '.join(outputs)}")
    return Variant(
        {1: "fg_bg", 2: "both", 3: "spread"}[len(inputs)],
        "both" if len(outputs) == 2 else outputs.pop(),
    )


def _network(name: str, variant: Variant, graph: onnx.GraphProto) -> nn.Module:
    """A network with the layers of a graph and fresh weights."""
    return create(name, variant)


def _noise(model: onnx.ModelProto) -> dict[str, np.ndarray[Any, np.dtype[np.uint8]]]:
    """bg, fg_bg and spread of noise, uint8 [1, H, W, 3], at the size of a graph."""
    draw = np.random.default_rng(0)
    shape = (1, *image_size(model), 3)
    return {name: draw.integers(0, 256, shape, np.uint8) for name in ("bg", "fg_bg", "spread")}


def _weights(network: nn.Module, graph: onnx.GraphProto) -> dict[str, Tensor]:
    """The state dict of a network whose export is a graph.

    Raises:
        ValueError: A layer is missing, or its weights are not in the graph as float32.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = {node.name: node for node in graph.node}

    def read(path: str) -> list[Tensor]:
        node = nodes.get(path)
        if node is None:
            raise ValueError(f"no layer {path}")
        found = [tensors.get(name) for name in node.input[1:] if name]
        if not found or any(t is None or t.data_type != t.FLOAT for t in found):
            raise ValueError(f"{path} has no float32 weights")
        return [torch.from_numpy(numpy_helper.to_array(t).copy()) for t in found if t is not None]

    state: dict[str, Tensor] = dict(network.state_dict())
    norms = dict(normalised_layers(network))
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight, *biases = read(path)
            outputs = len(weight) if isinstance(module, nn.Conv2d) else weight.shape[1]
            channels = outputs * (1 if isinstance(module, nn.Conv2d) else module.groups)
            bias = biases[0] if biases else torch.zeros(channels)
            state[f"{path}.weight"] = weight
            if module.bias is not None:
                state[f"{path}.bias"] = bias
            elif path in norms:
                norm = norms[path]
                state |= identity(norm, network.get_submodule(norm), bias)
            elif bias.any():
                raise ValueError(f"{path} has a bias")
        elif isinstance(module, nn.BatchNorm2d) and path not in norms.values():
            if path in nodes:  # before a layer, where nothing can hold it
                parts = ("weight", "bias", "running_mean", "running_var")
                state |= {f"{path}.{p}": t for p, t in zip(parts, read(path), strict=True)}
            else:  # in the layer before it, which has a bias
                state |= identity(path, module, torch.zeros(module.num_features))
    return state
