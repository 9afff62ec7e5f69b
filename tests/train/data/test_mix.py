from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing import resource_sharer
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edge.calibrate.rendering.samples import Rendered
from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.samples import open_samples
from edge.samples.sample import Sample, SampleError
from edge.train.augment.photometric import Exposure, ExposurePair, augment_sample
from edge.train.data.composites import Composites
from edge.train.data.crops import Crops
from edge.train.data.cutouts import Cutout
from edge.train.data.mix import Mix, batches, collate, open_source, share_cutouts


class Numbered:
    """A source whose images show its label and its generator."""

    def __init__(self, label: int) -> None:
        self.label = label

    def draw(self, rng: Rng) -> tuple[Sample, ExposurePair]:
        bg = np.full((8, 8, 3), self.label, np.uint8)
        frame = rng.integers(0, 256, (8, 8, 3), np.uint8)
        return Sample("x", bg, frame, bg[..., 0] * 0), ExposurePair(Exposure(), Exposure())


def series(start: int = 0, workers: int = 0, rank: int = 0, world: int = 1) -> list[torch.Tensor]:
    mix = Mix(
        [(Numbered(1), 3.0), (Numbered(2), 1.0)],
        seed=4, start=start, end=48, batch=4, rank=rank, world=world,
    )  # fmt: skip
    return [batch["fg_bg"] for batch in batches(mix, workers)]


def test_the_series_does_not_depend_on_the_workers() -> None:
    for alone, shared in zip(series(), series(workers=3), strict=True):
        assert torch.equal(alone, shared)


def test_batches_travel_without_the_resource_sharer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker forked beside running threads may lack the sharer's thread, which then never
    answers."""
    shared_descriptors = multiprocessing.Value("i", 0)

    class CountedDupFd(resource_sharer.DupFd):
        def __init__(self, descriptor: int) -> None:
            shared_descriptors.value += 1
            super().__init__(descriptor)

    monkeypatch.setattr(resource_sharer, "DupFd", CountedDupFd)
    assert len(series(workers=2)) == 12
    assert shared_descriptors.value == 0


KILLED = """
import os, signal, time
from edge.train.data.mix import Mix, batches, open_source

mix = Mix([open_source("rendered:2", 96, None, [])], seed=0, start=0, end=4000, batch=8)
series = batches(mix, workers=2)
next(series)
time.sleep(2)  # until the workers wait for room in the pipe
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_killed_parent() -> None:
    """Batches are larger than the pipe, and nobody reads them any more."""
    process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE)
    process.communicate(timeout=600)  # the workers hold stdout
    assert process.returncode == -signal.SIGKILL


def test_a_signal_to_the_whole_group_ends_no_worker_before_its_parent() -> None:
    mix = Mix([(Numbered(1), 1.0)], seed=4, start=0, end=400, batch=4)
    shared = batches(mix, workers=1)
    next(shared)
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGTERM)
    assert len(list(shared)) == 99
    worker.join(60)
    assert worker.exitcode == 0


def test_a_resumed_series_goes_on_where_it_stopped() -> None:
    for alone, resumed in zip(series()[5:], series(start=20, workers=2), strict=True):
        assert torch.equal(alone, resumed)


def test_processes_share_each_batch() -> None:
    first, second = series(rank=0, world=2), series(rank=1, world=2)
    for whole, a, b in zip(series(), first, second, strict=True):
        assert torch.equal(whole, torch.stack([a[0], b[0], a[1], b[1]]))


def test_sources_are_mixed_by_weight() -> None:
    mix = Mix([(Numbered(1), 3.0), (Numbered(2), 1.0)], seed=0, start=0, end=400, batch=400)
    (batch,) = batches(mix)
    assert (batch["bg"][:, 0, 0, 0] == 1).float().mean().item() == pytest.approx(0.75, abs=0.06)


def test_a_batch_marks_what_counts_and_what_is_known() -> None:
    mask = np.array([[0, 170], [255, 0]], np.uint8)
    picture = np.zeros((2, 2, 3), np.uint8)
    depth = np.array([[0.5, np.nan], [1, 0]], np.float32)
    batch = collate(
        [Sample("a", picture, picture, mask, depth), Sample("b", picture, picture, mask)]
    )
    assert batch["mask"][0, 0].tolist() == [[0, 0], [1, 0]]
    assert batch["counts"][0, 0].tolist() == [[1, 0], [1, 1]]
    assert batch["known"][:, 0].tolist() == [[[1, 0], [1, 1]], [[0, 0], [0, 0]]]
    assert torch.isfinite(batch["depth"]).all()


