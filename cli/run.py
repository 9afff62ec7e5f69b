"""`edge run` and `edge background`."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.build import default_build
from edge.cli.options import CudaBackend
from edge.errors import EdgeError, UsageError
from edge.progress import note, stderr, track

if TYPE_CHECKING:
    from edge.camera.camera import Event, Frame
    from edge.camera.video import Video
    from edge.loop.pipeline import Seen, View
    from edge.samples.sample import Image

Source = Annotated[
    str,
    typer.Argument(
        help="A video, a folder of pictures, rtsp://, http://, v4l2://0, csi://0 or"
        " synthetic://room|corridor|yard."
    ),
]
Seconds = Annotated[
    Optional[float],
    typer.Option(min=0.1, help="Of the source that give the background.  [default: 60, live 10]"),
]


def background(
    source: Source,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("bg.png"),
    seconds: Seconds = None,
) -> None:
    """Make a picture of the empty scene while people walk through it: a temporal median."""
    import cv2

    from edge.files import atomic_write

    if not cv2.haveImageWriter(str(out)):
        raise UsageError(f"--out {out}: expected a name that ends in .png or .jpg")
    picture = _empty(source, seconds)
    with atomic_write(out) as draft:
        draft.write_bytes(cv2.imencode(out.suffix, picture)[1].tobytes())
    print(out)


def _empty(source: str, seconds: Optional[float]) -> Image:
    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.camera.camera import shown
    from edge.scene.background import MOST, empty_scene, gathered

    note(f"making a background of {shown(source)} from its first seconds")
    return empty_scene(list(track(gathered(source, seconds), MOST, "background")))


@dataclass
class Channel:
    """One source on its way: its view, where its video goes, and what is counted."""

    view: View
    name: str
    fps: float
    video: Video | None = None
    out: Path | None = None
    frames: int = 0
    began: float = 0.0
    busy_ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    latency_ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def look(self, frame: Frame) -> Seen:
        seen = self.view.look(frame)
        self.frames += 1
        self.busy_ms.append(seen.busy_ms)
        self.latency_ms.append(seen.latency_ms)
        return seen

    def show(self, picture: Image) -> None:
        """Write to the video; a live source's gaps are filled, so that it plays in real time."""
        from edge.camera.video import Video

        if self.out is None:
            return
        if self.video is None:
            self.video = Video(self.out, picture.shape[:2], self.fps)
            self.began = time.monotonic()
        due = 1
        if self.view.camera.live:
            due = round((time.monotonic() - self.began) * self.fps) + 1 - self.video.frames
            most = round(MOST_REPEATED_S * self.fps)
            if due > most:  # the rest of the gap is left out for good
                self.began += (due - most) / self.fps
                due = most
        for _ in range(due):
            self.video.write(picture)

    def close(self) -> None:
        if self.video is not None:
            self.video.close()


REMEMBERED = 10_000
"""Frames whose times the summary is made of: a camera runs for months."""
MOST_REPEATED_S = 2.0
"""Longest gap of a live source that its video shows as a still picture."""
DEFAULT_FPS = 15.0
"""Of sources that do not say."""


