"""Files that are no checkpoint of ours: the message names what they are; no code in them runs."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edge.errors import EdgeError
from edge.train.checkpoint import load, load_run, save

Write = Callable[[Path], object]


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


def script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")


def of_ours(path: Path) -> bytes:
    save({"network": "nano", "weights": {"w": torch.zeros(4000)}}, path)
    return path.read_bytes()


FILES: dict[str, tuple[Write, str]] = {
    "a whole model": (
        lambda path: torch.save(torch.nn.Linear(2, 2), path),
        r"a file of torch\.save that holds Python objects, such as a whole model",
    ),
    "a model in a dictionary": (
        lambda path: torch.save({"epoch": 3, "model": torch.nn.Linear(2, 2)}, path),
        "a file of torch.save that holds Python objects",
    ),
    "code": (
        lambda path: torch.save({"network": "nano", "weights": Evil()}, path),
        "a file of torch.save that holds Python objects",
    ),
    "TorchScript": (script, "a TorchScript program"),
    "weights alone": (
        lambda path: torch.save(torch.nn.Linear(2, 2).state_dict(), path),
        "a state dictionary without `network` and `weights`",
    ),
    "a tensor": (lambda path: torch.save(torch.zeros(2), path), "a Tensor"),
    "a list": (lambda path: torch.save([1, 2], path), "a list"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Evil())), "a pickle of Python objects"),
    "an archive": (zipped, "a zip archive"),
    "text": (lambda path: path.write_text("not a checkpoint"), "neither an archive nor a pickle"),
    "nothing": (lambda path: path.touch(), "empty"),
    "half of ours": (
        lambda path: path.write_bytes(of_ours(path)[:2000]),
        "a truncated archive",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_checkpoint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write, content = FILES[name]
    path = tmp_path / "foreign.pt"
    write(path)
    with pytest.raises(
        EdgeError, match=rf"foreign\.pt is not a checkpoint of `edge train`: it is {content}"
    ) as caught:
        load(path)
    message = str(caught.value)
    assert "edge build MODEL.onnx" in message
    assert not [word for word in ("weights_only", "\n", "\x1b") if word in message]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not (tmp_path / "ran").exists()
    with pytest.raises(EdgeError):
        load_run(path)


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"no checkpoint .*best\.pt; `edge train` writes best\.pt"):
        load(tmp_path / "best.pt")


@pytest.mark.parametrize("member", ["data.pkl", "data/0"])
def test_a_flipped_bit_is_noticed(member: str, tmp_path: Path) -> None:
    """torch loads the weights without a word, and names the wrong reason for the rest."""
    path = tmp_path / "best.pt"
    raw = bytearray(of_ours(path))
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(f"/{member}"))
        place = raw.index(archive.read(name)) + 70
    raw[place] ^= 4
    path.write_bytes(raw)
    with pytest.raises(
        EdgeError, match=rf"damaged: the checksum of .*{Path(member).name} in it does"
    ) as e:
        load(path)
    assert e.value.exit_code == 1
