"""torch to ONNX: the contract's uint8 BGR pictures in, mask and depth out, checked on pictures."""

from __future__ import annotations

import json
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
from train.checkpoint import network_of
from train.networks import normalised

OPSET = 20
TOLERANCE = 1e-4
"""The exported graph may differ from torch by this much, on outputs in 0..1."""


class Contract(nn.Module):
    """A network behind the contract: uint8 [N, H, W, 3] BGR in, probabilities and depth out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, bg: Tensor, fg_bg: Tensor) -> tuple[Tensor, Tensor]:
        logits, depth = self.network(normalised(bg), normalised(fg_bg))
        return torch.sigmoid(logits), depth


def _commit() -> str:
    """The commit of the training code, or `unknown` outside a checkout."""
    found = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def to_onnx(network: nn.Module, name: str, height: int, width: int) -> onnx.ModelProto:
    """A network in eval mode as a simplified ONNX graph of static shapes, with its contract."""
    import onnxsim

    stride = int(network.stride)  # type: ignore[arg-type]
    if height % stride or width % stride:
        raise EdgeError(
            f"--imgsz {width}x{height}: sides must be multiples of {stride}, the stride of {name}"
        )
    blank = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Contract(network).eval(),
            (blank, blank.clone()),
            input_names=["bg", "fg_bg"],
            output_names=["mask", "depth"],
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
    described = {**CONTRACT, "name": name, "version": "1", "stride": str(stride)}
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
        pair = {"bg": sample.bg[None], "fg_bg": sample.fg_bg[None]}
        found = session.run(["mask", "depth"], pair)
        with torch.no_grad():
            true = reference(*(torch.from_numpy(image) for image in pair.values()))
        for a, b in zip(found, true, strict=True):
            worst = max(worst, float(np.abs(np.asarray(a) - b.numpy()).max()))
    return worst
