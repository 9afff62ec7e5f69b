"""A machine without /dev/shm, as some containers are: POSIX semaphores cannot be made there."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from multiprocessing import synchronize
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.errors import EdgeError

pytest.importorskip("torch")
from edge.train.build_timer import time_builds
from edge.train.data.mix import batches

WITHOUT = """
import multiprocessing, sys
from pathlib import Path
import numpy as np
import edge
from edge.scene.background import certain
from edge.watch.float_process import FloatProcess

if __name__ == "__main__":
    try:
        multiprocessing.Lock()
    except OSError:
        with edge.open(sys.argv[1]) as h:
            image = np.zeros((h.height, h.width, 3), np.uint8)
            edge.set_background(h, image)
            edge.infer(h, image)
        shadow = FloatProcess(Path(sys.argv[1]))
        mask, _ = shadow.infer("yard", certain(image), image)
        shadow.close()
        print("mask", mask.shape)
    else:
        sys.exit("the namespace has its /dev/shm after all")
"""


@pytest.fixture
def no_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(synchronize, "_multiprocessing", SimpleNamespace(SemLock=refuse))


def test_workers_of_training(no_semaphores: None) -> None:
    with pytest.raises(EdgeError) as caught:
        next(batches(None, workers=1))  # type: ignore[arg-type]
    assert str(caught.value) == (
        "processes beside this one need /dev/shm, which cannot be used: Read-only file system;"
        " mount it: mount -t tmpfs tmpfs /dev/shm, or make the images in this process: --workers 0"
    )


def test_what_prune_times(no_semaphores: None) -> None:
    with pytest.raises(EdgeError, match=r"need /dev/shm, .*; mount it: mount -t tmpfs"):
        time_builds([], "onnxruntime", [], 1)


@pytest.mark.slow
def test_watching_and_its_shadow_need_none(builds, tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("no mount namespace of its own is allowed here")
    program = tmp_path / "program.py"
    program.write_text(WITHOUT)
    shell = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'
    words = ["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, str(program)]
    done = subprocess.run(
        [*words, str(builds("onnxruntime", "int8"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "mask (64, 64)\n"
