"""csi://: the camera connector of a Jetson, by GStreamer."""

from __future__ import annotations

import re

import cv2

from edge.camera.capture import Capture
from edge.camera.source import SCHEMES, CameraError, Reader
from edge.errors import UsageError

PIPELINE = (
    "nvarguscamerasrc sensor-id={} ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1"
    " ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR"
    " ! appsink drop=1 max-buffers=1"
)


def open_csi(url: str) -> Reader:
    """Open `csi://N`, the N-th sensor."""
    sensor = url.partition("://")[2] or "0"
    if not sensor.isdecimal():
        raise UsageError(f"{url}: expected the number of a sensor, as in csi://0")
    if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
        raise CameraError(f"{url} needs an OpenCV with GStreamer, as in JetPack; this one has none")
    reason = "the camera gives no frame; `nvgstcapture-1.0` shows whether the driver sees it"
    return Capture(PIPELINE.format(sensor), cv2.CAP_GSTREAMER, url, reason)


SCHEMES["csi"] = open_csi
