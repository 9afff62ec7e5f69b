"""Export from torch to ONNX with the contract's inputs and outputs, checked on samples."""

from __future__ import annotations

import ast
import copy
import json
import logging
import subprocess
import warnings
from collections import Counter
from pathlib import Path

import onnx
import torch
from torch import nn

from edge.errors import EdgeError
from edge.graph.metadata import CONTRACT
from edge.samples.sample import Sample
from edge.train.checkpoint import network_of
from edge.train.contract import Contract, largest_difference
from edge.train.folding import fold_batchnorm
from edge.train.networks import check_size
from edge.train.networks.scene import kept_scenes

OPSET = 20
WEIGHT = ".weight"
TOLERANCE = 1e-4
"""Largest allowed difference between the exported graph and torch, on outputs in 0..1."""


def _commit() -> str:
    """The commit of the training code, or `unknown` outside its checkout."""
    root = Path(__file__).resolve().parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--show-toplevel", "--short", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    except OSError:  # no git
        return "unknown"
    # An installed package may lie in another project's checkout.
    return answer[-1] if len(answer) == 2 and Path(answer[0]) == root else "unknown"


def to_onnx(network: nn.Module, name: str, height: int, width: int) -> onnx.ModelProto:
    """Export a network as a simplified ONNX graph of static shapes, with its contract.

    Args:
        network: In evaluation mode.
        name: Its name in the metadata.
        height: Of the images in pixels.
        width: Of the images in pixels.

    Raises:
        UsageError: The network does not work at that size.
        EdgeError: torch or onnxsim failed.
    """
    import onnxsim

    check_size(network, name, height, width)
    # The simplifier would fold as well, but torch takes most of its time for each node it traces.
    contract = Contract(fold_batchnorm(copy.deepcopy(network))).eval()
    blanks = tuple(torch.zeros(1, height, width, 3, dtype=torch.uint8) for _ in contract.inputs)
    # torch warns of every operator of torchvision, which no network here needs.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            contract,
            blanks,
            input_names=list(contract.inputs),
            output_names=list(contract.outputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise EdgeError("torch.onnx.export returned no ONNX program")
    model, equal = onnxsim.simplify(program.model_proto)
    if not equal:
        raise EdgeError(
            "onnxsim changed the network's outputs",
            "install the versions of constraints.txt: pip install -c constraints.txt '.[train]'",
        )
    _name_by_module(model, program.model_proto)
    del model.metadata_props[:]
    images = f"{', '.join(contract.inputs)}: uint8 [N, H, W, 3]"
    metadata = {
        **CONTRACT,
        "inputs": images,
        "name": name,
        "version": "1",
        "stride": str(network.stride),
    }
    onnx.helper.set_model_props(model, metadata)
    return model


def _name_by_module(model: onnx.ModelProto, exported: onnx.ModelProto) -> None:
    """Name the nodes of a simplified graph after torch's modules: `encoder.levels.0.0` for a layer
    with weights, `encoder.levels.0.2.relu` for what a module computes without. A module that is
    called again has `_2`.

    Args:
        model: Changed in place.
        exported: The graph as torch exported it, which knows the modules.
    """
    paths: dict[str, str] = {}
    for node in exported.graph.node:
        scopes = [p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        path = ast.literal_eval(scopes[0])[-2] if scopes else ""
        path = ".".join(filter(None, (path, node.op_type.lower())))
        if len(node.input) > 1 and node.input[1].endswith(WEIGHT):
            path = node.input[1].removesuffix(WEIGHT)
        elif node.op_type == "BatchNormalization":  # the simplifier merges it into its layer
            path = paths.get(node.input[0], path)
        paths |= dict.fromkeys(node.output, path.removeprefix("network."))
    for node in model.graph.node:
        node.name = paths.get(node.output[0], node.op_type.lower())
    seen: Counter[str] = Counter()
    for node in model.graph.node:
        seen[node.name] += 1
        if seen[node.name] > 1:
            node.name = f"{node.name}_{seen[node.name]}"


def export(checkpoint: Path, height: int, width: int) -> onnx.ModelProto:
    """Export the network of a checkpoint, with its training and scores as metadata.

    Args:
        checkpoint: A best.pt, or what else `edge.train.checkpoint.load` reads.
        height: Of the images in pixels.
        width: Of the images in pixels.

    Raises:
        EdgeError: As of `network_of` and `to_onnx`.
    """
    network, state = network_of(checkpoint)
    model = to_onnx(network, state["network"], height, width)
    origin = {
        "git_commit": _commit(),
        "training": json.dumps(state["recipe"]),
        "metrics": json.dumps(state["scores"]),
        "scene_kept": json.dumps(bool(kept_scenes(network))),
    }
    for key, value in origin.items():
        model.metadata_props.add(key=key, value=value)
    return model


def difference(model: onnx.ModelProto, checkpoint: Path, samples: list[Sample]) -> float:
    """Largest difference between an ONNX graph (in ONNX Runtime) and torch.

    Args:
        model: The exported graph.
        checkpoint: The best.pt that it was exported from.
        samples: At the graph's size.

    Returns:
        The largest absolute difference of outputs in 0..1.
    """
    network, _ = network_of(checkpoint)
    return largest_difference(model, network, (sample.inputs() for sample in samples))
