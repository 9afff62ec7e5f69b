"""The hook for a classifier of your own: it names what a crop shows."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import EdgeError, UsageError
from edge.samples.sample import Image

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
"""Of ImageNet, in RGB: what exported classifiers expect."""
SIDE = 224
"""Side of the image of a classifier that takes any."""


class OnnxClassifier:
    """An image classifier of one file.

    Its input is one image: float32 [1, 3, H, W] in RGB, normalized by the mean and the deviation of
    ImageNet; or uint8 [1, 3, H, W] or [1, H, W, 3] in RGB as it is, for a model that does the rest
    itself. Its first output has a score for each class. Names of the classes are those of the
    metadata `names` (a list or a dictionary by number), else lines of a text file beside the model,
    else numbers.

    Args:
        path: the model, .onnx.

    Raises:
        EdgeError: it cannot be loaded.
        UsageError: its input or output is another one.
    """

    def __init__(self, path: Path) -> None:
        from edge.runtime.ort import ort

        if not path.is_file():
            raise EdgeError(f"cannot read {path}: no such file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise EdgeError(f"{path} is no model that ONNX Runtime loads: {error}") from error
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape)
        self._bytes = inputs[0].type == "tensor(uint8)"
        self._last = len(shape) == 4 and shape[3] == 3
        sides = shape[1:3] if self._last else shape[2:4]
        fitting = len(shape) == 4 and shape[3 if self._last else 1] == 3
        if (
            len(inputs) != 1
            or not fitting
            or (not self._bytes and inputs[0].type != "tensor(float)")
        ):
            raise UsageError(
                f"{path}: input {inputs[0].type} {shape}, expected one image: float32 [1, 3, H, W],"
                " or uint8",
                "docs/watch.md says what a classifier is given",
            )
        self._size = tuple(side if isinstance(side, int) else SIDE for side in sides)
        self._input = inputs[0].name
        self._names = _names(path, self._session.get_modelmeta().custom_metadata_map)
        try:
            scores = self._scores(np.zeros((8, 8, 3), np.uint8))
        except Exception as error:
            raise UsageError(f"{path} does not run on one image: {error}") from error
        if self._names and len(self._names) != len(scores):
            raise UsageError(
                f"{path} gives {len(scores)} scores and has {len(self._names)} names of classes"
            )

    def __call__(self, crop: Image) -> tuple[str, float]:
        """Name what a crop, uint8 [h, w, 3] BGR, shows, with its score 0..1."""
        scores = self._scores(crop)
        if scores.min() < 0 or abs(float(scores.sum()) - 1) > 0.01:  # no probabilities yet
            powers = np.exp(scores - scores.max())
            scores = powers / powers.sum()
        best = int(scores.argmax())
        return (self._names[best] if self._names else str(best)), float(scores[best])

    def _scores(self, crop: Image) -> npt.NDArray[np.float64]:
        height, width = self._size
        small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)[..., ::-1]
        image = small if self._bytes else (small.astype(np.float32) / 255 - MEAN) / DEVIATION
        batch = np.ascontiguousarray(image if self._last else image.transpose(2, 0, 1))[None]
        return np.asarray(self._session.run(None, {self._input: batch})[0], np.float64).ravel()


def _names(path: Path, metadata: dict[str, str]) -> list[str]:
    text = metadata.get("names")
    if text is None:
        beside = path.with_suffix(".txt")
        return beside.read_text().splitlines() if beside.is_file() else []
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = None
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value, key=int)]
    if not isinstance(value, list):
        raise UsageError(f"{path}: metadata `names` is no list and no dictionary of classes")
    return [str(name) for name in value]
