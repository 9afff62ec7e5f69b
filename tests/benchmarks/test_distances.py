"""`make distances` on a rendered camera with depth that the test writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.benchmarks import distances
from edge.benchmarks.distances import Place, find_floor, main, positions
from edge.calibrate.rendering.scene import RenderedScene
from edge.samples.sample import FOREGROUND

SIZE = (240, 320)


def write_camera(folder: Path) -> None:
    scene = RenderedScene("yard", 1, SIZE)
    empty = scene.background()
    for part in ("rgb", "depth", "mask"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "bg.png"), empty.image)
    cv2.imwrite(str(folder / "bg_depth.png"), (1000 / empty.inverse_depth).astype(np.uint16))
    for number in range(8):
        view = scene.frame(number * 2.0)
        cv2.imwrite(str(folder / f"rgb/{number:03d}.jpg"), view.image)
        depth = (1000 / view.inverse_depth).astype(np.uint16)
        cv2.imwrite(str(folder / f"depth/{number:03d}.png"), depth)
        mask = (view.mask == FOREGROUND).astype(np.uint8) * 255
        cv2.imwrite(str(folder / f"mask/{number:03d}.png"), mask)


def test_the_table(
    tmp_path: Path,
    builds: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_camera(tmp_path / "yard")
    camera = RenderedScene("yard", 1, SIZE)._layout.camera
    monkeypatch.setattr(
        distances, "FOCAL", SIZE[0] / SIZE[1] / 2 / np.tan(camera.field_of_view / 2)
    )
    place = Place(((0.4, 0.95), (0.5, 0.6)), 4)
    monkeypatch.setattr(distances, "CAMERAS", {"yard": place, "absent": place})
    assert main([str(tmp_path), "--build", str(builds("openvino", "fp32"))]) == 0
    told = capsys.readouterr()
    row = next(line for line in told.out.splitlines() if line.startswith("| yard"))
    cells = [cell.strip() for cell in row.split("|")[2:]]
    assert int(cells[0]) >= int(cells[1]) >= 1
    assert 0 <= float(cells[2].split()[0]) < 40
    assert "absent is not there and is left out" in told.err


def test_the_floor_is_found_beside_what_stands_on_it() -> None:
    rows = np.mgrid[:120, :160][0] + 0.5
    focal, pitch, height = distances.FOCAL * 160, np.radians(25), 2.0
    down = np.array([0, np.cos(pitch), np.sin(pitch)])
    slopes = (rows - 60) / focal * down[1] + down[2]
    depth = np.minimum(height / np.maximum(slopes, 1e-3), 6.0)
    depth[40:90, 100:140] = np.minimum(depth[40:90, 100:140], 2.2)
    rng = np.random.default_rng(0)
    depth *= 1 + rng.normal(0, 0.004, depth.shape)
    depth[rng.random(depth.shape) < 0.1] = 0
    floor = find_floor(depth)
    assert floor.height == pytest.approx(height, rel=0.03)
    assert floor.down == pytest.approx(down, abs=0.03)
    point = positions(np.full_like(depth, 3.0))[110, 80][None]
    assert floor.distances(point)[0] == pytest.approx(
        float(np.linalg.norm(point[0] - (point[0] @ down) * down)), rel=0.02
    )


def test_a_folder_without_cameras_is_refused(
    tmp_path: Path, builds: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--build", str(builds("openvino", "fp32"))]) == 1
    assert "error: no camera of ist_class_one" in capsys.readouterr().err
