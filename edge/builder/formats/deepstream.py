"""DeepStream: a configuration of Gst-nvinfer and the GStreamer line that runs it, for one camera.

Gst-nvinfer makes float planes of a frame and takes further inputs as constants, which a library of
the user fills once (`NvDsInferInitializeInputLayers`): the scene tensors. A place in a batch is no
camera, so that each camera has an nvinfer of its own with a batch of one.
"""

from __future__ import annotations

import shlex
import tempfile
from functools import partial
from importlib import resources
from pathlib import Path

import onnx

from edge.builder.formats.format import MARK, Format, check_folder, register, write_folder
from edge.errors import EdgeError
from edge.graph.planar_input import with_planar_input
from edge.manifest import Manifest
from edge.targets import BACKGROUND, FRAME
from edge.targets.plans import build_plan

SETTINGS = "nvinfer.txt"
LINE = """gst-launch-1.0 uridecodebin uri="$1" ! nvvideoconvert ! m.sink_0 \\
    nvstreammux name=m batch-size=1 width=1280 height=720 live-source=1 ! \\
    nvinfer config-file-path=nvinfer.txt ! \\
    nvsegvisual batch-size=1 width={width} height={height} ! nvvideoconvert ! nveglglessink"""


def write_deepstream(build: Path, manifest: Manifest, folder: Path) -> list[str]:
    """Write the plan, nvinfer's configuration, the library's source and the scripts."""
    if images := [t.name for t in manifest.inputs if t.name in ("bg", "spread")]:
        raise EdgeError(
            f"nvinfer gives a network one image, and this one reads {' and '.join(images)} at"
            " every frame",
            "`edge inspect` says why it could not be folded",
        )
    outputs = [tensor.name for tensor in manifest.outputs]
    if outputs[0] != "mask":
        raise EdgeError(
            f"nvinfer shows a float mask, the first output of this build is {outputs[0]}",
            "build a network with a mask, without --bytes",
        )
    if others := [f"{t.name} ({t.dtype})" for t in manifest.scene if t.dtype != "float32"]:
        raise EdgeError(f"nvinfer fills float inputs alone, not {', '.join(others)}")
    frame = with_planar_input(onnx.load(build / FRAME))
    with tempfile.TemporaryDirectory() as draft:
        onnx.save(frame, Path(draft) / FRAME)
        plan = build_plan(Path(draft) / FRAME, "tensorrt")
    files = {
        SETTINGS: _config(manifest).encode(),
        "frame.engine": plan,
        FRAME: frame.SerializeToString(),
        "run.sh": _script(manifest).encode(),
    }
    if manifest.scene:
        files["scene.cpp"] = (resources.files(__package__) / "scene.cpp").read_bytes()
        files[BACKGROUND] = (build / BACKGROUND).read_bytes()
    write_folder(folder, SETTINGS, files)
    return [f"cd {shlex.quote(str(folder))} && sh run.sh rtsp://camera/stream"]


def _config(manifest: Manifest) -> str:
    height, width = manifest.imgsz
    lines = [
        MARK,
        "[property]",
        "gpu-id=0",
        "model-engine-file=frame.engine",
        "batch-size=1",
        f"infer-dims=3;{height};{width}",
        # BGR of 0 to 255: what is done to it is part of the network.
        "model-color-format=1",
        "net-scale-factor=1",
        "maintain-aspect-ratio=0",
        "process-mode=1",
        # Segmentation with the mask as its one class; depth is in the tensor meta.
        "network-type=2",
        "num-detected-classes=1",
        "segmentation-threshold=0.5",
        "output-tensor-meta=1",
    ]
    lines += ["custom-lib-path=./libscene.so"] if manifest.scene else []
    return "\n".join(lines) + "\n"


def _script(manifest: Manifest) -> str:
    height, width = manifest.imgsz
    lines = ["#!/bin/sh", "set -e", ': "${1:?usage: sh run.sh URI}"']
    if manifest.scene:
        lines += [
            "sdk=${DEEPSTREAM:-/opt/nvidia/deepstream/deepstream}",
            'g++ -shared -fPIC -O2 -I "$sdk/sources/includes" -o libscene.so scene.cpp -ldl',
        ]
    return "\n".join([*lines, LINE.format(width=width, height=height), ""])


register(
    Format("deepstream", ("tensorrt",), write_deepstream, partial(check_folder, marked=SETTINGS))
)
