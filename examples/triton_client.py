"""edge watch with its networks on a Triton server, for one camera:

    edge build --target onnxruntime --format triton --out models
    tritonserver --model-repository=models
    python examples/triton_client.py BUILD bg.png SOURCE [zones.json] [HOST:PORT]

Everything but the network runs here, as edge watch runs it: background, things, tracks, zones,
events. Start one for each camera; the server puts their frames into one batch.
"""

import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import tritonclient.grpc as triton
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import np_to_triton_dtype

import edge
from edge import manifest
from edge.camera.camera import Camera
from edge.camera.source import CameraEvent
from edge.loop.pipeline import CameraPipeline
from edge.runtime.backends import register
from edge.things.tracks import Tracker
from edge.watch.watcher import Settings, Watcher
from edge.zones.file import read_zones


class TritonBackend:
    """What edge.runtime.backend.Backend is, computed by a server on this machine."""

    def __init__(self, manifest, url):
        self.manifest, self.client = manifest, triton.InferenceServerClient(url)
        self.frames = [np.zeros((*manifest.imgsz, 3), np.uint8) for _ in range(2)]
        self.outputs = [
            {t.name: np.zeros(t.shape[2:], t.dtype) for t in manifest.outputs} for _ in self.frames
        ]
        self.pending, self.worker = [None, None], ThreadPoolExecutor(1)
        # The scene tensors lie in memory that the server reads too: no frame carries them.
        self.sizes = [int(np.prod(t.shape)) * np.dtype(t.dtype).itemsize for t in manifest.scene]
        self.name, size = f"edge-{uuid.uuid4()}", max(1, sum(self.sizes))
        self.region = shm.create_shared_memory_region(self.name, self.name, size)
        self.client.register_system_shared_memory(self.name, self.name, size)

    def set_background(self, images):
        taken = {t.name: tensor(t.name, images[t.name][None]) for t in self.manifest.scene_inputs}
        self.images = [taken[t.name] for t in self.manifest.inputs if t.name in taken]
        if self.manifest.scene:
            inputs = [taken[t.name] for t in self.manifest.background_inputs]
            result = self.client.infer(f"{self.manifest.name}-background", inputs)
            self.scene = {t.name: result.as_numpy(t.name) for t in self.manifest.scene}
            shm.set_shared_memory_region(self.region, list(self.scene.values()))

    def scene_tensor(self, name):
        return self.scene[name].copy()

    def run(self, slot):
        inputs, offset = [tensor("fg_bg", self.frames[slot][None]), *self.images], 0
        for t, size in zip(self.manifest.scene, self.sizes, strict=True):
            inputs.append(triton.InferInput(t.name, t.shape, np_to_triton_dtype(np.dtype(t.dtype))))
            inputs[-1].set_shared_memory(self.name, size, offset)
            offset += size
        result = self.client.infer(self.manifest.name, inputs)
        for name, plane in self.outputs[slot].items():
            plane[:] = result.as_numpy(name)[0, 0]

    def start(self, slot):
        self.pending[slot] = self.worker.submit(self.run, slot)

    def finish(self, slot):
        self.pending[slot].result()

    def close(self):
        self.worker.shutdown()
        self.client.unregister_system_shared_memory(self.name)
        shm.destroy_shared_memory_region(self.region)
        self.client.close()


def tensor(name, value):
    given = triton.InferInput(name, value.shape, np_to_triton_dtype(value.dtype))
    return given.set_data_from_numpy(value)


def events(h, bg, source, zones=()):
    """Yield the events of a camera; nothing in here knows where the network is."""
    with Camera(source) as camera:
        pipeline = CameraPipeline(camera, h, bg)
        watcher = Watcher(camera.name, pipeline.size, Settings(zones), Tracker())
        pipeline.cut, pipeline.followed = watcher.cut, watcher.followed
        while not camera.ended:
            camera.wake.wait(0.01 if camera.live else 0)
            camera.wake.clear()
            item = camera.take()  # an event, else the newest frame, else None
            if isinstance(item, CameraEvent):
                yield from watcher.event(item)
            elif item is not None:
                yield from watcher.frame(pipeline.process(item))
            yield from watcher.tick(time.monotonic())
        yield from watcher.close()


def main(build, bg, source, zones=None, url="localhost:8001"):
    backend = manifest.read(Path(build)).backend
    register(backend, lambda folder, manifest, options: TritonBackend(manifest, url))
    drawn = read_zones(Path(zones), metres=False) if zones else ()
    with edge.open(build) as h:
        for event in events(h, cv2.imread(bg), source, drawn):
            print(event.time, event.kind, event.phase, event.zone or "", event.text, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:]) if 4 <= len(sys.argv) <= 6 else sys.exit(__doc__)
