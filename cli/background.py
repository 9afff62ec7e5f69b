"""`edge background`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.errors import UsageError
from edge.progress import bar, note

if TYPE_CHECKING:
    from edge.samples.sample import Image

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
        help="Seconds of the source that the background is made of.  [default: 60, live 10]",
    ),
]
MAX_NOTES = 5
"""Messages about unreadable frames that are printed; the rest is counted."""


def background(
    source: Source,
    out: Annotated[Path, typer.Option(help="Image to write, .png or .jpg.")] = Path("bg.png"),
    seconds: Seconds = None,
) -> None:
    """Make an image of the empty scene while people walk through it: a temporal median."""
    import cv2

    from edge.files import atomic_write

    if not cv2.haveImageWriter(str(out)):
        raise UsageError(f"--out {out}: expected a name that ends in .png or .jpg")
    image = make_background(source, seconds)
    with atomic_write(out) as draft:
        draft.write_bytes(cv2.imencode(out.suffix, image)[1].tobytes())
    print(out)


def make_background(source: str, seconds: Optional[float]) -> Image:
    """Make the background of a source, with a bar; uint8 [H, W, 3] BGR."""
    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.camera.address import redact_address
    from edge.scene.background import gather_images, median_background

    name = redact_address(source)
    note(f"making a background of {name} from its first seconds")
    messages: list[str] = []
    with bar() as progress:
        task = progress.add_task("background", total=None)
        images = gather_images(
            source, seconds, lambda: progress.advance(task), messages.append
        )  # fmt: skip
    for message in messages[:MAX_NOTES]:
        note(message)
    if len(messages) > MAX_NOTES:
        note(f"{name}: {len(messages)} messages about unreadable frames, {MAX_NOTES} printed")
    return median_background(images)
