"""Depth labels from a teacher network: an ONNX file that maps one image to inverse depth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image, SampleError


class DepthTeacher:
    """A monocular depth network, run by ONNX Runtime.

    Its one input is float32 [1, 3, H, W], RGB in 0..255 (the graph normalises it); its one output
    is inverse depth, near is large, of unknown scale and shift.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the network.

        Args:
            path: The ONNX file.
            threads: Threads of ONNX Runtime.

        Raises:
            SampleError: The file is missing, cannot be loaded or has another kind of input.
        """
        from edge.runtime.ort import ort

        if not path.is_file():
            raise SampleError(f"no depth teacher at {path}; --depth-teacher takes an ONNX file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no other base class
            reason = str(error).strip().splitlines()[-1]
            raise SampleError(f"--depth-teacher {path} cannot be loaded: {reason}") from error
        source = self._session.get_inputs()[0]
        self._input: str = source.name
        if len(source.shape) != 4 or not all(isinstance(side, int) for side in source.shape):
            raise SampleError(f"{path}: input is {source.shape}, expected a fixed [1, 3, H, W]")
        self._size: tuple[int, int] = (source.shape[3], source.shape[2])

    def __call__(self, image: Image) -> npt.NDArray[np.float32]:
        """Predict inverse depth, float32 [H, W], stretched to 0..1 per image."""
        small = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        rgb = small[..., ::-1].astype(np.float32).transpose(2, 0, 1)[None]
        depth = np.asarray(self._session.run(None, {self._input: rgb})[0]).reshape(self._size[::-1])
        low, high = depth.min(), depth.max()
        stretched = (depth - low) / max(float(high - low), 1e-6)
        height, width = image.shape[:2]
        resized = cv2.resize(
            stretched.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        )
        return np.asarray(resized, np.float32)

    def with_flip(self, image: Image) -> npt.NDArray[np.float32]:
        """Predict with test-time augmentation: the mean over the image and its mirror image."""
        mirrored = self(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
        return np.asarray((self(image) + mirrored) / 2, np.float32)
