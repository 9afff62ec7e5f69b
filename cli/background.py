"""`edge background`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.errors import UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from edge.camera import value_range as ranges
    from edge.samples.sample import Image
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

    Beside it are written the confidence of every pixel, as in bg.confidence.png: white where all
    images show the background, black where none does; and bg.spread.png: how far every pixel strays
    while nothing new is there, as water and leaves do."""
    import cv2

    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.camera.address import redact_address
    from edge.camera.reader import check_source
    from edge.camera.schemes.recording import path_of
    from edge.cli.build import default_build
    from edge.files import atomic_write
    from edge.image import resize_image

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
    assert made.spread is not None
    spread = resize_image(made.spread, *made.image.shape[:2])
    beside = ((confidence_file(out), made.confidence), (spread_file(out), spread))
    with ExitStack() as stack:
        for place, image in ((out, made.image), *beside):
            draft = stack.enter_context(atomic_write(place))
            draft.write_bytes(cv2.imencode(place.suffix, image)[1].tobytes())
        # The image takes its place last, and the former one is gone before: a kill in between
        # leaves none, never one beside the confidence and the spread of another.
        if out.is_file():
            out.unlink()
    print(out)


def confidence_file(background: Path) -> Path:
    """The file of the confidence beside a background."""
    return background.with_name(f"{background.stem}.confidence.png")


def spread_file(background: Path) -> Path:
    """The file of the spread beside a background."""
    return background.with_name(f"{background.stem}.spread.png")


def read_background(file: Path) -> Background:
    """Read a background and, where they are beside it, its confidence and its spread."""
    from dataclasses import replace

    import cv2

    from edge.samples.image_file import read_image
    from edge.scene.background import certain

    made = certain(read_image(file))
    if (place := confidence_file(file)).is_file():
        confidence = _beside(place, "confidence", file, made.image, cv2.IMREAD_GRAYSCALE)
        made = replace(made, confidence=confidence)
    if (place := spread_file(file)).is_file():
        spread = _beside(place, "spread", file, made.image, cv2.IMREAD_COLOR)
        made = replace(made, spread=spread)
        note(f"{place} beside it says how the scene moves: {moving(spread)}")
    return made


def sequence_background(folder: Path) -> Background:
    """The background of a labelled sequence, with its spread where it has one."""
    from dataclasses import replace

    from edge.samples.sequences import background_of
    from edge.scene.background import certain

    image, spread = background_of(folder)
    if spread is None:
        return certain(image)
    note(f"the spread of {folder} says how the scene moves: {moving(spread)}")
    return replace(certain(image), spread=spread)


def _beside(
    place: Path, kind: str, background: Path, image: Image, flag: int
) -> npt.NDArray[np.uint8]:
    """Read what lies beside a background and has its size."""
    import cv2
    import numpy as np

    plane = cv2.imread(str(place), flag)
    if plane is None or plane.shape[:2] != image.shape[:2]:
        raise UsageError(
            f"{place} is not the {kind} of {background}",
            f"remove it, or make both again: {background}",
        )
    return np.asarray(plane, np.uint8)


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
    stabilize: bool = True,
    shown: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Background:
    """Make the background of a source and its spread; a build's network leaves out the foreground.

    stabilize: with the images registered to each other, as frames will be.
    shown: with a bar, of which there can be one at a time.
    check: called several times a second; what it raises ends the making.
    """
    import edge
    from edge.camera.address import redact_address
    from edge.loop.learn import learn_scene
    from edge.scene.gather import LEAST, gather_images

    name = redact_address(source)
    note(f"making a background of {name} from its first seconds")
    messages: list[str] = []
    with bar(shown) as progress:
        task = progress.add_task("background", total=None)

        def on_frame() -> None:
            check()
            progress.advance(task)

        images = gather_images(source, seconds, value_range, on_frame, messages.append)
    for message in messages[:MAX_NOTES]:
        note(message)
    if len(messages) > MAX_NOTES:
        note(f"{name}: {len(messages)} messages about unreadable frames, {MAX_NOTES} printed")
    if len(images) < LEAST:
        note(f"{name} has {len(images)} images, expected {LEAST} or more: who is in them may stay")
    with edge.open(build) as h:
        made = learn_scene(h, images, stabilize, check)
    assert made.spread is not None
    note(f"{name}: {moving(made.spread)}")
    return made


def moving(spread: Image) -> str:
    """The sentence about a spread."""
    from edge.scene.spread import moving_share

    if not spread.any():
        return "nothing of the scene moves, or too few images show it empty"
    return f"{100 * moving_share(spread):.0f} % of the scene moves while nothing new is there"
