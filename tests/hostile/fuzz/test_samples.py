"""Folders of labelled images and the seed's zips: each sample whole, or refused with a reason."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.samples.image_file import read_image
from edge.samples.open import open_samples
from edge.samples.sample import BACKGROUND, FOREGROUND, IGNORED, Samples

from .examples import examples, outcome
from .mutations import damaged

SIDE = 24


def encoded(image: np.ndarray, suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, image)[1].tobytes())


FRAME = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
MASK = np.zeros((SIDE, SIDE), np.uint8)
MASK[4:12, 6:20] = 255
DEPTH = np.linspace(0, 65535, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
IMAGES = [encoded(FRAME, suffix) for suffix in (".png", ".jpg", ".bmp", ".webp", ".ppm", ".tiff")]
LABELS = [encoded(MASK, suffix) for suffix in (".png", ".bmp", ".pgm")]
DEPTHS = [encoded(DEPTH, ".png"), encoded((DEPTH >> 8).astype(np.uint8), ".png")]
OTHER_SIZE = [encoded(FRAME[:9, :7], ".png"), encoded(MASK[:9, :7], ".png")]
IMAGE_BYTES = st.sampled_from(IMAGES) | damaged(*IMAGES, *OTHER_SIZE)
LABEL_BYTES = st.sampled_from(LABELS) | damaged(*LABELS, *OTHER_SIZE, *IMAGES)
DEPTH_BYTES = st.sampled_from(DEPTHS) | damaged(*DEPTHS, *OTHER_SIZE)
STEMS = st.sampled_from(["000001", "000002", "in000003", "gt000003", "1", "x", "00002", "é", "a b"])
SUFFIXES = st.sampled_from([".png", ".png", ".jpg", ".bmp", ".PNG", ".txt", ""])
NAMES = st.builds(lambda stem, suffix: stem + suffix, STEMS, SUFFIXES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "samples"


def write(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def read_all(folder: Path) -> None:
    """Every sample of a folder has the arrays that it promises; all others have their reason."""
    samples: Samples | None = outcome(lambda: open_samples(folder))
    if samples is None:
        return
    assert len(samples) > 0
    for index in range(len(samples)):
        refused = len(samples.skipped)
        sample = outcome(lambda index=index: samples[index])
        if sample is None:
            assert len(samples.skipped) >= max(1, refused)
            continue
        assert sample.fg_bg.dtype == sample.bg.dtype == sample.mask.dtype == np.uint8
        assert sample.fg_bg.shape == sample.bg.shape == (*sample.mask.shape, 3)
        assert set(np.unique(sample.mask)) <= {FOREGROUND, BACKGROUND, IGNORED}
        if sample.depth is not None:
            assert sample.depth.dtype == np.float32 and sample.depth.shape == sample.mask.shape
            assert not np.isinf(sample.depth).any()
    outcome(samples.fingerprint)
    for name, reason in samples.skipped.items():
        assert name and reason.strip()


@given(data=IMAGE_BYTES | DEPTH_BYTES | st.binary(max_size=64))
@examples(share=120, night=6_000)
def test_an_image(folder: Path, data: bytes) -> None:
    write(folder, {"a.png": data})
    image = outcome(lambda: read_image(folder / "a.png"))
    if image is not None:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@given(
    frames=st.dictionaries(NAMES, IMAGE_BYTES, min_size=1, max_size=4),
    labels=st.dictionaries(NAMES, LABEL_BYTES, min_size=1, max_size=4),
    extra=st.dictionaries(
        st.sampled_from(["bg.png", "bg.jpg", "bg.spread.png", "ROI.bmp", "temporalROI.txt"]),
        IMAGE_BYTES | LABEL_BYTES | st.sampled_from([b"1 2", b"2 1", b"x", b"\xff", b"1 " * 99]),
        max_size=3,
    ),
)
@examples(share=60, night=3_000)
def test_a_labelled_sequence(folder: Path, frames: Any, labels: Any, extra: Any) -> None:
    parts = {f"input/{name}": data for name, data in frames.items()}
    parts |= {f"groundtruth/{name}": data for name, data in labels.items()}
    write(folder, parts | extra)
    read_all(folder)


@given(
    frames=st.dictionaries(NAMES, IMAGE_BYTES, min_size=1, max_size=3),
    depths=st.dictionaries(NAMES, DEPTH_BYTES, min_size=1, max_size=3),
    extra=st.dictionaries(
        st.sampled_from(["bg.png", "meta.json", "mask/000001.png"]),
        IMAGE_BYTES | LABEL_BYTES | st.sampled_from([b'{"depth_unit": "mm"}', b"{", b"[]"]),
        max_size=2,
    ),
)
@examples(share=40, night=2_000)
def test_an_rgbd_folder(folder: Path, frames: Any, depths: Any, extra: Any) -> None:
    parts = {f"rgb/{name}": data for name, data in frames.items()}
    parts |= {f"depth/{name}": data for name, data in depths.items()}
    write(folder, parts | extra)
    read_all(folder)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


MEMBERS = st.dictionaries(
    NAMES | st.sampled_from(["../out.png", "/root.png", "a/b/1.png", "__MACOSX/1.png", "._1.png"]),
    IMAGE_BYTES, min_size=1, max_size=3,
)  # fmt: skip
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])


@st.composite
def zips(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    """A zip: good, of other members, or damaged."""
    members = draw(st.dictionaries(NAMES, contents, min_size=1, max_size=3) | MEMBERS)
    data = zipped({"1.png": draw(contents)} | members, draw(METHODS))
    return draw(damaged(data)) if draw(st.booleans()) else data


@given(
    frames=zips(IMAGE_BYTES),
    masks=zips(LABEL_BYTES),
    depths=st.none() | zips(DEPTH_BYTES),
    recipe=st.sampled_from([{"near": "dark"}, {"near": "bright"}, {"depth": "millimetres"}, {}]),
    background=IMAGE_BYTES,
)
@examples(share=60, night=4_000)
def test_seed_zips(
    folder: Path, frames: bytes, masks: bytes, depths: bytes | None, recipe: Any, background: bytes
) -> None:
    parts = {"bg/hall.png": background, "fg_bg/hall.zip": frames, "fg_bg_masks/hall.zip": masks}
    if depths is not None:
        parts |= {"depth_maps/hall.zip": depths, "recipe.json": json.dumps(recipe).encode()}
    write(folder, parts)
    read_all(folder)
    outside = {path.name for path in folder.parent.iterdir()}
    assert outside == {folder.name}
