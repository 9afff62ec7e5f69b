"""Options of `edge train`, `prune`, `networks` and `dataset` before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edge.cli.app import app
from edge.cli.training import split_names
from edge.errors import EdgeError, UsageError
from edge.train.recipe import Recipe
from edge.train.setup import create_fabric, read_data


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Two labelled sequences of three frames."""
    for name in ("hall", "yard"):
        for part in ("input", "groundtruth"):
            (tmp_path / "scenes" / name / part).mkdir(parents=True)
            for number in range(3):
                file = tmp_path / "scenes" / name / part / f"{number}.png"
                cv2.imwrite(str(file), np.zeros((32, 32, 3), np.uint8))
        cv2.imwrite(str(tmp_path / "scenes" / name / "bg.png"), np.zeros((32, 32, 3), np.uint8))
    return tmp_path / "scenes"


def recipe(
    data: object, leave_out: str = "", validate: object = "rendered:2", **more: str
) -> Recipe:
    return Recipe(
        "nano", (str(data),), split_names(leave_out), 1, 16, 4, 64, 1e-3, 0,
        validate=(str(validate),), **more,
    )  # fmt: skip


@pytest.mark.parametrize("whole", [True, False])
def test_whole_pictures_are_shown_if_asked_for(whole: bool) -> None:
    ((source, _),) = read_data(replace(recipe("rendered:1"), whole=whole)).sources
    shown = {source.draw(np.random.default_rng(i))[0].bg.tobytes() for i in range(8)}
    assert (len(shown) == 2) == whole  # as it is, and mirrored


def test_names_may_have_spaces(scenes: Path) -> None:
    sources = read_data(recipe(scenes, " hall ,")).sources
    assert {sources[0][0].draw(np.random.default_rng(i))[0].name for i in range(9)} <= {
        f"yard/{number}" for number in range(3)
    }
    assert split_names(" hall, yard ,") == ("hall", "yard")


def test_a_name_that_is_none_is_refused(scenes: Path) -> None:
    with pytest.raises(UsageError, match=r"--leave-out hal: no such sequence.*hall, yard"):
        read_data(recipe(scenes, "yard,hal"))


def test_weights_are_chosen_by_what_was_left_out(
    scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validation = read_data(recipe(f"{scenes}=2", "yard", scenes)).validation
    assert [name for name, _ in validation] == ["yard"] * 3
    assert "say nothing new" not in capsys.readouterr().err
    validation = read_data(recipe(scenes, "", scenes)).validation
    assert len(validation) == 6
    assert "is trained on as well: its scores say nothing new" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: create_fabric("cpu", "fp16"), "--precision fp16: expected 32-true, bf16-mixed"),
        (lambda: create_fabric("gpu0", "32-true"), "--accelerator gpu0, --devices 1: "),
        (lambda: read_data(recipe("rendered:2=0")), "every --data has a weight of 0"),
    ],
)
def test_wrong_words_are_refused(make: Callable[[], object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make()


def test_a_teacher_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a diary")
    with pytest.raises(EdgeError, match=r"notes\.txt is not an ONNX network: "):
        read_data(recipe("rendered:2", depth_teacher=str(tmp_path / "notes.txt")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--outputs=depth", "--mask-loss=bce"], "--mask-loss has no effect on a network"),
        (["train", "--outputs=mask", "--depth-loss=l1"], "--depth-loss has no effect on a network"),
        (["train", "--imgsz=64", "--depth-loss=ms_ssim"], "needs images of at least 161 pixels"),
        (["train", "--start=nano", "--network=tiny"], "nano is a nano, --network says tiny"),
        (["train", "--start=nano", "--outputs=mask"], "nano has inputs spread and outputs both"),
        (["export", "mine.onnx"], "mine.onnx is an exported network already"),
        (["networks", "--count=4"], "--count has no effect without --runs"),
        (["networks", "--imgsz=64"], "--imgsz has no effect without --runs"),
        (["networks", "--samples=rendered:4"], "--samples has no effect without --runs"),
    ],
)
def test_options_without_effect_are_refused(words: list[str], message: str) -> None:
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


@pytest.mark.parametrize(
    ("words", "rate"),
    [([], 3e-3), (["--start=nano"], 3e-4), (["--start=nano", "--rate=1e-3"], 1e-3)],
)
def test_what_is_learned_already_is_trained_on_gently(
    words: list[str], rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes: list[Recipe] = []
    monkeypatch.setattr("edge.cli.train._run", lambda recipe, *_, **__: recipes.append(recipe))
    CliRunner().invoke(app, ["train", *words], catch_exceptions=False)
    assert recipes[0].rate == rate
