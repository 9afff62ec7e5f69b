"""TensorRT's timing cache beside the builds: reused, and never trusted."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.targets.timings import keep_timings, timings_file, use_timings

TRT = SimpleNamespace(__version__="10.3.0")


class Log:
    def __init__(self) -> None:
        self.warned: deque[str] = deque()


class Cache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> memoryview:
        return memoryview(self.data)


class Config:
    """As TensorRT's: it warns of bytes that it does not know and goes on with an empty cache."""

    def __init__(self, log: Log, gpu: bytes = b"a") -> None:
        self.log, self.gpu = log, gpu
        self.used: Cache | None = None
        self.given: list[bytes] = []

    def create_timing_cache(self, data: bytes) -> Cache:
        self.given.append(data)
        if data and not data.startswith(b"times of "):
            self.log.warned.append("Failed to deserialize timing cache. Returning an empty one.")
            data = b""
        return Cache(data or b"times of " + self.gpu)

    def set_timing_cache(self, cache: Cache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache.data.startswith(b"times of " + self.gpu):
            self.used = cache
            return True
        return False

    def get_timing_cache(self) -> Cache | None:
        return self.used


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return timings_file(tmp_path / "small-int8-tensorrt", TRT)


def built(file: Path, gpu: bytes = b"a") -> Config:
    """A build that adds one time."""
    log = Log()
    config = Config(log, gpu)
    cache = use_timings(config, file, log)
    assert cache is config.used
    cache.data += b", conv 3"
    keep_timings(config, file)
    return config


def test_the_next_build_takes_what_the_last_kept(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert file.name == ".tensorrt-10.3.0.timings"
    assert built(file).given == [b""]
    assert built(file).given == [b"times of a, conv 3"]
    assert capsys.readouterr().err == ""
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "it is damaged"),
        (lambda file: file.write_bytes(b""), "it is damaged"),
        (lambda file: file.write_bytes(b"\xff" * 999), "it is damaged"),
        (lambda file: (file.unlink(), file.mkdir()), "Is a directory"),
        (lambda file: built(file, b"b"), "it was made on another GPU"),
    ],
    ids=["truncated", "empty", "noise", "a folder", "another GPU"],
)
def test_one_that_does_not_fit_is_named_and_replaced(
    spoil, words: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built(file)
    spoil(file)
    capsys.readouterr()
    config = built(file)
    assert config.used is not None and config.used.data == b"times of a, conv 3"
    said = capsys.readouterr().err.splitlines()
    assert f"the timing cache {file} is not used: {words}; this build times" in said[0]
    if file.is_dir():
        assert len(said) == 2 and "the timing cache is not kept: cannot write" in said[1]
    else:
        assert len(said) == 1
        assert built(file).given == [b"times of a, conv 3"]


def test_what_tensorrt_refuses_is_refused_in_its_words(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole, but of another format: TensorRT warns and returns an empty cache."""
    keep_timings(SimpleNamespace(get_timing_cache=lambda: Cache(b"of a later version")), file)
    config = built(file)
    assert config.given == [b"of a later version", b""]
    assert "not used: Failed to deserialize timing cache" in capsys.readouterr().err
