from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.accuracy import MaskCounts
from edge.benchmarks.accuracy import __main__ as accuracy
from edge.benchmarks.accuracy import measure, networks, tables
from edge.benchmarks.accuracy.disturbances import CLEAN, DISTURBANCES
from edge.benchmarks.accuracy.networks import Network, measured_disturbed
from edge.benchmarks.accuracy.shadows import labelled_shadow
from edge.benchmarks.peers.absdiff import difference
from edge.calibrate.pipeline import BuildRequest
from edge.calibrate.rendering.samples import Rendered
from edge.samples.sample import FOREGROUND, Sample

GREY = np.full((40, 60, 3), 100, np.uint8)


def test_a_median_and_a_threshold_may_change_places() -> None:
    rng = np.random.default_rng(0)
    bg, frame = (rng.integers(0, 256, (40, 60, 3), np.uint8) for _ in range(2))
    channels = np.abs(bg.astype(int) - frame).max(2)
    for level in (10, 60, 150):
        first = cv2.medianBlur(((channels >= level) * 255).astype(np.uint8), 5)
        assert np.array_equal(difference(bg, frame) >= level, first > 0)


def test_the_baseline_gets_its_best_threshold() -> None:
    """A thing 40 levels brighter, and half the wall brighter by 20: only 25 to 40 separate them."""
    frame, mask = GREY.copy(), np.zeros((40, 60), np.uint8)
    frame[:, :30] += 20
    frame[10:30, 40:55] += 40
    mask[10:30, 40:55] = FOREGROUND
    plain = measure.Thresholds()
    plain.add(CLEAN.name, "wall", (GREY, frame), Sample("wall/0", GREY, frame, mask))
    assert 20 < plain.best() <= 40
    assert plain.best_of("wall") == pytest.approx(1, abs=0.03)  # the median rounds corners


def test_networks_that_never_saw_the_sequences_are_disturbed_where_there_are_some() -> None:
    def kinds(*made: tuple[str, str, str]) -> list[str]:
        networks = [Network(name, kind, precision, {}) for name, kind, precision in made]
        return [f"{n.name} {n.kind}" for n in measured_disturbed(networks)]

    every = [("small", kind, "int8") for kind in ("bundled", "unseen", "pruned", "permissive")]
    alone = [("nano", "bundled", "fp32"), ("nano", "bundled", "int8")]
    assert kinds(*every, *alone) == ["small unseen", "small permissive", "nano bundled"]


@pytest.mark.slow
def test_the_tables_of_a_small_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """Rendered frames as a labelled sequence on disk, three disturbances, every table and image."""
    scene = tmp_path / "data" / "sequences" / "hall"
    rendered = Rendered(4, seed=31, frames_per_scene=4)
    for part in ("input", "groundtruth"):
        (scene / part).mkdir(parents=True)
    for number in range(4):
        sample = rendered[number]
        cv2.imwrite(str(scene / "bg.png"), sample.bg)
        cv2.imwrite(str(scene / "input" / f"{number}.png"), sample.fg_bg)
        cv2.imwrite(str(scene / "groundtruth" / f"{number}.png"), sample.mask)
    for name in set(DISTURBANCES) - {"40 % darker", "20 % darker", "offset of 2 pixels"}:
        monkeypatch.delitem(DISTURBANCES, name)
    monkeypatch.setattr(accuracy, "RENDERED", (4, 777))
    monkeypatch.setattr(networks, "names", lambda: ["nano", "small"])
    few = partial(BuildRequest, samples="rendered:8", calib_samples=8)
    monkeypatch.setattr(networks, "BuildRequest", few)
    assert accuracy.main([str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    for expected in (
        "| hall |",
        "| 40 % darker |",
        "| registered, without what sways |",
        "flicker between two",
        "| rendered scenes |",
    ):
        assert expected in text
    offset, stabilized = (
        [row.split("|")[2:-1] for row in text.splitlines() if row.startswith(f"| {name} |")]
        for name in ("offset of 2 pixels", "offset of 2 pixels, stabilized")
    )
    assert len(offset) == len(stabilized) == 2  # of F-measure lost, and of empty scenes
    assert stabilized[0][0].strip() == "-"
    assert float(stabilized[0][1]) <= float(offset[0][1]) + 0.02
    assert (tmp_path / "out" / "hall.jpg").stat().st_size > 10_000
    assert "hall.jpg" in (tmp_path / "out" / "index.html").read_text()


def test_a_folder_without_sequences_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accuracy.main([str(tmp_path)]) == 1
    assert "no folder" in capsys.readouterr().err


def test_sequences_without_foreground_have_a_dash() -> None:
    plain = measure.Thresholds()
    counts = {"wall": MaskCounts(tn=9), "hall": MaskCounts(tp=8, fn=2)}
    plain.counts[CLEAN.name] = {30: counts}
    network = Network("nano", "bundled", "int8", {}, counts={CLEAN.name: counts})
    rows = tables.sequence_table([network], plain)
    assert rows[2] == "| wall | - | - | - |"
    assert rows[-1].startswith("| **mean** | 0.8889 | 0.8889 | 0.8889 |")


def test_means_by_category_stand_beside_the_mean_of_all() -> None:
    scores = {"cdnet_fall": 2, "ucsd_ocean": 4, "cdnet_office": 9, "my_yard": 5}
    counts = {name: MaskCounts(tp=tp, fn=10 - tp) for name, tp in scores.items()}
    plain = measure.Thresholds()
    plain.counts[CLEAN.name] = {30: counts}
    network = Network("nano", "bundled", "int8", {}, counts={CLEAN.name: counts})
    network.shadows = [(3, 40), (1, 40)]
    rows = {row.split(" | ")[0]: row for row in tables.sequence_table([network], plain)}
    f = {name: 2 * tp / (10 + tp) for name, tp in scores.items()}
    assert f"{(f['cdnet_fall'] + f['ucsd_ocean']) / 2:.4f}" in rows["| moving background"]
    assert f"{f['cdnet_office']:.4f}" in rows["| calm"]
    assert f"{sum(f.values()) / 4:.4f}" in rows["| **mean**"]
    assert "5.0 %" in rows["| of labelled shadows, foreground"]


def test_labelled_shadows_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "yard" / "groundtruth"
    folder.mkdir(parents=True)
    labels = np.zeros((4, 6), np.uint8)
    labels[1, 2:5], labels[2] = 50, 255
    cv2.imwrite(str(folder / "000001.png"), labels)
    cv2.imwrite(str(folder / "000002.png"), np.zeros((4, 6), np.uint8))
    found = labelled_shadow(tmp_path, "yard/000001")
    assert found is not None
    assert np.array_equal(found, labels == 50)
    assert labelled_shadow(tmp_path, "yard/000002") is None
    assert labelled_shadow(tmp_path, "yard/000003") is None
