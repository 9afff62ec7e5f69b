"""The seed's layout, as `edge dataset compose` and other programs write it."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate.samples import open_samples
from edge.cli import dataset
from edge.errors import EdgeError
from edge.samples.depth_maps import read_meaning
from edge.samples.sample import FOREGROUND, IGNORED, SampleError, iter_readable
from edge.samples.seed import SeedLayout
from edge.train.data.compose import (
    CompositionSpec,
    composites,
    estimate,
    is_complete,
    write_background,
)
from edge.train.data.cutouts import Cutout, read_backgrounds, read_cutouts
from edge.train.data.stats import stats

SPEC = CompositionSpec(size=64, places=2, seed=3)


def inputs(folder: Path) -> tuple[Path, Path]:
    """Two backgrounds and two cut-outs as files."""
    rng = np.random.default_rng(0)
    for part in ("bg", "fg"):
        (folder / part).mkdir(parents=True)
    for name in ("hall", "yard"):
        image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (96, 80))
        cv2.imwrite(str(folder / "bg" / f"{name}.jpg"), image)
    for name in ("person1", "box2"):
        cutout = np.zeros((60, 30, 4), np.uint8)
        cv2.ellipse(cutout, (15, 30), (12, 28), 0, 0, 360, (40, 90, 200, 255), -1)
        cv2.imwrite(str(folder / "fg" / f"{name}.png"), cutout)
    return folder / "bg", folder / "fg"


def compose(root: Path, out: Path) -> None:
    backgrounds, cutouts = inputs(root)
    for name, bg in read_backgrounds(backgrounds, 128).items():
        things = read_cutouts(cutouts, 128)
        assert sum(1 for _ in write_background(out, name, bg, things, SPEC, None)) == 8


def test_composites_are_read_back(tmp_path: Path) -> None:
    compose(tmp_path / "in", tmp_path / "out")
    samples = open_samples(str(tmp_path / "out"))
    assert isinstance(samples, SeedLayout)
    assert len(samples) == SPEC.count(2, 2) == 16
    sample = samples[0]
    assert sample.bg.shape == sample.fg_bg.shape == (64, 64, 3)
    assert sample.name.startswith("hall/hall_")
    changed = np.abs(sample.fg_bg.astype(int) - sample.bg).max(axis=2) > 40
    inside, outside = sample.mask == FOREGROUND, sample.mask == 0
    assert changed[inside].mean() > 0.9
    assert changed[outside].mean() < 0.02


def test_composites_depend_on_seed_and_names_only() -> None:
    bg = np.zeros((64, 64, 3), np.uint8)
    rng = np.random.default_rng(0)
    things = [
        Cutout(name, rng.integers(0, 256, (20, 10, 3), np.uint8), np.full((20, 10), 255, np.uint8))
        for name in ("a", "b")
    ]
    composed = {c.name: c.fg_bg for c in composites("hall", bg, things, SPEC)}
    alone = {c.name: c.fg_bg for c in composites("hall", bg, things[1:], SPEC)}
    assert len(composed) == 8
    for name, image in alone.items():
        assert np.array_equal(image, composed[name])
    assert {"hall_a_1", "hall_flip_a_2"} <= set(composed)


def test_a_killed_run_leaves_no_half_zip(tmp_path: Path) -> None:
    backgrounds, cutouts = inputs(tmp_path / "in")
    bg = read_backgrounds(backgrounds, 128)["hall"]
    run = write_background(tmp_path / "out", "hall", bg, read_cutouts(cutouts, 128), SPEC, None)
    next(run)
    run.close()
    assert not is_complete(tmp_path / "out", "hall", with_depth=False)
    assert not list((tmp_path / "out").rglob("*.zip"))
    assert not list((tmp_path / "out").rglob("*.part"))


def test_the_measured_size_is_the_written_size(tmp_path: Path) -> None:
    """One background takes many times the bytes of the other: both must count."""
    backgrounds, cutouts = inputs(tmp_path / "in")
    busy = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
    cv2.imwrite(str(backgrounds / "aleaves.png"), busy)
    scenes, things = read_backgrounds(backgrounds, 128), read_cutouts(cutouts, 128)
    per_composite = estimate(scenes, things, SPEC, None)
    for name, bg in scenes.items():
        for _ in write_background(tmp_path / "out", name, bg, things, SPEC, None):
            pass
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.zip"))
    assert per_composite.bytes * SPEC.count(len(scenes), len(things)) == pytest.approx(
        written, rel=0.2
    )


def test_a_dry_run_writes_nothing_and_a_small_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backgrounds, cutouts = inputs(tmp_path / "in")
    out = tmp_path / "out"
    options = {"places": 2, "size": 64, "depth_teacher": None, "seed": 0}
    dataset.compose(backgrounds, cutouts, out, dry_run=True, **options)
    assert not out.exists()
    assert "16 to write: about 0 s" in capsys.readouterr().err
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(dataset.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(EdgeError, match=r"0\.0 GB free, 0\.0 GB are needed; give another --out"):
        dataset.compose(backgrounds, cutouts, out, dry_run=False, **options)
    assert not out.exists()


def rewrite(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def seed_zips(out: Path) -> np.ndarray:
    """Write one composite with depth as the seed's program does; return its soft mask."""
    for part in ("bg", "fg_bg", "fg_bg_masks", "depth_maps"):
        (out / part).mkdir(parents=True)
    frame = np.full((32, 32, 3), 90, np.uint8)
    cv2.imwrite(str(out / "bg" / "hall.jpg"), frame)
    jpeg = cv2.imencode(".jpg", frame)[1].tobytes()
    last = cv2.imencode(".jpg", np.full((32, 32, 3), 200, np.uint8))[1].tobytes()
    soft = np.zeros((32, 32), np.uint8)
    soft[:, 8:] = 128
    soft[:, 16:] = 255
    with pytest.warns(UserWarning), zipfile.ZipFile(out / "fg_bg" / "hall.zip", "w") as archive:
        archive.writestr("hall_person1_1.png", jpeg)
        archive.writestr("hall_person1_1.png", last)  # a writer that was run twice
    grey = cv2.imencode(".png", soft)[1].tobytes()
    for part in ("fg_bg_masks", "depth_maps"):
        rewrite(out / part / "hall.zip", {"hall_person1_1.png": grey})
    return soft


