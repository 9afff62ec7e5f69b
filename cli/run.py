"""`edge run`."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.background import (
    MAX_NOTES,
    Seconds,
    ValueRange,
    choose_range,
    make_background,
    read_background,
    sequence_background,
)
from edge.cli.build import default_build
from edge.cli.options import (
    Backgrounds,
    Build,
    CudaBackend,
    Frames,
    Stabilize,
    Threads,
    refuse_unused,
)
from edge.errors import EdgeError, Untrustworthy, UsageError
from edge.progress import note, stderr

if TYPE_CHECKING:
    from edge.camera import value_range as ranges
    from edge.camera.source import CameraEvent
    from edge.loop.channel import Channel
    from edge.loop.pipeline import FrameResult
    from edge.runtime.handle import Handle
    from edge.samples.sample import Image
    from edge.scene.background import Background

DOUBTS = ("background_unsure", "camera_moved", "covered", "defocused", "scene_changed")
"""Events after which masks are not to be trusted."""


def run(
    ctx: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(help="Sources as for `edge background`; several share a build.")
    ],
    build: Build = None,
    bg: Backgrounds = None,
    seconds: Seconds = None,
    value_range: ValueRange = None,
    out: Annotated[
        Optional[Path],
        typer.Option(help="Video to write (.mp4, .mkv, .avi, .webm); several sources: a folder."),
    ] = None,
    redact: Annotated[
        Optional[str],
        typer.Option(help="Hide the foreground in --out and --show: blur or fill."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Open a window for each source.")] = False,
    stabilize: Stabilize = True,
    frames: Frames = None,
    threads: Threads = None,
    cuda_backend: CudaBackend = "auto",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="End with exit code 6 if the background was unsure or did not fit."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line per frame and event.")
    ] = False,
) -> None:
    """Run a build on cameras: mask, depth and blobs of each frame, and their latency."""
    import edge
    from edge.camera.address import redact_address
    from edge.camera.camera import Camera
    from edge.camera.reader import check_source
    from edge.loop.channel import Channel, summary
    from edge.loop.pipeline import CameraPipeline
    from edge.loop.run import run_channels
    from edge.loop.window import check_windows
    from edge.scene.bank import first_entry
    from edge.scene.improve import BackgroundImprover
    from edge.scene.upkeep import Upkeep

    videos = _check_options(ctx, sources, bg or [], out, redact, show)
    if show:
        check_windows()
    # What can be refused at once is refused before a network is built.
    if build is not None:
        check_device_options(ctx, build)
    for source in sources:
        check_source(source, value_range)
    given = [
        given_background(redact_address(source), file, value_range)
        for source, file in zip(sources, bg or [], strict=False)
    ]
    place = build or default_build()
    check_device_options(ctx, place)
    scenes = given or [
        scene_of(source, seconds, value_range, place, stabilize) for source in sources
    ]
    wake = threading.Event()
    channels: list[Channel] = []
    with ExitStack() as stack:
        for source, (background, chosen), video in zip(sources, scenes, videos, strict=True):
            h = stack.enter_context(edge.open(place, threads, cuda=cuda_backend))
            camera = stack.enter_context(Camera(source, wake, value_range=chosen))
            improver = upkeep = spare = None
            if camera.live:
                spare = open_spare(stack, place, threads)
                if not bg:
                    improver = BackgroundImprover(estimator(place, stabilize))
                upkeep = Upkeep([first_entry(background)], spread_learner(place, stabilize))
            pipeline = CameraPipeline(
                camera, h, background, stabilize, improver, upkeep, spare=spare
            )
            stack.callback(pipeline.close)
            channels.append(Channel(pipeline, video, show, redact))
            stack.callback(channels[-1].close)
        update = stack.enter_context(_status(channels))
        stack.callback(lambda: print_all(summary(channels)))
        printer = _Printer(as_json, update)
        failures = run_channels(channels, wake, printer, frames)
    if out is not None and not as_json and any(channel.video for channel in channels):
        print(out)
    if failures:
        raise EdgeError("; ".join(failures))
    if strict and printer.doubts:
        raise Untrustworthy(
            "the background was not always right: "
            + "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in printer.doubts.items())
        )


def open_spare(stack: ExitStack, build: Path, threads: Optional[int]) -> Optional[Handle]:
    """A build opened once more, for CameraPipeline; None on a GPU, whose memory is short."""
    import edge
    from edge import manifest as manifests
    from edge.targets import get

    if get(manifests.read_finished(build).target).device == "gpu":
        return None
    return stack.enter_context(edge.open(build, threads))


def estimator(build: Path, stabilize: bool) -> Callable[[Sequence[Image]], Background]:
    """Learns a scene beside the loop, in a thread and on a core of its own."""
    import edge
    from edge.loop.learn import learn_scene

    def estimate(images: Sequence[Image]) -> Background:
        with edge.open(build, 1) as h:
            return learn_scene(h, images, stabilize)

    return estimate


def spread_learner(build: Path, stabilize: bool) -> Callable[[Sequence[Image], Image], Image]:
    """Learns the spread of a known background as `estimator` learns a scene."""
    import edge
    from edge.loop.learn import learn_spread

    def learn(images: Sequence[Image], bg: Image) -> Image:
        with edge.open(build, 1) as h:
            return learn_spread(h, images, bg, stabilize)

    return learn


def scene_of(
    source: str,
    seconds: Optional[float],
    value_range: Optional[str],
    build: Path,
    stabilize: bool,
    shown: bool = True,
    check: Callable[[], None] = lambda: None,
) -> tuple[Background, Optional[ranges.ValueRange]]:
    """The background that is made of a source, and the range of its 16-bit values.

    shown, check: as of `make_background`.
    """
    from edge.camera.address import redact_address
    from edge.camera.schemes.recording import path_of
    from edge.samples.sequences import is_sequence

    chosen = choose_range(source, value_range)
    if chosen is None and is_sequence(path_of(source)):
        note(f"{redact_address(source)} is a labelled sequence with a background of its own")
        return sequence_background(path_of(source)), None
    return make_background(source, seconds, chosen, build, stabilize, shown, check), chosen


def given_background(
    name: str, file: Path, value_range: Optional[str]
) -> tuple[Background, Optional[ranges.ValueRange]]:
    """The background of --bg. One of 8 bits was made by the range already."""
    from edge.camera.images import read_frame
    from edge.camera.value_range import AUTO, parse_range, range_of, to_uint8
    from edge.scene.background import certain

    stored = read_frame(file)
    deep = stored.dtype.itemsize > 1
    if value_range is None:
        chosen = None
    elif value_range != AUTO:
        chosen = parse_range(value_range)
    elif deep:
        chosen = range_of([stored], str(file))
        note(f"{name}: --range {chosen}")
    else:
        raise UsageError(
            f"--range auto: {file} has 8 bits, its range is not known",
            "give the range that `edge background` printed",
        )
    if deep:
        return certain(to_uint8(stored, str(file), chosen)), chosen
    return read_background(file), chosen


def _check_options(
    ctx: typer.Context,
    sources: Sequence[str],
    bg: Sequence[Path],
    out: Optional[Path],
    redact: Optional[str],
    show: bool,
) -> list[Optional[Path]]:
    """Check what the options say about each other; returns the video of each source."""
    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.camera.schemes.recording import path_of
    from edge.camera.video import FORMATS, format_of
    from edge.loop.overlay import REDACTIONS
    from edge.samples.sequences import is_sequence

    if redact not in (None, *REDACTIONS):
        raise UsageError(f"--redact {redact}: expected {' or '.join(REDACTIONS)}")
    if out is None and not show:
        refuse_unused(ctx, "without --out or --show", "redact")
    if bg and len(bg) != len(sources):
        raise UsageError(f"{len(bg)} --bg for {len(sources)} sources, expected one each")
    if bg:
        refuse_unused(ctx, "with --bg", "seconds")
    for source, image in zip(sources, bg, strict=False):
        same = os.path.realpath(path_of(source)) == os.path.realpath(image.parent)
        if same and not is_sequence(path_of(source)):
            raise UsageError(
                f"--bg {image} is in the source, where it is one of the images",
                "move it to another folder",
            )
    if out is None:
        return [None] * len(sources)
    videos = [out]
    if len(sources) == 1:
        format_of(out)
    elif out.suffix.lower() in FORMATS:
        raise UsageError(f"--out {out}: expected a folder, for a video of each source")
    else:
        videos = [out / f"{number}.mp4" for number in range(1, len(sources) + 1)]
    # Unlike Path.resolve, realpath takes a loop of links.
    files = {os.path.realpath(path_of(source)) for source in sources}
    if overwritten := [video for video in videos if os.path.realpath(video) in files]:
        raise UsageError(f"--out {overwritten[0]} is one of the sources", "give another name")
    return list(videos)


def check_device_options(ctx: typer.Context, build: Path) -> None:
    """Refuse a build without an engine, and the options of the other kind of device."""
    from edge import manifest as manifests
    from edge.targets import get

    manifest = manifests.read_finished(build)
    if get(manifest.target).device == "gpu":
        refuse_unused(ctx, f"on {manifest.name}, which runs on a GPU", "threads")
    else:
        refuse_unused(ctx, f"on {manifest.name}, which runs on a CPU", "cuda_backend")


def json_line(channel: Channel, result: FrameResult) -> dict[str, object]:
    """Return what `--json` prints of a frame (docs/cameras.md)."""
    frame = result.frame
    line: dict[str, object] = {
        "source": channel.name,
        "frame": frame.number,
        "at": round(frame.at, 3),
        "size": list(frame.image.shape[:2]),
        "latency_ms": round(result.latency_ms, 2),
        "dropped": channel.pipeline.camera.dropped,
        "foreground": round(result.foreground, 5),
        "blobs": [
            {
                "box": list(thing.box),
                "area": round(thing.area, 5),
                "depth": _rounded(thing.depth),
                "foot": None if thing.foot is None else [round(pixels, 1) for pixels in thing.foot],
                "ground_depth": _rounded(thing.ground_depth),
                "confidence": round(thing.confidence, 3),
            }
            for thing in result.things
        ],
    }
    if channel.pipeline.stabilizer is not None:
        offset = result.offset
        line["moved"] = None if offset is None else [round(pixels, 2) for pixels in offset]
    if frame.truth is not None:
        line["true_foreground"] = round(float(frame.truth.mean()), 5)
    return line


def _rounded(depth: Optional[float]) -> Optional[float]:
    return None if depth is None else round(depth, 3)


class _Printer:
    """Prints frames as JSON on stdout, and events on stderr.

    Attributes:
        doubts: for each source the events that make its masks untrustworthy.
    """

    def __init__(self, as_json: bool, update: Callable[[FrameResult], None]) -> None:
        self._as_json, self._update = as_json, update
        self.doubts: dict[str, list[str]] = {}
        self._unreadable: dict[str, int] = {}
        self._unsure: dict[str, str] = {}

    def on_frame(self, channel: Channel, result: FrameResult) -> None:
        if self._as_json:
            print(json.dumps(json_line(channel, result)), flush=True)
        self._update(result)

    def on_event(self, channel: Channel, event: CameraEvent) -> None:
        if event.kind in DOUBTS:
            doubts = self.doubts.setdefault(channel.name, [])
            if event.kind not in doubts:
                doubts.append(event.kind)
        count = self._unreadable.get(channel.name, 0) + (event.kind == "unreadable")
        self._unreadable[channel.name] = count
        again = event.kind == "background_unsure" and self._unsure.get(channel.name) == event.text
        if event.kind == "background_unsure":
            self._unsure[channel.name] = event.text  # said anew when the share changes
        if not again and (event.kind != "unreadable" or count <= MAX_NOTES):
            note(event.text)
        if self._as_json:
            line = {"source": channel.name, "event": event.kind, "at": round(event.at, 3)}
            print(json.dumps(line), flush=True)

    def on_failure(self, channel: Channel, error: EdgeError) -> None:
        note(f"{error}; the other sources go on")


@contextmanager
def _status(channels: list[Channel]) -> Iterator[Callable[[FrameResult], None]]:
    """A line on a terminal's stderr that is refreshed a few times a second."""
    from rich.live import Live
    from rich.text import Text

    if not stderr.is_terminal:
        yield lambda result: None
        return
    # Rich would send stdout to the terminal that stderr is.
    with Live(
        Text(),
        console=stderr,
        refresh_per_second=4,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        start = time.monotonic()

        def update(result: FrameResult) -> None:
            total = sum(channel.frames for channel in channels)
            dropped = sum(channel.pipeline.camera.dropped for channel in channels)
            live.update(
                Text(
                    f"{total / max(time.monotonic() - start, 1e-3):.1f} fps"
                    f"  {result.latency_ms:.1f} ms from frame to mask"
                    f"  {dropped} dropped  {100 * result.foreground:.2f} % foreground"
                )
            )

        yield update


def print_all(lines: Sequence[str]) -> None:
    for line in lines:
        note(line)
