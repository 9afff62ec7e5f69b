"""The smallest camera loop: python examples/camera_loop.py BUILD bg.png rtsp://camera/stream"""

import sys

import cv2

import edge
from edge.camera.camera import Camera
from edge.camera.source import CameraEvent
from edge.things.find import find_things
from edge.things.ground import ground_of

build, bg, url = sys.argv[1:]
with edge.open(build) as h, Camera(url) as camera:
    empty = edge.fit(h, cv2.imread(bg))
    stabilizer = edge.Stabilizer(h, empty)
    ground = ground_of(h, empty)
    while not camera.ended:
        camera.wake.wait(0.01 if camera.live else 0)
        camera.wake.clear()
        item = camera.take()  # an event, else the newest frame, else None
        if isinstance(item, CameraEvent):
            print(item.text)
        elif item is not None:
            mask, depth = stabilizer.infer(edge.fit(h, item.image))
            for thing in find_things(mask, depth, item.image.shape[:2], ground):
                print(f"{item.at:.2f} {thing.box} foot {thing.foot} depth {thing.ground_depth}")
