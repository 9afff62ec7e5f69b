"""What runs out or is missing: descriptors, memory, the disk, a home, names of hosts."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.camera import camera
from edge.camera.camera import Camera
from edge.camera.reader import open_reader
from edge.camera.source import Decoded, Reader
from edge.cli import app
from edge.files import atomic_write

from ..edge.sinks.broker import free_port

LIMITED = """
import resource, sys
kind = getattr(resource, sys.argv[1])
import edge.cli.app
resource.setrlimit(kind, (int(sys.argv[2]),) * 2)
sys.argv = ["edge", *sys.argv[3:]]
edge.cli.app.main()
"""
SMALL = "--network nano --imgsz 32 --precision fp32 --target onnxruntime"


def edge(
    words: str, cwd: Path, before: tuple[str, ...] = ("-m", "edge"), **environment: str | None
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for name, value in environment.items():
        env.pop(name, None)
        env |= {} if value is None else {name: value}
    command = [sys.executable, *before, *words.split()]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence by which a command ended with exit code 1."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    return last


def limited(kind: str, value: int, words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return edge(f"{kind} {value} {words}", cwd, ("-c", LIMITED))


def main(monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    """`edge` in this process; its exit code."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # main takes SIGTERM of this process
    monkeypatch.setattr(sys, "argv", ["edge", *words.split()])
    with pytest.raises(SystemExit) as end:
        app.main()
    return int(end.value.code or 0)


def test_no_descriptor_is_left(
    builds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = builds("onnxruntime", "int8")
    assert main(monkeypatch, f"inspect {build}") == 0
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(64)]  # fills the gaps, too
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1, limits[1]))
        code = main(monkeypatch, f"inspect {build}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)
    assert code == 1
    assert capsys.readouterr().err == f"error: Too many open files: {build}/manifest.json\n"


def test_a_full_disk(tmp_path: Path) -> None:
    done = limited("RLIMIT_FSIZE", 100_000, f"build {SMALL} --out a", tmp_path)
    assert one_sentence(done).startswith(f"error: cannot write {tmp_path}/a: File too large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "Unable to allocate 9.3 GiB"])
def test_too_little_memory(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy() -> None:
        raise MemoryError(text)

    monkeypatch.setattr(app, "app", greedy)
    assert main(monkeypatch, "build") == 1
    assert capsys.readouterr().err == (
        "error: the memory of this machine or of its limit is not enough"
        + (f": {text}" if text else "") + "\n"
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "/proc/none"], ids=["no HOME", "a HOME that is read-only"])
def test_without_a_home(home: str | None, tmp_path: Path, builds) -> None:
    words = f"run synthetic://room --build {builds('openvino', 'int8')} --seconds 1 --frames 2"
    done = edge(words, tmp_path, HOME=home, XDG_CACHE_HOME=home, XDG_CONFIG_HOME=home)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_on_one_build(tmp_path: Path, builds) -> None:
    words = f"run synthetic://room --build {builds('onnxruntime', 'int8')} --seconds 1 --frames 9"
    done = []
    threads = [threading.Thread(target=lambda: done.append(edge(words + " --json", tmp_path)))
               for _ in range(2)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]


def test_a_signal_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """The file is whole after each, the old one or a new one; nothing lies beside it."""
    path, rng = tmp_path / "file", random.Random(4)
    path.write_bytes(bytes(1 << 20))
    for number in range(1, 31):
        kind = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)[number % 3]
        ready, write = os.pipe()
        if (child := os.fork()) == 0:
            try:
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.write(write, b"x")
                while True:
                    with atomic_write(path) as draft, draft.open("wb") as stream:
                        for _ in range(16):
                            stream.write(bytes([number]) * (1 << 16))
            except BaseException:
                pass
            finally:
                os._exit(0)
        os.read(ready, 1)
        time.sleep(rng.uniform(0, 0.01))
        os.kill(child, kind)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(write)
        content = path.read_bytes()
        assert len(content) == 1 << 20 and len(set(content)) == 1
    with atomic_write(path) as draft:  # takes away what killed ones left
        draft.write_bytes(b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


class Broken:
    """A live source of one frame."""

    live, fps = True, 5.0

    def __init__(self) -> None:
        self.frames = [Decoded(np.zeros((8, 8, 3), np.uint8))]

    def read(self) -> Decoded | None:
        return self.frames.pop() if self.frames else None

    def skip(self) -> bool:
        return self.read() is not None

    def close(self) -> None:
        pass


def test_a_thousand_reconnects_to_a_camera_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a name that nobody knows each would take as long as the DNS of the machine."""
    place = f"127.0.0.1:{free_port()}"
    attempts, opener = 0, open_reader

    def counted(url: str, value_range: object = None) -> Reader:
        nonlocal attempts
        attempts += 1
        return Broken() if attempts == 1 else opener(url, value_range)  # type: ignore[arg-type]

    def used() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    monkeypatch.setattr(camera, "open_reader", counted)
    monkeypatch.setattr(camera, "FIRST_WAIT_S", 0)
    monkeypatch.setattr(camera, "LONGEST_WAIT_S", 0)
    with Camera(f"rtsp://ann:pw@{place}/live") as source:
        _until(lambda: attempts >= 20)
        before = used()
        _until(lambda: attempts >= 1020)
        after = used()
        events = [item.text for _ in range(9) if (item := source.take()) is not None
                  and hasattr(item, "kind")]  # fmt: skip
    assert events == [f"rtsp://***@{place}/live is lost; trying again until it is back"]
    # An attempt that is under way has descriptors and a thread of its own.
    assert after[0] <= before[0] + 6 and after[1] <= before[1] + 2, (before, after)


def _until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.01)
