"""A torch network behind the contract of an ONNX file, and how far the two are apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from edge.runtime.ort import ort  # before onnxsim, which imports ONNX Runtime with its reporter
from edge.train.networks import normalised
from edge.train.networks.variant import Variant


class Contract(nn.Module):
    """A network with the contract's inputs, uint8 [N, H, W, 3] BGR, and outputs, mask probability
    and depth.

    Attributes:
        inputs: Names of the inputs that the network's variant has.
        outputs: Names of its outputs.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        variant = network.variant
        assert isinstance(variant, Variant)
        seen = {"bg": variant.sees_bg, "spread": variant.sees_spread, "fg_bg": True}
        self.inputs = tuple(name for name in seen if seen[name])
        given = {"mask": variant.gives_mask, "depth": variant.gives_depth}
        self.outputs = tuple(name for name in given if given[name])

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs from the images that `inputs` names, in that order."""
        named = {n: normalised(image) for n, image in zip(self.inputs, images, strict=True)}
        frame = named["fg_bg"]
        logits, depth = self.network(named.get("bg", frame), frame, named.get("spread"))
        outputs = (None if logits is None else torch.sigmoid(logits), depth)
        return tuple(output for output in outputs if output is not None)


def largest_difference(
    model: onnx.ModelProto,
    network: nn.Module,
    pairs: Iterable[Mapping[str, npt.NDArray[np.uint8]]],
) -> float:
    """Largest difference between an ONNX graph (in ONNX Runtime) and torch.

    Args:
        model: The graph.
        network: In evaluation mode.
        pairs: bg, fg_bg and spread each, uint8 [1, H, W, 3] at the graph's size.

    Returns:
        The largest absolute difference of outputs in 0..1; nan where one of both gives nan.
    """
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    reference = Contract(network).eval()
    largest = [0.0]
    for pair in pairs:
        images = {name: pair[name] for name in reference.inputs}
        exported = session.run(list(reference.outputs), images)
        with torch.no_grad():
            expected = reference(*(torch.from_numpy(image) for image in images.values()))
        for a, b in zip(exported, expected, strict=True):
            largest.append(np.abs(np.asarray(a) - b.numpy()).max())
    return float(np.max(largest))  # Python's max would pass over nan
