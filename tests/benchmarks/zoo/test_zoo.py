from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
import typer.main

from edge.benchmarks.accuracy.disturbances import DISTURBANCES
from edge.benchmarks.accuracy.networks import left_out
from edge.benchmarks.reporting.report import Machine
from edge.benchmarks.zoo import journal, training
from edge.benchmarks.zoo.card import STAGES, card
from edge.benchmarks.zoo.journal import Journal, hide_places, published_command, published_metadata
from edge.bundled import bundled, names
from edge.cli.app import app
from edge.errors import EdgeError

SCORES = {
    "f_measure": {"hall": 0.97, "yard": 0.9},
    "lost": dict.fromkeys(DISTURBANCES, 0.0)
    | {"20 % darker": 0.001, "a shadow alone": 0.01, "offset of 2 pixels": 0.03}
    | {"offset of 2 pixels, stabilized": 0.02},
    "flicker": 0.0004,
    "depth": {"rendered scenes": {"abs_rel": 0.1, "delta1": 0.9}},
}
BOTH = {"fp32": SCORES, "int8": SCORES}
RESULTS = {
    "absolute_difference": {"hall": 0.95, "yard": 0.8},
    **{kind: dict.fromkeys(names(), BOTH) for kind in ("unseen", "bundled", "permissive")},
}
STEP = {
    "seconds": 1800.0, "cores": 2, "processor": "CPU", "images": 48000,
    "command": "edge train --network small",
}  # fmt: skip
STEPS = dict.fromkeys(STAGES, STEP)


@pytest.mark.parametrize("name", names())
def test_a_card_says_what_a_user_must_know(name: str) -> None:
    text = card(name, STEPS, RESULTS)
    for part in ("## Trained on", "## Scores", "## Licence", "edge train", "48,000 images"):
        assert part in text
    assert "| yard | 0.9000 | 0.9000 | 0.9000 | 0.8000 |" in text
    assert "| **mean** | 0.9350 | 0.9350 | 0.9350 | 0.8750 |" in text
    assert "on 2 cores (CPU), no GPU; times" in text.replace("\n", " ")
    on_a_gpu = {name: STEP | {"gpu": "NVIDIA H100"} for name in STAGES}
    assert "on one NVIDIA H100 and 2 cores (CPU); times" in " ".join(
        card(name, on_a_gpu, RESULTS).split()
    )
    worst = "offset of 2 pixels (0.0300), a shadow alone (0.0100), 20 % darker (0.0010); behind"
    assert worst in text and "`edge.Stabilizer` offset of 2 pixels loses 0.0200" in text


def test_every_bundled_network_was_trained_on_everything() -> None:
    assert [left_out(bundled(name)) for name in names()] == [[] for _ in names()]
    assert sum(bundled(name).stat().st_size for name in names()) < 19e6


@pytest.mark.parametrize("stage", training.STAGES, ids=lambda stage: stage.name)
def test_the_zoo_trains_with_commands_of_ours(stage: training.Stage, tmp_path: Path) -> None:
    words = training.command(stage, tmp_path, tmp_path / "teacher.onnx", tmp_path / "runs")
    train = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    found = train.make_context("train", words[2:]).params
    assert found["network"] == "small,tiny,nano"
    assert found["resume"]
    assert found["epochs"] * found["pictures"] == stage.images
    of = "base" if stage.name == "base" else "all"
    assert found["scene"] == tmp_path / "runs" / "scene" / of / "best.pt"
    # Only `base` is free of pictures that nobody may sell.
    restricted = [place for place in found["data"] if place.startswith(str(tmp_path / "seq"))]
    assert bool(restricted) == (stage.name != "base")
    assert found["leave_out"] == ",".join(stage.left_out)
    assert bool(stage.left_out) == stage.name.startswith("fold")
    # No fold goes on from a network that has seen what it leaves out.
    starts = {"base": None, "final": tmp_path / "runs" / "former"}
    assert found["start"] == starts.get(stage.name, tmp_path / "runs" / "base")


@pytest.mark.parametrize("name", training.SCENES)
def test_the_depth_of_the_scene_sees_no_sequence(name: str, tmp_path: Path) -> None:
    words = training.scene_command(name, tmp_path, tmp_path / "teacher.onnx", tmp_path / "runs")
    train = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    found = train.make_context("train", words[2:]).params
    assert found["network"] == "scene"
    assert found["epochs"] * found["pictures"] == training.SCENES[name]
    free = ["rendered:480=1", f"composites:{tmp_path}/runs/free=2"]
    assert (found["data"] == free) == (name == "base")
    # Nor is an encoder that saw ImageNet.
    assert (found["start"] is None) == (name == "base")
    assert found["whole"] and not any("held_out" in place for place in found["data"])
    assert not any("sequences" in place for place in found["data"])


def test_its_folds_are_pruned_with_a_command_of_ours(tmp_path: Path) -> None:
    fold = training.FOLD_STAGES[-1]
    words = training.prune_command(fold, tmp_path, tmp_path / "teacher.onnx", tmp_path / "runs")
    prune = typer.main.get_command(app).commands["prune"]  # type: ignore[attr-defined]
    found = prune.make_context("prune", words[2:]).params
    assert found["target_macs"] == training.SHARE and found["pictures"] == training.PRUNED_IMAGES
    assert str(found["checkpoint"]).endswith("runs/fold3/small/best.pt")
    assert found["leave_out"] == ",".join(training.FOLDS[-1])


def test_the_gpu_is_the_one_that_training_takes() -> None:
    assert journal.gpu() == (torch.cuda.get_device_name() if torch.cuda.is_available() else None)


