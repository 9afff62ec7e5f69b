"""The detector of one camera."""

import cv2
import numpy as np
from viseron.domains.motion_detector import AbstractMotionDetectorScanner
from viseron.domains.motion_detector.const import CONFIG_CAMERAS, DOMAIN
from viseron.domains.motion_detector.contours import Contours
from viseron.helpers import apply_mask

import edge

from . import COMPONENT


def setup(vis, config, identifier):
    """Called by Viseron for each camera."""
    MotionDetector(vis, config[DOMAIN], identifier)
    return True


class MotionDetector(AbstractMotionDetectorScanner):
    """Motion is what an edge build sees before the background."""

    def __init__(self, vis, config, camera_identifier):
        mine = config[CONFIG_CAMERAS][camera_identifier]
        self._handle = edge.open(mine["build"], threads=1)
        background = cv2.imread(mine["bg"])
        if background is None:
            raise ValueError(f"{mine['bg']} is no image; edge background makes one")
        # What Viseron calls rgb is in OpenCV's order, blue first, as edge takes it.
        super().__init__(vis, COMPONENT, config, camera_identifier, color_format="rgb")
        if self._mask:
            # Masked pixels of a frame are black: they must be black in the background as well.
            background = cv2.resize(background, self._camera.resolution)
            apply_mask(background, self._mask_image)
        edge.set_background(self._handle, edge.fit(self._handle, background))

    def preprocess(self, frame):
        """The frame at the build's size; `width` and `height` of the configuration do nothing."""
        return edge.fit(self._handle, frame)

    def return_motion(self, frame):
        """The outlines of what is new in the scene."""
        mask, _ = edge.infer(self._handle, frame)
        half = 128 if mask.dtype == np.uint8 else 0.5
        outlines, _ = cv2.findContours(
            (mask >= half).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        return Contours(outlines, mask.shape[::-1])
