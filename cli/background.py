"""`edge background`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.errors import UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    from edge.camera import value_range as ranges
    from edge.scene.background import Background

Source = Annotated[
    str,
    typer.Argument(
        help="Video, folder of images, rtsp://, http://, v4l2://0, csi://0 or"
        " synthetic://room|corridor|yard."
    ),
]
Seconds = Annotated[
    Optional[float],
    typer.Option(
        min=0.1,
        max=86_400,
        help="Seconds of the source that the background is made of.  [default: 60, live 10]",
    ),
]
ValueRange = Annotated[
    Optional[str],
    typer.Option(
        "--range", help="Values of a 16-bit source that become 0 and 255: LOW:HIGH or auto."
    ),
]
MAX_NOTES = 5
"""Messages about unreadable frames that are printed; the rest is counted."""


def background(
    source: Source,
    out: Annotated[Path, typer.Option(help="Image to write, .png or .jpg.")] = Path("bg.png"),
    seconds: Seconds = None,
    value_range: ValueRange = None,
    build: Annotated[
        Optional[Path],
        typer.Option(
            help="Build whose masks are left out.  [default: the bundled network in int8, built"
            " first]"
        ),
    ] = None,
) -> None:
    """Make an image of the empty scene while people are in it.

    Writes the confidence of every pixel beside it, as in bg.confidence.png: white where all images
    show the background, black where none does."""
    import cv2

    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.camera.address import redact_address
    from edge.camera.reader import check_source
    from edge.camera.schemes.recording import path_of
    from edge.cli.build import default_build
    from edge.files import atomic_write

    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError(f"--out {out}: expected a name that ends in .png or .jpg")
    check_source(source, value_range)
    # Path.resolve raises on a loop of links.
    if os.path.realpath(path_of(source)) in map(os.path.realpath, (out, out.parent)):
        raise UsageError(
            f"--out {out} is in the source, where it would be one of its images",
            "give a name in another folder",
        )
    chosen = choose_range(source, value_range)
    made = make_background(source, seconds, chosen, build or default_build())
    if text := made.warning(redact_address(source)):
        note(text)
    for place, image in ((out, made.image), (confidence_file(out), made.confidence)):
        with atomic_write(place) as draft:
            draft.write_bytes(cv2.imencode(place.suffix, image)[1].tobytes())
    print(out)


def confidence_file(background: Path) -> Path:
    """The file of the confidence beside a background."""
    return background.with_name(f"{background.stem}.confidence.png")


def read_background(file: Path) -> Background:
    """Read a background and, where it is beside it, its confidence."""
    import cv2
    import numpy as np

    from edge.samples.image_file import read_image
    from edge.scene.background import Background, certain

    image = read_image(file)
    beside = confidence_file(file)
    if not beside.is_file():
        return certain(image)
    confidence = cv2.imread(str(beside), cv2.IMREAD_GRAYSCALE)
    if confidence is None or confidence.shape != image.shape[:2]:
        raise UsageError(
            f"{beside} is not the confidence of {file}", f"remove it, or make both again: {file}"
        )
    return Background(image, np.asarray(confidence, np.uint8))


def choose_range(source: str, text: Optional[str]) -> Optional[ranges.ValueRange]:
    """The range that --range means for a source; a sentence says which one."""
    from edge.camera.address import redact_address
    from edge.camera.reader import resolve_range

    name = redact_address(source)
    chosen = resolve_range(text, source, name)
    if chosen is not None:
        note(f"{name}: --range {chosen}")
    return chosen


def make_background(
    source: str,
    seconds: Optional[float],
    value_range: Optional[ranges.ValueRange],
    build: Path,
    shown: bool = True,
) -> Background:
    """Make the background of a source; a build's network leaves out the foreground.

    shown: with a bar, of which there can be one at a time.
    """
    import edge
    from edge.camera.address import redact_address
    from edge.loop.masks import network_masks
    from edge.scene.background import estimate_background
    from edge.scene.gather import LEAST, gather_images

    name = redact_address(source)
    note(f"making a background of {name} from its first seconds")
    messages: list[str] = []
    with bar(shown) as progress:
        task = progress.add_task("background", total=None)
        images = gather_images(
            source, seconds, value_range, lambda: progress.advance(task), messages.append
        )
    for message in messages[:MAX_NOTES]:
        note(message)
    if len(messages) > MAX_NOTES:
        note(f"{name}: {len(messages)} messages about unreadable frames, {MAX_NOTES} printed")
    if len(images) < LEAST:
        note(f"{name} has {len(images)} images, expected {LEAST} or more: who is in them may stay")
    with edge.open(build) as h:
        return estimate_background(images, network_masks(h))
