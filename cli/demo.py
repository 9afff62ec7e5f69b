"""`edge demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.build import default_build
from edge.cli.options import Frames
from edge.cli.watch import VIEW, ViewToken, watch_all

SEED = 3
"""Of the yard: somebody walks through the zone four seconds after the begin."""
ZONE = ((0.44, 0.46), (0.68, 0.46), (0.76, 0.72), (0.4, 0.72))


def demo(
    view: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the page is shown.")] = VIEW,
    view_token: ViewToken = None,
    folder: Annotated[
        Path, typer.Option(help="Folder of zones, metres and cases, and of the background.")
    ] = Path("demo"),
    frames: Frames = None,
) -> None:
    """Watch a rendered yard on a page: its mask, its depth and a zone, without a camera."""
    import cv2

    from edge.calibrate.rendering.camera import SIZE
    from edge.calibrate.rendering.scene import RenderedScene
    from edge.files import atomic_write
    from edge.view.server import check_place
    from edge.watch.config import CameraConfig, WatchConfig
    from edge.zones.file import read_zones, write_zones
    from edge.zones.zone import RESTRICTED, Zone

    check_place(view, view_token)
    background, zones = folder / "background.png", folder / "zones.json"
    if not zones.exists():
        write_zones(zones, [Zone("no entry", RESTRICTED, ZONE)])
    read_zones(zones)
    with atomic_write(background) as draft:
        image = RenderedScene("yard", SEED, SIZE).background().image
        draft.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    camera = CameraConfig(
        "yard",
        # In float it is built in a second: nothing is calibrated.
        build=default_build("fp32"),
        source=f"synthetic://yard?seed={SEED}&live=1",
        background=background,
        zones=zones,
        metres=folder / "metres.json",
    )
    config = WatchConfig((camera,), folder=folder)
    watch_all(config, view=view, view_token=view_token, frames=frames)