def run(
    sources: Annotated[list[str], typer.Argument(help="As for `edge background`; several share.")],
    build: Annotated[
        Optional[Path],
        typer.Option(help="Build folder.  [default: the bundled network in int8, built first]"),
    ] = None,
    bg: Annotated[
        Optional[list[Path]],
        typer.Option(help="Picture of the empty scene, one per source.  [default: made first]"),
    ] = None,
    seconds: Seconds = None,
    out: Annotated[
        Optional[Path],
        typer.Option(help="Video to write (.mp4, .mkv, .avi, .webm); several sources: a folder."),
    ] = None,
    redact: Annotated[
        Optional[str],
        typer.Option(help="Make what is new unseen in --out and --show: blur or fill."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Open a window for each source.")] = False,
    steady: Annotated[
        bool,
        typer.Option(help="Follow a camera that trembles, by up to 4 of 224 pixels."),
    ] = True,
    frames: Annotated[
        Optional[int], typer.Option(min=1, help="Stop after so many frames of each source.")
    ] = None,
    threads: Annotated[
        Optional[int], typer.Option(min=1, help="Threads of the runtime.  [default: usable cores]")
    ] = None,
    cuda_backend: CudaBackend = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line per frame and event.")
    ] = False,
) -> None:
    """Run a build on cameras: what is new in each frame, its depth, and how quickly."""
    import edge
    import edge.calibrate.rendering.camera
    from edge.camera.camera import Camera, Event, Frame
    from edge.camera.video import codec_of
    from edge.loop.pipeline import View
    from edge.samples.sequences import read_image

    if redact not in (None, "blur", "fill"):
        raise UsageError(f"--redact {redact}: expected blur or fill")
    if bg and len(bg) != len(sources):
        raise UsageError(f"{len(bg)} --bg for {len(sources)} sources, expected one each")
    targets: list[Optional[Path]] = [None] * len(sources)
    if out is not None and len(sources) == 1:
        codec_of(out)
        targets = [out]
    elif out is not None:
        targets = [out / f"{number}.mp4" for number in range(1, len(sources) + 1)]
    files = {Path(source.removeprefix("file://")).resolve() for source in sources}
    if taken := [target for target in targets if target and target.resolve() in files]:
        raise UsageError(f"--out {taken[0]} is one of the sources; give another name")
    if show:
        _check_windows()
    place = build or default_build()
    scenes = [read_image(file) for file in bg or []]
    scenes += [_empty(source, seconds) for source in sources[len(scenes) :]]
    wake = threading.Event()
    with ExitStack() as stack:
        channels = []
        for source, scene, target in zip(sources, scenes, targets, strict=True):
            h = stack.enter_context(edge.open(place, threads, cuda=cuda_backend))
            camera = stack.enter_context(Camera(source, wake))
            fps = camera.fps or DEFAULT_FPS
            view = View(camera, h, scene, steady)
            channels.append(Channel(view, camera.name, fps, out=target))
            stack.callback(channels[-1].close)
        status = stack.enter_context(_status())
        stack.callback(lambda: _summary(channels))
        open_ = list(channels)
        failed: list[str] = []
        while open_:
            wake.clear()
            idle = True
            for channel in list(open_):
                camera = channel.view.camera
                item = camera.take()
                if isinstance(item, Event):
                    _tell(channel, item, as_json)
                elif isinstance(item, Frame):
                    idle = False
                    try:
                        seen = channel.look(item)
                    except EdgeError as error:
                        if len(open_) == 1:
                            raise
                        note(f"{error}; the other sources go on")
                        camera.close()
                        open_.remove(channel)
                        failed.append(f"{channel.name} was given up")
                        continue
                    if as_json:
                        print(json.dumps(_line(channel, seen)), flush=True)
                    if out is not None or show:
                        _show(channel, _drawn(seen, redact), show)
                    status(channels, seen)
                if camera.ended or channel.frames == frames:
                    if not channel.frames:
                        failed.append(f"no picture in {channel.name}")
                    elif camera.live and channel.frames != frames:
                        failed.append(f"{channel.name} ended early")
                    camera.close()
                    open_.remove(channel)
            if idle and open_:
                wake.wait(0.5)
    if out is not None and not as_json and any(channel.video for channel in channels):
        print(out)
    if failed:
        raise EdgeError("; ".join(failed))


def _show(channel: Channel, picture: Image, window: bool) -> None:
    import cv2

    channel.show(picture)
    if window:
        cv2.imshow(channel.name, picture)
        cv2.waitKey(1)


def _drawn(seen: Seen, redact: Optional[str]) -> Image:
    """The frame, outlined, and depth beside it."""
    import numpy as np

    from edge.loop.overlay import coloured, outlined, redacted

    picture = seen.frame.picture
    if redact is not None:
        picture = redacted(picture, seen.mask, redact)
    parts = [outlined(picture, seen.mask)]
    if seen.depth is not None:
        parts.append(coloured(seen.depth, picture.shape[:2]))
    return np.hstack(parts)


def _line(channel: Channel, seen: Seen) -> dict[str, object]:
    """What `--json` prints of a frame (docs/cameras.md)."""
    line: dict[str, object] = {
        "source": channel.name,
        "frame": seen.frame.number,
        "at": round(seen.frame.at, 3),
        "latency_ms": round(seen.latency_ms, 2),
        "dropped": channel.view.camera.dropped,
        "foreground": round(seen.foreground, 5),
        "blobs": [
            {
                "box": list(thing.box),
                "area": round(thing.area, 5),
                "depth": None if thing.depth is None else round(thing.depth, 3),
            }
            for thing in seen.things
        ],
    }
    if channel.view.steady is not None:
        line["moved"] = [round(pixels, 2) for pixels in channel.view.steady.moved]
    if seen.frame.truth is not None:
        line["true_foreground"] = round(float(seen.frame.truth.mean()), 5)
    return line


def _tell(channel: Channel, event: Event, as_json: bool) -> None:
    note(event.text)
    if as_json:
        line = {"source": channel.name, "event": event.kind, "at": round(event.at, 3)}
        print(json.dumps(line), flush=True)


@contextmanager
def _status() -> Iterator[Callable[[list[Channel], Seen], None]]:
    """A line on stderr that is drawn anew a few times a second, where somebody watches."""
    from rich.live import Live
    from rich.text import Text

    if not stderr.is_terminal:
        yield lambda channels, seen: None
        return
    # stdout is left alone: Rich would send it to the terminal that stderr is.
    with Live(
        Text(),
        console=stderr,
        refresh_per_second=4,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        start = time.monotonic()

        def update(channels: list[Channel], seen: Seen) -> None:
            total = sum(channel.frames for channel in channels)
            dropped = sum(channel.view.camera.dropped for channel in channels)
            live.update(
                Text(
                    f"{total / max(time.monotonic() - start, 1e-3):.1f} fps"
                    f"  {seen.latency_ms:.1f} ms from frame to mask"
                    f"  {dropped} dropped  {100 * seen.foreground:.2f} % new"
                )
            )

        yield update


def _summary(channels: list[Channel]) -> None:
    """What happened, and how many such cameras there could be."""
    from statistics import median

    for channel in channels:
        if channel.frames:
            note(
                f"{channel.name}: {channel.frames} frames,"
                f" {median(channel.latency_ms):.1f} ms from frame to mask,"
                f" {channel.view.camera.dropped} dropped"
            )
    busy = [ms for channel in channels for ms in channel.busy_ms]
    if len(busy) >= ENOUGH:
        each, fps = median(busy), channels[0].fps
        note(
            f"this machine takes about {int(1e3 / (each * fps))} such cameras"
            f" ({each:.1f} ms a frame, {fps:g} frames a second; without --out and --show)"
        )


ENOUGH = 30
"""Frames from which the number of cameras is told."""


def _check_windows() -> None:
    import cv2

    try:
        cv2.namedWindow("edge")
        cv2.destroyWindow("edge")
    except cv2.error as error:
        raise EdgeError(
            "--show: this OpenCV opens no windows;"
            " pip uninstall opencv-python-headless; pip install opencv-python"
        ) from error
