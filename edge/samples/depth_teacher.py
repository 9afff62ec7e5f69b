"""Depth labels from another network: an ONNX file that takes one picture, gives inverse depth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image, SampleError


class DepthTeacher:
    """A single-picture depth network run by ONNX Runtime.

    The file's one input is float32 [1, 3, H, W], RGB in 0..255 (its normalisation inside the
    graph), its one output inverse depth, near is large, scale and shift unknown.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime

        if not path.is_file():
            raise SampleError(f"no depth teacher at {path}; --depth-teacher takes an ONNX file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own have no other base
            reason = str(error).strip().splitlines()[-1]
            raise SampleError(f"--depth-teacher {path} cannot be loaded: {reason}") from error
        source = self._session.get_inputs()[0]
        self._input: str = source.name
        if len(source.shape) != 4 or not all(isinstance(side, int) for side in source.shape):
            raise SampleError(f"{path}: input is {source.shape}, expected a fixed [1, 3, H, W]")
        self._size: tuple[int, int] = (source.shape[3], source.shape[2])

    def __call__(self, picture: Image) -> npt.NDArray[np.float32]:
        """uint8 [H, W, 3] BGR to float32 [H, W] in 0..1: inverse depth, stretched per picture."""
        small = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        rgb = small[..., ::-1].astype(np.float32).transpose(2, 0, 1)[None]
        depth = np.asarray(self._session.run(None, {self._input: rgb})[0]).reshape(self._size[::-1])
        low, high = depth.min(), depth.max()
        stretched = (depth - low) / max(float(high - low), 1e-6)
        height, width = picture.shape[:2]
        resized = cv2.resize(
            stretched.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        )
        return np.asarray(resized, np.float32)

    def both_ways(self, picture: Image) -> npt.NDArray[np.float32]:
        """The mean of a look at the picture and one at its mirror image, which errs elsewhere."""
        mirrored = self(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
        return np.asarray((self(picture) + mirrored) / 2, np.float32)
