"""The smallest camera loop: python examples/camera_loop.py BUILD bg.png rtsp://camera/stream"""

import sys

import cv2

import edge
from edge.camera.camera import Camera
from edge.camera.source import CameraEvent
from edge.loop.blobs import blobs

build, bg, url = sys.argv[1:]
with edge.open(build) as h, Camera(url) as camera:
    stabilizer = edge.Stabilizer(h, edge.fit(h, cv2.imread(bg)))
    while not camera.ended:
        camera.wake.wait(0.01 if camera.live else 0)
        camera.wake.clear()
        item = camera.take()  # an event, else the newest frame, else None
        if isinstance(item, CameraEvent):
            print(item.text)
        elif item is not None:
            mask, depth = stabilizer.infer(edge.fit(h, item.image))
            for blob in blobs(mask, depth, item.image.shape[:2]):
                print(f"{item.at:.2f} {blob.box} {100 * blob.area:.1f} % depth {blob.depth}")
