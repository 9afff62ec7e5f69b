"""The smallest camera loop: python examples/camera_loop.py BUILD bg.png rtsp://camera/stream"""

import sys

import cv2

import edge
from edge.camera.camera import Camera, Event
from edge.loop.blobs import blobs

build, bg, url = sys.argv[1:]
with edge.open(build) as h, Camera(url) as camera:
    steady = edge.Stabilizer(h, edge.fit(h, cv2.imread(bg)))
    while not camera.ended:
        camera.wake.wait(0.01 if camera.live else 0)
        camera.wake.clear()
        item = camera.take()  # an event, else the newest frame, else nothing yet
        if isinstance(item, Event):
            print(item.text)
        elif item is not None:
            mask, depth = steady.infer(edge.fit(h, item.picture))
            for thing in blobs(mask, depth, item.picture.shape[:2]):
                print(f"{item.at:.2f} {thing.box} {100 * thing.area:.1f} % depth {thing.depth}")
