from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera import video
from edge.camera.video import FORMATS, Video
from edge.errors import EdgeError, UsageError


def played(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    return images


@pytest.mark.parametrize("ending", FORMATS)
def test_what_was_written_is_played(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"a{ending}"
    made = Video(path, (48, 64), 10)
    for level in range(0, 200, 20):
        made.write(np.full((48, 64, 3), level, np.uint8))
    made.close()
    assert [p.mean() for p in played(path)] == pytest.approx(list(range(0, 200, 20)), abs=6)


@pytest.mark.parametrize("name", ["12:30.mp4", "OUT.MP4"])
def test_a_name_with_a_colon_or_in_upper_case(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = Video(Path(name), (48, 64), 10)
    made.write(np.zeros((48, 64, 3), np.uint8))
    made.close()
    assert len(played(tmp_path / name)) == 1


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi", ".webm"])
@pytest.mark.parametrize("fps", [1000 / 15, 1000 / 14, 30000 / 1001, 118.37, 0.5])
def test_every_rate_of_a_camera_can_be_written(fps: float, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    made = Video(path, (48, 64), fps)
    made.write(np.zeros((48, 64, 3), np.uint8))
    made.close()
    assert len(played(path)) == 1


@pytest.mark.parametrize("ending", [".mkv", ".avi", ".webm"])
def test_a_killed_process_leaves_a_video_that_plays_up_to_there(
    ending: str, tmp_path: Path
) -> None:
    program = (
        "import os, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from edge.camera.video import Video\n"
        "made = Video(Path(sys.argv[1]), (240, 320), 10)\n"
        "rng = np.random.default_rng(0)\n"
        "for _ in range(120): made.write(rng.integers(0, 256, (240, 320, 3), np.uint8))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / f"a{ending}"
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert len(played(path)) > 60


def test_a_full_disk_ends_the_video_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    made = Video(path, (48, 64), 10)
    full = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    with pytest.raises(EdgeError, match=r"has 1 MB free.*a\.mp4 plays up to here \(30 frames\)"):
        for number in range(100):
            if number == 20:
                monkeypatch.setattr(video.shutil, "disk_usage", lambda place: full)
            made.write(np.full((48, 64, 3), number, np.uint8))
    assert len(played(path)) == 30


def test_an_ending_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.mp4, \.mkv, \.avi, \.webm"):
        Video(tmp_path / "a.gif", (48, 64), 10)