def test_crops_keep_image_mask_and_depth_aligned() -> None:
    rendered = Rendered(4, (96, 128), seed=1)
    crops = Crops(rendered, range(4), 64, None)
    for i in range(12):
        sample = augment_sample(*crops.draw(np.random.default_rng(i)))
        assert sample.depth is not None
        assert sample.fg_bg.shape == (64, 64, 3)
        edges = np.abs(np.diff(sample.depth, axis=1)) > 0.05
        mask_edges = np.diff((sample.mask == 255).astype(int), axis=1) != 0
        if mask_edges.sum() > 20:
            # Where the mask has an edge before a far wall, the depth has one within a pixel.
            wide = np.maximum(edges, np.roll(edges, 1, 1)) | np.roll(edges, -1, 1)
            assert wide[mask_edges].mean() > 0.3


def test_whole_samples_are_shown_as_they_are() -> None:
    rendered = Rendered(1, (64, 64), seed=1)
    crops = Crops(rendered, [0], 64, None, whole=True)
    drawn = [crops.draw(np.random.default_rng(i))[0] for i in range(6)]
    unchanged = [np.array_equal(sample.bg, rendered[0].bg) for sample in drawn]
    assert any(unchanged) and not all(unchanged)  # some are mirrored


def test_left_out_sequences_are_never_read(shared: Path) -> None:
    place = str(shared / "data" / "sequences" / "sbi_Board")
    with pytest.raises(SampleError, match="nothing to train on"):
        open_source(place, 64, None, ["sbi_Board"])


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """Two sequences of one frame, a box of its own grey in each, and one composite's material."""
    for name, grey in (("hall", 90), ("yard", 180)):
        for part in ("input", "groundtruth"):
            (tmp_path / "sequences" / name / part).mkdir(parents=True)
        picture, mask = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)
        cv2.imwrite(str(tmp_path / "sequences" / name / "bg.png"), picture)
        picture[10:50, 20:40], mask[10:50, 20:40] = grey, 255
        cv2.imwrite(str(tmp_path / "sequences" / name / "input" / "1.png"), picture)
        cv2.imwrite(str(tmp_path / "sequences" / name / "groundtruth" / "1.png"), mask)
    for part in ("backgrounds", "foregrounds"):
        (tmp_path / part).mkdir()
        cv2.imwrite(str(tmp_path / part / "1.png"), np.full((40, 40, 4), 255, np.uint8))
    return tmp_path


def test_composites_share_the_foreground_of_training_sequences(yard: Path) -> None:
    """A sequence that is left out shares nothing, nor do rendered scenes."""
    places = (f"composites:{yard}", str(yard / "sequences"), "rendered:2")
    sources = [open_source(place, 64, None, ["hall"]) for place in places]
    share_cutouts(sources)
    (composites, _), (recorded, _), (rendered, _) = sources
    assert isinstance(composites, Composites)
    assert isinstance(recorded, Crops)
    assert isinstance(rendered, Crops)
    assert [cutout.name for cutout in composites.cutouts] == ["1", "yard/1/1"]
    assert [cutout.name for cutout in recorded.cutouts] == ["1", "yard/1/1"]
    assert rendered.cutouts == []
    own = composites.cutouts[1]
    assert (own.colour[own.alpha == 255] == 180).all()


def test_objects_are_pasted_into_frames_of_sequences(yard: Path) -> None:
    """Half of them, and nine tenths of those; foreground stays foreground."""
    crops = Crops(open_samples(str(yard / "sequences")), [0, 1], 64, None)
    white = np.full((20, 20, 3), 255, np.uint8)
    changed = 0
    for i in range(200):
        crops.cutouts = []
        before, _ = crops.draw(np.random.default_rng(i))
        crops.cutouts = [Cutout("white", white, white[..., 0])]
        after, _ = crops.draw(np.random.default_rng(i))
        assert np.array_equal(before.bg, after.bg)
        assert (after.mask[before.mask == 255] == 255).all()
        put = (after.mask == 255) & (before.mask != 255)
        # The scene is black; a third of the objects are shifted towards that.
        assert not put.any() or after.fg_bg[put].max() > 20
        changed += bool(put.any())
    assert 0.33 < changed / 200 < 0.55


BAD = ["rendered:4=x", "rendered=-1", "rendered=nan", "rendered=inf", "/nowhere"]


@pytest.mark.parametrize("spec", [*BAD, "composites:/nowhere"])
def test_bad_sources_are_refused(spec: str) -> None:
    with pytest.raises(SampleError):
        open_source(spec, 64, None, [])


def test_a_large_set_is_read_as_it_is_drawn_and_broken_samples_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Flaky(Rendered):
        def __getitem__(self, index: int) -> Sample:
            if index % 2:
                raise SampleError(f"cannot read {index}")
            return super().__getitem__(index)

    monkeypatch.setattr("edge.train.data.crops.MAX_IN_MEMORY", 2)
    crops = Crops(Flaky(8, (64, 64)), range(8), 64, None)
    assert all(crops.draw(np.random.default_rng(i))[0].mask.shape == (64, 64) for i in range(6))
    assert "skipped: cannot read" in capsys.readouterr().err
