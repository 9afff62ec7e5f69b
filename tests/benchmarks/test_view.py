"""The benchmark of the view, on a few frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edge.benchmarks import view
from edge.calibrate.rendering.scene import RenderedScene

from ..edge.sinks.broker import free_port


@pytest.mark.slow
def test_spells_with_and_without_viewers(
    builds: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = RenderedScene("yard", 3, (60, 80))
    for number in range(20):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), scene.frame(number / 4).image)
    build, looked = builds("onnxruntime", "fp32"), []
    monkeypatch.setattr(view, "LEARNED", 10)
    monkeypatch.setattr(view, "KEPT", 10)
    show = view.ViewServer.__init__

    def kept(server: view.ViewServer, feed: view.Feed, place: str) -> None:
        show(server, feed, place)
        looked.append(feed)

    monkeypatch.setattr(view.ViewServer, "__init__", kept)
    words = [str(tmp_path), str(build), "--place", f"127.0.0.1:{free_port()}"]
    assert view.main([*words, "--rounds", "1", "--seconds", "2"]) == 0
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines()]
    assert [row[1] for row in rows[2:4]] == ["30", "30"]
    assert all(float(row[4]) <= float(row[2]) for row in rows[2:4])  # waiting left out
    assert looked[0].slot(view.NAME).look.number > 5  # somebody looked


def test_what_is_no_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view.main([str(tmp_path / "none.avi"), str(tmp_path)]) == 1
    assert "no file or folder" in capsys.readouterr().err
