"""Depth labels from a teacher network: an ONNX file that maps one image to depth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

USUAL = "0..255,inverse"
"""Format of a teacher whose metadata has none: RGB in 0..255, which its graph normalises."""


class DepthTeacher:
    """A monocular depth network (edge.graph.depth_network), run by ONNX Runtime."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the network.

        Args:
            path: The ONNX file. Its metadata may state its format (`scene_depth_format`); else it
                is USUAL.
            threads: Threads of ONNX Runtime.

        Raises:
            EdgeError: The file is missing, or is no depth network.
        """
        from edge.graph.depth_network import depth_graph, read_depth_network
        from edge.runtime.ort import ort

        network = read_depth_network(path, usual=USUAL)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        graph = depth_graph(network, *network.size, "image", "depth")
        self._session = ort.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._size = network.size[::-1]

    def __call__(self, image: Image) -> npt.NDArray[np.float32]:
        """Predict inverse depth, float32 [H, W], stretched to 0..1 per image."""
        small = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        depth = np.asarray(self._session.run(["depth"], {"image": small[None]})[0])[0, 0]
        height, width = image.shape[:2]
        resized = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)

    def with_flip(self, image: Image) -> npt.NDArray[np.float32]:
        """Predict with test-time augmentation: the mean over the image and its mirror image."""
        mirrored = self(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
        return np.asarray((self(image) + mirrored) / 2, np.float32)
