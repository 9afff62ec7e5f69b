"""torch to ONNX: the contract's uint8 BGR pictures in, mask and depth out, checked on pictures."""

from __future__ import annotations

import json
import logging
import subprocess
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from edge.errors import EdgeError
from edge.graph.metadata import CONTRACT
from edge.samples.sample import Sample
from edge.train.checkpoint import network_of
from edge.train.networks import check_size, normalised
from edge.train.networks.variant import Variant

OPSET = 20
TOLERANCE = 1e-4
"""The exported graph may differ from torch by this much, on outputs in 0..1."""


class Contract(nn.Module):
    """A network behind the contract: uint8 [N, H, W, 3] BGR in, probabilities and depth out.

    inputs, outputs: their names; those that the network's variant does not have are left out.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        variant = network.variant
        assert isinstance(variant, Variant)
        self.inputs = ("bg", "fg_bg") if variant.sees_bg else ("fg_bg",)
        given = {"mask": variant.gives_mask, "depth": variant.gives_depth}
        self.outputs = tuple(name for name, there in given.items() if there)

    def forward(self, *pictures: Tensor) -> tuple[Tensor, ...]:
        """The pictures that `inputs` names, in that order."""
        logits, depth = self.network(normalised(pictures[0]), normalised(pictures[-1]))
        answers = (None if logits is None else torch.sigmoid(logits), depth)
        return tuple(answer for answer in answers if answer is not None)


def _commit() -> str:
    """The commit of the training code, or `unknown` outside its checkout."""
    root = Path(__file__).resolve().parents[1]
    words = ["git", "-C", str(root), "rev-parse", "--show-toplevel", "--short", "HEAD"]
    try:
        found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    except OSError:  # no git
        return "unknown"
    # Installed, it may lie in somebody else's checkout.
    return found[-1] if len(found) == 2 and Path(found[0]) == root else "unknown"


def to_onnx(network: nn.Module, name: str, height: int, width: int) -> onnx.ModelProto:
    """A network in eval mode as a simplified ONNX graph of static shapes, with its contract."""
    import onnxsim

    check_size(network, name, height, width)
    contract = Contract(network).eval()
    blanks = tuple(torch.zeros(1, height, width, 3, dtype=torch.uint8) for _ in contract.inputs)
    # torch warns of every operator that comes with torchvision, which no network here needs.
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
        raise EdgeError("torch gave no ONNX program")
    model, sound = onnxsim.simplify(program.model_proto)
    if not sound:
        raise EdgeError("onnxsim changed what the network computes; its version is in pip list")
    del model.metadata_props[:]
    described = {**CONTRACT, "name": name, "version": "1", "stride": str(network.stride)}
    onnx.helper.set_model_props(model, described)
    return model


def export(checkpoint: Path, height: int, width: int) -> onnx.ModelProto:
    """The checkpoint's network as ONNX, with what is known of its training as metadata."""
    network, state = network_of(checkpoint)
    model = to_onnx(network, state["network"], height, width)
    known = {
        "git_commit": _commit(),
        "training": json.dumps(state["recipe"]),
        "metrics": json.dumps(state["scores"]),
    }
    for key, value in known.items():
        model.metadata_props.add(key=key, value=value)
    return model


def difference(model: onnx.ModelProto, checkpoint: Path, samples: list[Sample]) -> float:
    """Largest difference between the ONNX graph (ONNX Runtime) and torch on the samples.

    The samples must have the graph's size. Both outputs are in 0..1.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    network, _ = network_of(checkpoint)
    reference = Contract(network).eval()
    worst = 0.0
    for sample in samples:
        pictures = {name: getattr(sample, name)[None] for name in reference.inputs}
        found = session.run(list(reference.outputs), pictures)
        with torch.no_grad():
            true = reference(*(torch.from_numpy(image) for image in pictures.values()))
        for a, b in zip(found, true, strict=True):
            worst = max(worst, float(np.abs(np.asarray(a) - b.numpy()).max()))
    return worst
