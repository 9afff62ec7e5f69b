"""v4l2://: a camera of this machine, by Video4Linux."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge.camera.capture import Capture
from edge.camera.source import SCHEMES, Reader


def open_v4l2(url: str) -> Reader:
    """Open `v4l2://0` or `v4l2:///dev/video2`."""
    place = url.partition("://")[2]
    devices = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
    reason = f"no such camera, or it is in use; devices on this machine: {devices}"
    return Capture(int(place) if place.isdecimal() else place, cv2.CAP_V4L2, url, reason)


SCHEMES["v4l2"] = open_v4l2
