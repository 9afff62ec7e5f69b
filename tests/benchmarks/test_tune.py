from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import typer

import edge as edge_package
from edge.benchmarks import tune
from edge.benchmarks.ledger import Candidate, Ledger, Point
from edge.benchmarks.tune import Constraints, missed, rank, search
from edge.calibrate.rendering.samples import Rendered
from edge.cli import tune as command
from edge.cli.app import app
from edge.errors import AccuracyGateMissed

from ..command import edge


def point(name: str, fps: float, iou: float, rung: int = 2) -> Point:
    return Point(
        Candidate(name, (224, 224), "int8", "openvino", "0"), rung, fps, 1e3 / fps, iou, None
    )


POINTS = [
    point("slow-best", 20, 0.95),
    point("good", 100, 0.945),
    point("quick", 200, 0.944),
    point("wrong", 400, 0.80),
]


def test_the_most_accurate_that_meets_both_constraints_comes_first() -> None:
    ordered = [p.candidate.network for p in rank(POINTS, Constraints(50, 0.01))]
    assert ordered[:2] == ["good", "quick"]
    assert ordered[-1] == "wrong"
    assert rank(POINTS, Constraints(10, 0.01))[0].candidate.network == "slow-best"


def test_every_other_misses_a_constraint() -> None:
    constraints = Constraints(50, 0.01)
    errors = [missed(p, POINTS, constraints) for p in POINTS]
    assert [str(error) if error else "" for error in errors] == [
        "20 fps, asked are 50", "", "", "0.1500 IoU below the best, allowed are 0.01",
    ]  # fmt: skip
    assert [error.exit_code if error else 0 for error in errors] == [4, 0, 0, 3]


def test_a_ledger_survives_a_cut_line_and_knows_its_own(tmp_path: Path) -> None:
    file = tmp_path / "new" / "ledger.jsonl"
    Ledger(file, {"samples": "a"}).add(POINTS[0])
    Ledger(file, {"samples": "b"}).add(POINTS[1])
    with file.open("a") as stream:
        stream.write('{"key": {"samples": "a"}, "poi')
    again = Ledger(file, {"samples": "a"})
    assert list(again.points.values()) == [POINTS[0]]


def test_half_of_the_candidates_go_on_and_a_killed_search_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight candidates whose worth is known; the search is killed in the middle of each rung."""
    measured: list[tuple[str, int]] = []

    def fake(todo: Sequence[Candidate], samples: Path, rung: int, *_: Any) -> Iterator[Point]:
        for number, candidate in enumerate(todo):
            if number == 2 and not (tmp_path / f"killed-{rung}").exists():
                (tmp_path / f"killed-{rung}").touch()
                raise KeyboardInterrupt
            measured.append((candidate.network, rung))
            worth = int(candidate.network)
            yield Point(candidate, rung, 100.0, 10.0, 0.9 + worth / 1000, 0.8)

    monkeypatch.setattr(tune, "_measure", fake)
    candidates = [Candidate(str(worth), (224, 224), "int8", "openvino", "0") for worth in range(8)]
    for _ in range(3):
        ledger = Ledger(tmp_path / "ledger.jsonl", {})
        try:
            points = search(
                candidates, Rendered(16), 16, Constraints(30, 0.01),
                ledger, tmp_path, lambda stage, done, total: None,
            )  # fmt: skip
            break
        except KeyboardInterrupt:
            continue
    assert sorted(measured) == sorted(
        [(str(w), 0) for w in range(8)] + [(str(w), 1) for w in range(4, 8)]
        + [(str(w), 2) for w in (6, 7)] + [("7", 2)]
    )  # fmt: skip
    assert points[0].candidate.network == "7"
    assert len(points) == 9
    assert [p.candidate.precision for p in points] == ["int8", "int8", "fp32", *["int8"] * 6]


def test_accuracy_is_relative_to_the_best_however_slow_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one would be left behind in the first rung."""
    known = {"a": (0.95, 20.0), "b": (0.90, 300.0), "c": (0.89, 400.0), "d": (0.88, 500.0)}

    def fake(todo: Sequence[Candidate], samples: Path, rung: int, *_: Any) -> Iterator[Point]:
        for candidate in todo:
            iou, fps = known[candidate.network]
            yield Point(candidate, rung, fps, 1e3 / fps, iou, None)

    monkeypatch.setattr(tune, "_measure", fake)
    constraints = Constraints(200, 0.01)
    points = search(
        [Candidate(name, (224, 224), "int8", "openvino", "0") for name in known],
        Rendered(16), 16, constraints, Ledger(tmp_path / "ledger.jsonl", {}), tmp_path,
        lambda stage, done, total: None,
    )  # fmt: skip
    last = [p for p in points if p.rung == points[0].rung]
    assert {p.candidate.network for p in last} >= {"a", points[0].candidate.network}
    assert "IoU below the best" in str(missed(points[0], last, constraints))


