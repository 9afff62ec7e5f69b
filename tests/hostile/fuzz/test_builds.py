"""Manifests and activation ranges: parsed whole, with every value of its type, or refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from hypothesis import given

from edge import manifest as manifests
from edge.calibrate.record import Ranges, RangesKey, load_ranges
from edge.manifest import Manifest, Tensor

from .examples import examples, outcome
from .mutations import json_files

IMAGE = Tensor("fg_bg", (1, 64, 64, 3), "uint8")
MANIFEST = Manifest(
    name="net-int8-openvino",
    network="net",
    target="openvino",
    precision="int8",
    imgsz=(64, 64),
    inputs=(IMAGE,),
    background_inputs=(Tensor("bg", (1, 64, 64, 3), "uint8"),),
    scene=(Tensor("relu_4", (1, 32, 32, 16), "float16"),),
    outputs=(Tensor("mask", (1, 1, 64, 64), "float32"),),
    engine="frame.xml",
    background="background.xml",
    backend="openvino",
    runtime=("openvino", "2026.4.1"),
    command="edge build --network net",
    created="2026-11-27T22:31:10+00:00",
    model={"sha256": "ab" * 32, "stride": "16"},
    params=1172281,
    fold={"frame_macs": 3, "background_macs": 7, "distributed": [], "unfolded": []},
    calibration={"method": "minmax", "count": 64},
    options={"inference_precision": "f32"},
    sm=(86,),
    layers=13,
    int8_layers=13,
    instructions="any",
    size_mb=0.9,
    build_s=1.2,
    files=dict.fromkeys(("frame.xml", "frame.bin", "background.xml"), "cd" * 32),
)
KEY = RangesKey("ab" * 32, "cd" * 32, "rendered", 4, "minmax", (64, 64), {"edge": "0.1.0"})
RANGES = Ranges(KEY, {"relu_4": (0.0, 1.5), "fg_bg": (-1.0, 1.0)})


@given(json_files(json.loads(MANIFEST.to_json())))
@examples(share=250, night=20_000)
def test_a_manifest(data: bytes) -> None:
    found = outcome(lambda: manifests.parse(data.decode(errors="replace"), Path("build")))
    if found is None:
        return
    assert manifests.parse(found.to_json(), Path("build")) == found
    texts = (found.name, found.network, found.target, found.precision, found.engine,
             found.background, found.backend, found.command, found.created, found.instructions,
             *found.runtime, *found.options, *found.options.values(), *found.files,
             *found.files.values())  # fmt: skip
    assert all(type(text) is str for text in texts)
    numbers = (*found.imgsz, *found.sm, found.params, found.layers or 0, found.int8_layers or 0)
    assert all(type(number) is int for number in numbers)
    assert len(found.imgsz) == len(found.runtime) == 2 and min(found.imgsz) > 0
    for tensor in (*found.inputs, *found.background_inputs, *found.scene, *found.outputs):
        assert type(tensor.name) is type(tensor.dtype) is str
        assert all(type(side) is int and side > 0 for side in tensor.shape)
    assert type(found.bundled) is bool and type(found.model) is type(found.fold) is dict
    assert math.isfinite(found.size_mb) and math.isfinite(found.build_s)
    # Nothing outside of the folder is read, copied or run, and nothing without its hash.
    assert all(name == Path(name).name and name not in ("", "..") for name in found.files)
    assert {found.engine, found.background} - {""} <= set(found.files)


@given(
    json_files(json.loads(MANIFEST.to_json()), json.loads(replace(MANIFEST, scene=()).to_json()))
)
@examples(share=60, night=3_000)
def test_a_folder_with_a_manifest(tmp_path_factory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "build"
    folder.mkdir(exist_ok=True)
    (folder / manifests.FILE).write_bytes(data)
    assert outcome(lambda: manifests.read(folder)) is None or data.count(b"files")
    outcome(lambda: manifests.files_of(folder))
    outcome(lambda: manifests.origin_of(folder))


@given(json_files(json.loads(RANGES.to_json())))
@examples(share=150, night=12_000)
def test_ranges(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "ranges.json"
    path.write_bytes(data)
    found = outcome(lambda: load_ranges(path, KEY))
    if found is not None:
        assert found.key == KEY
        for name, (low, high) in found.ranges.items():
            assert type(name) is str and low <= high and math.isfinite(low) and math.isfinite(high)