def test_a_card_without_folds_says_so() -> None:
    results = {kind: found for kind, found in RESULTS.items() if kind != "unseen"}
    assert "has seen all of them" in card("nano", STEPS, results)
    assert "never saw it" in card("nano", STEPS, RESULTS)


def test_what_judges_the_bundled_networks_is_exported_beside_its_runs(tmp_path: Path) -> None:
    files = [training.file_of("nano", stage, tmp_path) for stage in training.STAGES]
    beside = [str(file.relative_to(tmp_path)) for file in files]
    assert beside == [f"{name}/nano.onnx" for name in ("base", "fold1", "fold2", "fold3", "final")]


def test_folds_leave_each_sequence_out_once() -> None:
    every = [scene for fold in training.FOLDS for scene in fold]
    assert len(every) == len(set(every)) == 23


def test_the_free_pictures_are_linked_and_missed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in training.FREE:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("a picture")
    training.link_free(data, tmp_path / "free")
    training.link_free(data, tmp_path / "free")  # a run that was killed goes on
    assert (tmp_path / "free" / training.FREE[0]).read_text() == "a picture"
    (data / training.FREE[2]).unlink()
    with pytest.raises(EdgeError, match="is missing"):
        training.link_free(data, tmp_path / "free")


def test_a_killed_step_is_counted_and_a_finished_one_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(words: list[str], check: bool) -> None:
        calls.append(words)
        if len(calls) == 1:
            raise KeyboardInterrupt

    about = Machine("CPU", 2, 2, "Linux", "3.12", {})
    monkeypatch.setattr(journal, "machine", lambda: about)
    monkeypatch.setattr(journal, "gpu", lambda: "H100")
    monkeypatch.setattr(journal.subprocess, "run", run)
    monkeypatch.setattr(journal.time, "monotonic", itertools.count().__next__)
    file = tmp_path / journal.JOURNAL
    words = ["edge", "train", "--data", str(tmp_path / "photos")]
    with pytest.raises(KeyboardInterrupt):
        Journal(file, {str(tmp_path): "DATA"}).run("nano/final", words, 64)
    assert not json.loads(file.read_text())["nano/final"]["finished"]
    for _ in range(2):
        Journal(file, {str(tmp_path): "DATA"}).run("nano/final", words, 64)
    assert len(calls) == 2
    step = json.loads(file.read_text())["nano/final"]
    assert step["finished"] and step["gpu"] == "H100"
    assert step["command"] == "edge train --data DATA/photos"
    assert step["seconds"] == 2  # one of the clock's for each attempt
    with pytest.raises(
        EdgeError, match=r"(?s)has nano/final by another command.*delete that entry"
    ):
        Journal(file, {}).run("nano/final", [*words, "--rate", "1"], 64)


@pytest.mark.parametrize(
    ("place", "value", "published"),
    [
        ("data", "composites:data=3", "composites:DATA=3"),
        ("data", "data/sequences=2", "DATA/sequences=2"),
        ("data", "composites:data,data/more", "composites:DATA,DATA/more"),
        ("data/", "data/a/data/b", "DATA/a/data/b"),
        ("data", "composites:mydata=3", "composites:mydata=3"),
        ("data", "database/data.onnx", "database/data.onnx"),
        ("../shared/data", "composites:../shared/data=3", "composites:DATA=3"),
        ("/mnt/data", "/srv/mnt/data/x", "/srv/mnt/data/x"),
        ("a.b", "axb/c", "axb/c"),
    ],
)
def test_only_whole_components_of_a_path_are_hidden(place: str, value: str, published: str) -> None:
    assert hide_places(value, {place: "DATA"}) == published


@pytest.mark.parametrize("folder", ["data", "train", "edge", "scene", "out"])
def test_no_name_of_ours_is_taken_for_a_folder(folder: str) -> None:
    """`make zoo DATA=data` published `--DATA composites:DATA=3`, and a metadata key `DATA`."""
    words = ["edge", "train", "--data", f"composites:{folder}=3", "--out", "runs/x", "--resume"]
    places = {folder: "DATA", "runs": "RUNS"}
    command = published_command(words, places)
    assert command == "edge train --data composites:DATA=3 --out RUNS/x --resume"
    metadata = {folder: [f"composites:{folder}=3"], "start": f"{folder}/best.pt", "epochs": 3}
    published = published_metadata(metadata, places)
    assert set(published) == set(metadata)
    assert published[folder] == ["composites:DATA=3"]


def test_a_place_inside_another_is_hidden_as_itself() -> None:
    places = {"data": "DATA", "data/runs": "RUNS", "data/teacher.onnx": "TEACHER.onnx"}
    assert hide_places("data/runs/free", places) == "RUNS/free"
    assert hide_places("data/teacher.onnx", places) == "TEACHER.onnx"


def test_the_bundled_networks_are_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.keep_former(tmp_path)
    kept = {name: (tmp_path / training.FORMER / f"{name}.onnx").read_bytes() for name in names()}
    assert kept == {name: bundled(name).read_bytes() for name in names()}
    # A run that goes on after it has replaced them keeps those from before.
    other = tmp_path / "other"
    other.mkdir()
    for name in names():
        (other / f"{name}.onnx").write_bytes(b"new")
    monkeypatch.setattr(training, "FOLDER", other)
    training.keep_former(tmp_path)
    assert kept == {
        name: (tmp_path / training.FORMER / f"{name}.onnx").read_bytes() for name in names()
    }