def test_samples_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(todo: Sequence[Candidate], samples: Path, rung: int, *_: Any) -> Iterator[Point]:
        for candidate in todo:
            yield Point(candidate, rung, 100.0, 10.0, 0.9, None)

    monkeypatch.setattr(tune, "_measure", fake)
    for part in ("input", "groundtruth"):
        (tmp_path / "hall" / part).mkdir(parents=True)
        for number in range(3):
            cv2.imwrite(str(tmp_path / f"hall/{part}/{number}.png"), np.zeros((64, 64), np.uint8))
    cv2.imwrite(str(tmp_path / "hall/bg.png"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "hall/input/1.png").write_bytes(b"cut short")
    words = ["tune", "--samples", str(tmp_path / "hall"), "--out", str(tmp_path / "out")]
    app(words, standalone_mode=False)
    assert "skipped hall/1: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("int8", "fp32", "says"),
    [
        (0.046, 0.046, "IoU 0.046 only: its mask is of little use"),
        (0.712, 0.9, "0.1880 IoU below its FP32, allowed are 0.01"),
    ],
)
def test_a_bad_mask_is_not_recommended_even_where_it_is_the_best(
    int8: float, fp32: float, says: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """All that was asked for is int8, and no good; the search knows what FP32 has."""

    def fake(todo: Sequence[Candidate], samples: Path, rung: int, *_: Any) -> Iterator[Point]:
        for candidate in todo:
            iou = fp32 if candidate.precision == "fp32" else int8
            yield Point(candidate, rung, 100.0, 10.0, iou, None)

    monkeypatch.setattr(tune, "_measure", fake)
    words = ["tune", "--samples", "rendered:16", "--networks", "nano", "--out", str(tmp_path)]
    words += ["--imgsz", "224", "--precision", "int8"]
    with pytest.raises(AccuracyGateMissed, match=f"no candidate meets .* nearest has {says}"):
        app(words, standalone_mode=False)
    assert f"nearest: {says}" in capsys.readouterr().out
    text = (tmp_path / "tune.html").read_text()
    assert "<h1>no candidate meets the constraints" in text and f"nearest: {says}" in text
    with pytest.raises(AccuracyGateMissed):
        app([*words, "--json"], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    assert (document["recommended"], document["warning"]) == (None, says)


def test_training_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert command._edge("--version") == f"edge {edge_package.__version__}"
    with pytest.raises(typer.Exit) as caught:
        command._edge("inspect", tmp_path)
    assert caught.value.exit_code == 5


@pytest.mark.slow
def test_a_checkpoint_is_tried_as_it_is_and_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained here, and on few and small images: Python and torch are imported already."""
    from edge.train.checkpoint import save
    from edge.train.networks import create

    def trained_here(*words: object) -> str:
        small = ["--imgsz", 64, "--batch", 4, "--workers", 0, "--steps", 1]
        small += ["--validate", "rendered:2:7"]
        done = edge(*words, *(small if words[0] == "prune" else []), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    monkeypatch.setattr(command, "_edge", trained_here)
    weights = create("nano").state_dict()
    state = {"network": "nano", "variant": {}, "weights": weights, "recipe": {}, "scores": {}}
    (tmp_path / "mine").mkdir()
    save(state, tmp_path / "mine" / "best.pt")
    few = ["--imgsz", "64", "--precision", "int8", "--target", "openvino", "--count", 16]
    few += ["--samples", "rendered:16:5", "--target-fps", 1, "--max-drop", 1, "--json"]
    prune = ["--prune", "0.7", "--pictures", 16, "--data", "rendered:4"]
    done = edge("tune", "--networks", "mine/best.pt", *prune, *few, cwd=tmp_path)
    assert done.returncode == 3, done.stderr  # untrained
    files = {Path(p["candidate"]["network"]) for p in json.loads(done.stdout)["points"]}
    whole, pruned = sorted((tmp_path / file for file in files), key=lambda file: len(file.name))
    assert whole.name.startswith("mine-") and pruned.name.startswith(f"{whole.stem}-0.")
    (result,) = (tmp_path / "tune" / "pruned").glob("*/pruned.json")
    reached = json.loads(result.read_text())
    assert reached["reason"] == "" and reached["share"] == pytest.approx(0.7, rel=0.03)
    assert f"-{reached['share']:.2f}-" in pruned.name
    sizes = [sum(np.prod(t.dims) for t in onnx.load(f).graph.initializer) for f in (whole, pruned)]
    assert sizes[1] < sizes[0]
    made = result.stat().st_mtime_ns
    again = edge("tune", "--networks", "mine/best.pt", *prune, *few, cwd=tmp_path)
    assert again.stdout == done.stdout
    assert result.stat().st_mtime_ns == made  # `edge prune` would write it again


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--prune", "0.5,1.5"], "--prune 1.5: expected shares between 0 and 1"),
        (["--prune", "half"], "--prune half: expected shares"),
        (["--networks", "nano", "--prune", "0.5"], "--networks runs/NAME/best.pt"),
        (["--data", "rendered"], "--data has no effect without --prune"),
        (["--pictures", "8"], "--pictures has no effect without --prune"),
        (["--leave-out", "hall"], "--leave-out has no effect without --prune"),
        (["--networks", "nano,other.pt", "--prune", "0.5"], "--networks other.pt: no such file"),
        (["--precision", "int8,fp23"], "--precision fp23: known are int8, fp16, bf16, fp32"),
        (["--target", "openvino,tpu"], "--target tpu: known are "),
        (["--upsample", "convtranspose,bicubic"], "--upsample bicubic: known are convtranspose"),
        (["--upsample", "convtranspose", "--precision", "fp32"], "no effect without int8"),
        (
            ["--precision", "int8,bf16", "--target", "onnxruntime"],
            "--precision bf16: none of onnxruntime can build it",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_trained(
    words: list[str], reason: str, tmp_path: Path
) -> None:
    done = edge("tune", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    few = [
        "tune",
        "--networks",
        "nano",
        "--imgsz",
        "64,96",
        "--precision",
        "int8",
        "--target",
        "openvino",
    ]
    few += ["--samples", "rendered:16:5", "--count", 16]
    done = edge(*few, "--target-fps", 1, "--max-drop", 1, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["recommended"].startswith("edge build --network nano --precision int8 --target")
    assert [p["candidate"]["precision"] for p in document["points"]] == ["int8", "fp32", "int8"]
    assert "<svg" in (tmp_path / "tune" / "tune.html").read_text()
    ledger = (tmp_path / "tune" / "ledger.jsonl").read_text()
    assert (
        edge(*few, "--target-fps", 1, "--max-drop", 1, "--json", cwd=tmp_path).stdout == done.stdout
    )
    assert (tmp_path / "tune" / "ledger.jsonl").read_text() == ledger
    too_much = edge(*few, "--target-fps", 1e7, cwd=tmp_path)
    assert too_much.returncode == 4
    assert "no candidate meets the constraints; the nearest has" in too_much.stderr
    wrong = edge("tune", "--target", "tensorrt", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "does not run here; these do: openvino, onnxruntime" in wrong.stderr
