"""Cases: frames at which the network was wrong, kept in the layout of a labelled sequence.

    <folder>/<camera>-<event>/bg.jpg                 what the frame was compared with
                              bg.spread.png          its spread, where it is known
                              input/000001.jpg       the frame
                              groundtruth/000001.png what is right, as far as somebody said it
                              mask.png               what the network gave
                              event.json             what was told, and why

`edge dataset` and `edge train` read a folder of them (edge.samples.sequences).
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from edge.events.event import Event
from edge.files import atomic_folder
from edge.samples.sample import BACKGROUND, IGNORED, Image
from edge.view.evidence import Evidence, png

CASES = "cases"
"""Subfolder of the configuration's folder."""
AROUND = 0.15
"""Share of its box that is empty around what nobody was: shadows, and what a mask misses."""


def write_case(folder: Path, event: Event, why: str, evidence: Evidence, nobody: bool) -> Path:
    """Write the case of an event; one that is there already is replaced.

    Args:
        folder: of all cases.
        event: that was wrong.
        why: sentences that explain it.
        evidence: its frame, with `frame`.
        nobody: nobody was there: the place of the event is labelled as background, and the rest of
            the frame as unknown. Else nothing is labelled: `groundtruth` is empty.

    Returns:
        The folder of the case.

    Raises:
        NotWritten: it cannot be written.
    """
    assert evidence.frame is not None
    frame = _decoded(evidence.frame, cv2.IMREAD_COLOR)
    height, width = frame.shape[:2]
    place = folder / f"{event.camera}-{event.id}"
    with atomic_folder(place) as draft:
        (draft / "input").mkdir()
        (draft / "groundtruth").mkdir()
        (draft / "bg.jpg").write_bytes(evidence.background)
        (draft / "input" / "000001.jpg").write_bytes(evidence.frame)
        if evidence.spread is not None:
            spread = _decoded(evidence.spread, cv2.IMREAD_COLOR)
            spread = np.asarray(cv2.resize(spread, (width, height)), np.uint8)
            (draft / "bg.spread.png").write_bytes(png(spread))
        mask = _decoded(evidence.mask, cv2.IMREAD_GRAYSCALE)
        mask = np.asarray(cv2.resize(mask, (width, height)), np.uint8)
        (draft / "mask.png").write_bytes(png(mask))
        if nobody:
            labels = png(_nobody(event, (height, width)))
            (draft / "groundtruth" / "000001.png").write_bytes(labels)
        said = {"nobody": nobody, "why": why, "event": event.as_dict()}
        text = json.dumps(said, indent=1, ensure_ascii=False)
        (draft / "event.json").write_text(text + "\n", "utf-8")
    return place


def _nobody(event: Event, size: tuple[int, int]) -> Image:
    """Labels of a frame, uint8 [H, W]: background where the event was, unknown elsewhere."""
    assert event.box is not None and event.size is not None
    labels = np.full(size, IGNORED, np.uint8)
    left, top, wide, tall = event.box
    x, y = AROUND * wide, AROUND * tall
    down, across = size[0] / event.size[0], size[1] / event.size[1]
    rows = slice(max(0, round((top - y) * down)), round((top + tall + y) * down))
    columns = slice(max(0, round((left - x) * across)), round((left + wide + x) * across))
    labels[rows, columns] = BACKGROUND
    return labels


def _decoded(data: bytes, flag: int) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flag), np.uint8)
