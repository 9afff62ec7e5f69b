"""`edge calibrate-scene`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.background import (
    Seconds,
    ValueRange,
    choose_range,
    make_background,
    read_background,
    sequence_background,
)
from edge.cli.build import default_build
from edge.cli.options import Build, Json, refuse_unused
from edge.errors import UsageError
from edge.progress import note

if TYPE_CHECKING:
    from edge.scene.background import Background
    from edge.things.metres import KnownPoint, Metres


def calibrate_scene(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Image of the empty scene, or a source as for `edge background`.")
    ],
    point: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Point on the floor: X,Y,METRES in pixels of the frame and along the floor from"
            " the spot below the camera. Two or more; a third checks them."
        ),
    ] = None,
    height: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Something upright of known height: X,Y_FOOT,Y_HEAD,METRES; where it stands, in"
            " pixels of the frame, and the row of its upper end."
        ),
    ] = None,
    fov: Annotated[
        float,
        typer.Option(min=5, max=170, help="Horizontal field of view of the camera in degrees."),
    ] = 60.0,
    build: Build = None,
    seconds: Seconds = None,
    value_range: ValueRange = None,
    out: Annotated[Path, typer.Option(help="File to write, .json.")] = Path("scene.json"),
    as_json: Json = False,
) -> None:
    """Turn the scene's depth and the rows of feet into metres on the ground."""
    import edge
    import edge.calibrate.rendering.camera
    from edge.camera.reader import check_source
    from edge.things.calibrate_scene import calibrate_scene as fit_scene
    from edge.things.ground import ground_of

    if out.suffix.lower() != ".json":
        raise UsageError(f"--out {out}: expected a name that ends in .json")
    points = [_numbers("--point", "X,Y,METRES", text) for text in point or []]
    heights = [_numbers("--height", "X,Y_FOOT,Y_HEAD,METRES", text) for text in height or []]
    upright = [_upright(numbers) for numbers in heights]
    if len(points) + 2 * len(heights) < 2:
        raise UsageError(
            f"{len(points)} --point, expected two or more, or a --height",
            "give points on the floor whose distance is known: --point X,Y,METRES",
        )
    if _is_image(source):
        refuse_unused(ctx, f"with the image {source}", "seconds", "value_range")
    else:
        check_source(source, value_range)
    place = build or default_build()
    background = _background(source, seconds, value_range, place)
    size = background.image.shape[0], background.image.shape[1]
    with edge.open(place) as h:
        bg = edge.fit(h, background.image)
        edge.set_background(h, bg)
        ground = ground_of(h, bg)
        network = str(h.manifest.model.get("sha256", ""))
    metres, known = fit_scene(
        [(x, y, far) for x, y, far in points], upright, size, ground, fov, network
    )
    metres.write(out)
    _report(metres, known, as_json)
    if not as_json:
        print(out)


def _is_image(source: str) -> bool:
    from edge.samples.image_file import is_image_name

    return is_image_name(Path(source).name) and Path(source).is_file()


def _background(
    source: str, seconds: Optional[float], value_range: Optional[str], build: Path
) -> Background:
    from edge.camera.schemes.recording import path_of
    from edge.samples.sequences import is_sequence

    if _is_image(source):
        return read_background(Path(source))
    if is_sequence(path_of(source)):
        return sequence_background(path_of(source))
    return make_background(source, seconds, choose_range(source, value_range), build)


def _numbers(option: str, expected: str, text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != expected.count(",") + 1 or not all(map(math.isfinite, numbers)):
        raise UsageError(f"{option} {text}: expected {expected}, as in {option} 320,400,2.5")
    if numbers[-1] <= 0:
        raise UsageError(f"{option} {text}: {numbers[-1]:g} metres, expected more than 0")
    return numbers


def _upright(numbers: list[float]) -> tuple[float, float, float, float]:
    x, foot, head, metres = numbers
    if head >= foot:
        raise UsageError(
            f"--height: the head is at row {head:g} and the foot at {foot:g}; expected the head"
            " above, with the smaller number"
        )
    return x, foot, head, metres


def _report(metres: Metres, points: list[KnownPoint], as_json: bool) -> None:
    """What was found: the camera, the points, the error."""
    if as_json:
        print(json.dumps({"schema": 1, **asdict(metres)}))
        return
    from edge.things.calibrate_scene import camera_of

    print(camera_of(metres))
    floor, depth = (replace(metres, depth_share=share) for share in (0.0, 1.0))
    for point in points:
        foot = point.x, point.y
        estimates = [
            f"{name} {distance:.2f} m" if distance is not None else f"{name} none"
            for name, distance in (
                ("fitted", metres.distance(foot, point.depth)),
                ("by the floor alone", floor.distance(foot, point.depth)),
                ("by depth alone", depth.distance(foot, point.depth)),
            )
        ]
        print(f"{point.x:g},{point.y:g}: {point.metres:g} m, {', '.join(estimates)}")
    if metres.error is None:
        note("the error is not known: it takes a third point that is held back to check it")
    else:
        assert metres.worst_error is not None
        print(
            f"error at points that were held back: {100 * metres.error:.0f} % median,"
            f" {100 * metres.worst_error:.0f} % worst of {len(points)}"
        )
