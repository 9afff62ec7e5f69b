"""Which places with measured depth train the depth of the scene, choose its weights and judge it.

By place, never by frame: two cameras of a room are one place, and neighbours in nyuv2 show the same
room, so it is split in blocks, with a gap between those of different use.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.errors import EdgeError

TRAINING, VALIDATION, HELD_OUT = "training", "validation", "held_out"
USES = (TRAINING, VALIDATION, HELD_OUT)
CAMERAS = {
    "urfd_office": HELD_OUT,
    "ist_lab": HELD_OUT,
    "ist_table": HELD_OUT,
    "tum_fr1_rpy": HELD_OUT,
    "iclnuim_livingroom1": HELD_OUT,
    "ist_room1": VALIDATION,
}
"""Use of the cameras whose name starts so; all others are trained on."""
BLOCKED = "nyuv2"
BLOCK, GAP = 50, 4
"""Frames of a block of BLOCKED, and frames at each end of a block of other use than training's that
its neighbours leave out."""
PARTS = ("rgb", "depth", "mask")
FILES = ("bg.png", "bg_depth.png", "meta.json")


def use_of(camera: str) -> str:
    """The use of all frames of a camera other than BLOCKED."""
    for start, use in CAMERAS.items():
        if camera.startswith(start):
            return use
    return TRAINING


def use_of_block(block: int) -> str:
    """The use of a block of BLOCKED: of ten two are held out and one chooses the weights."""
    if block % 5 == 2:
        return HELD_OUT
    return VALIDATION if block % 10 == 5 else TRAINING


def use_of_frame(number: int) -> str | None:
    """The use of a frame of BLOCKED, counted from 0; None in a gap."""
    use = use_of_block(number // BLOCK)
    others = {use_of_block((number + step) // BLOCK) for step in (-GAP, GAP)} - {use}
    return None if use == TRAINING and others else use


def link_places(rgbd: Path, out: Path) -> None:
    """Link the cameras below `rgbd` into a folder for each of USES below `out`.

    Raises:
        EdgeError: There are none.
    """
    cameras = sorted(path.parent for path in rgbd.glob("*/rgb"))
    if not cameras:
        raise EdgeError(f"no cameras with depth in {rgbd}; expected NAME/rgb and NAME/depth")
    for camera in cameras:
        for use, file in _uses(camera):
            link = out / use / camera.name / file.relative_to(camera)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(file.resolve())


def _uses(camera: Path) -> Iterator[tuple[str, Path]]:
    """Each file of a camera, with its use."""
    blocked = camera.name == BLOCKED
    for part in PARTS:
        for file in sorted((camera / part).glob("*")):
            use = use_of_frame(int(file.stem)) if blocked else use_of(camera.name)
            if use:
                yield use, file
    for name in FILES:
        if (camera / name).is_file():
            for use in USES if blocked else (use_of(camera.name),):
                yield use, camera / name