@pytest.mark.parametrize("near", ["bright", "dark"])
def test_jpeg_bytes_under_png_names_and_duplicates_are_read(tmp_path: Path, near: str) -> None:
    soft = seed_zips(tmp_path / "seed")
    (tmp_path / "seed" / "recipe.json").write_text(json.dumps({"near": near}))
    samples = SeedLayout(tmp_path / "seed")
    assert len(samples) == 1
    assert samples[0].fg_bg.mean() == pytest.approx(200, abs=2)
    assert samples[0].mask[0, [0, 10, 20]].tolist() == [0, IGNORED, FOREGROUND]
    depth = samples[0].depth
    assert depth is not None
    np.testing.assert_allclose(depth * 255, soft if near == "bright" else 255 - soft, atol=1e-4)


@pytest.mark.parametrize("text", [None, "{}"])
def test_depth_maps_of_unknown_direction_are_refused(tmp_path: Path, text: str | None) -> None:
    """A wrong guess would train inverted depth."""
    seed_zips(tmp_path / "seed")
    if text is not None:
        (tmp_path / "seed" / "recipe.json").write_text(text)
    with pytest.raises(SampleError, match=r"whether bright or dark is near.*echo") as refusal:
        SeedLayout(tmp_path / "seed")
    subprocess.run(str(refusal.value).split("zips: ")[1], shell=True, check=True)
    assert SeedLayout(tmp_path / "seed")[0].depth is not None


def test_compose_records_that_bright_is_near(tmp_path: Path) -> None:
    dataset.compose(*inputs(tmp_path / "in"), tmp_path / "out", places=1, size=64, seed=0,
                    depth_teacher=None, dry_run=False)  # fmt: skip
    assert read_meaning(tmp_path / "out" / "recipe.json", tmp_path).near_is_bright


def test_a_broken_member_is_named_and_skipped(tmp_path: Path) -> None:
    compose(tmp_path / "in", tmp_path / "out")
    path = tmp_path / "out" / "fg_bg" / "hall.zip"
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[2]
    data = bytearray(path.read_bytes())
    data[info.header_offset + 200] ^= 0xFF
    path.write_bytes(bytes(data))
    samples = SeedLayout(tmp_path / "out")
    read = list(iter_readable(samples, list(range(len(samples)))))
    assert len(read) == 15
    (name,) = samples.skipped
    assert Path(info.filename).stem in name
    assert "CRC" in samples.skipped[name]


def test_a_broken_zip_is_skipped_and_an_empty_set_is_an_error(tmp_path: Path) -> None:
    compose(tmp_path / "in", tmp_path / "out")
    (tmp_path / "out" / "fg_bg" / "hall.zip").write_bytes(b"PK nothing")
    samples = SeedLayout(tmp_path / "out")
    assert len(samples) == 8
    assert "hall.zip" in samples.skipped
    (tmp_path / "out" / "fg_bg" / "yard.zip").unlink()
    with pytest.raises(SampleError, match="cannot open the zip"):
        SeedLayout(tmp_path / "out")


def test_zips_stay_open_in_one_process_and_are_not_sent_to_another(tmp_path: Path) -> None:
    compose(tmp_path / "in", tmp_path / "out")
    opened = []
    original = zipfile.ZipFile.__init__

    def counting(self, file, *args, **kwargs):  # type: ignore[no-untyped-def]
        opened.append(file)
        original(self, file, *args, **kwargs)

    zipfile.ZipFile.__init__ = counting  # type: ignore[method-assign]
    try:
        samples = SeedLayout(tmp_path / "out")
        for index in range(len(samples)):
            samples[index]
    finally:
        zipfile.ZipFile.__init__ = original  # type: ignore[method-assign]
    assert len(opened) == 4  # frames and masks of two backgrounds
    assert pickle.loads(pickle.dumps(samples))[0].name == samples[0].name


def test_stats_cover_all_pixels(tmp_path: Path) -> None:
    compose(tmp_path / "in", tmp_path / "out")
    samples = SeedLayout(tmp_path / "out")
    statistics = stats(samples[i] for i in range(len(samples)))
    frames = np.stack([samples[i].fg_bg for i in range(len(samples))])[..., ::-1] / 255
    pixels = frames.reshape(-1, 3)
    assert statistics["fg_bg"]["mean"] == pytest.approx(pixels.mean(0), abs=1e-4)
    assert statistics["fg_bg"]["std"] == pytest.approx(pixels.std(0), abs=1e-4)
