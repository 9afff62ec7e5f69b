"""The scene tensors of a camera for DeepStream: what the network knows of its empty scene.

    python examples/scene_tensors.py FOLDER bg.png [bg.spread.png]

FOLDER is what `edge build --format deepstream` wrote, a copy of it for each camera. Runs its
background graph on a CPU and writes FOLDER/scene/NAME.bin, which nvinfer reads at its start.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def main(folder, bg, spread=None):
    session = onnxruntime.InferenceSession(Path(folder, "background.onnx").read_bytes())
    height, width = session.get_inputs()[0].shape[1:3]
    images = {
        name: cv2.resize(cv2.imread(path), (width, height), interpolation=cv2.INTER_AREA)[None]
        for name, path in (("bg", bg), ("spread", spread))
        if path
    }
    images.setdefault("spread", np.zeros_like(images["bg"]))  # unknown
    names = [value.name for value in session.get_outputs()]
    tensors = session.run(names, {v.name: images[v.name] for v in session.get_inputs()})
    scene = Path(folder, "scene")
    scene.mkdir(exist_ok=True)
    for name, tensor in zip(names, tensors, strict=True):
        (scene / f"{name.replace('/', '_')}.bin").write_bytes(tensor.astype("<f4").tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:]) if 3 <= len(sys.argv) <= 4 else sys.exit(__doc__)
