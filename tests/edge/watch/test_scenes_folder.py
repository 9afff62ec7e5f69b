"""The folder of what is learned belongs to one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.watch.config import CameraConfig
from edge.watch.scenes import Scenes

HOLD = """
import sys
from pathlib import Path
from edge.watch.scenes import Scenes
scenes = Scenes(Path(sys.argv[1]))
scenes.claim("door")
print("held", flush=True)
sys.stdin.read()
"""


def test_two_processes_do_not_share_the_folder_of_a_camera(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    scenes = Scenes(tmp_path)
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "held\n"
            for _ in range(2):
                with pytest.raises(EdgeError) as caught:
                    scenes.claim("door")
                assert str(caught.value) == (
                    f"{tmp_path}/scenes/door is in use by another `edge watch`, expected one for"
                    " each camera; end that one, or give another --folder (in cameras.toml:"
                    " `folder`)"
                )
            scenes.claim("yard")
        finally:
            process.kill()
    scenes.claim("door")  # a killed process holds nothing
    scenes.claim("door")  # it is opened again


def test_a_folder_belongs_to_a_source_a_range_and_a_background(tmp_path: Path) -> None:
    scenes = Scenes(tmp_path)
    (tmp_path / "bg.png").write_bytes(b"a")
    camera = CameraConfig("door", "rtsp://a", tmp_path / "bg.png")
    assert scenes.of(camera).folder == tmp_path / "scenes" / "door"
    assert not (tmp_path / "scenes").exists()  # a recording is not learned from
    origins = {scenes.of(camera)._origin}
    (tmp_path / "bg.png").write_bytes(b"b")
    for other in (
        camera,
        CameraConfig("door", "rtsp://b", tmp_path / "bg.png"),
        CameraConfig("door", "rtsp://a", range="1:999"),
        CameraConfig("door", "rtsp://a"),
    ):
        origins.add(scenes.of(other)._origin)
    assert len(origins) == 5
