"""`edge watch`."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from typer.core import TyperCommand

from edge.cli.background import Seconds, ValueRange, read_background
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
from edge.cli.run import check_device_options, estimator, given_background, print_all, scene_of
from edge.errors import EdgeError, UsageError

if TYPE_CHECKING:
    from edge.sinks.metrics import Metrics
    from edge.view.server import ViewServer
    from edge.watch.config import CameraConfig, WatchConfig
    from edge.watch.watch import Opener, Watch, Watched

OF_FILE = (
    "bg", "seconds", "value_range", "zones", "metres", "classify", "stabilize", "left_s",
    "min_size", "build", "sink", "folder", "record", "redact",
)  # fmt: skip
"""Options that are keys of cameras.toml."""
VIEW = "127.0.0.1:8700"
"""Where `--view` shows the cameras when it says no place."""


class WithView(TyperCommand):
    """A command whose `--view` may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words: list[str] = []
        for word, following in zip(args, [*args[1:], "-"], strict=False):
            words.append(word)
            if word == "--view" and following.startswith("-"):
                words.append(VIEW)
        return super().parse_args(ctx, words)


def watch(
    ctx: typer.Context,
    sources: Annotated[
        Optional[list[str]],
        typer.Argument(help="Sources as for `edge background`; several share a build."),
    ] = None,
    config: Annotated[
        Optional[Path],
        typer.Option(help="cameras.toml: cameras, their zones, and where events go."),
    ] = None,
    zones: Annotated[Optional[list[Path]], typer.Option(help="zones.json, one per source.")] = None,
    metres: Annotated[
        Optional[list[Path]],
        typer.Option(help="What `edge calibrate-scene` wrote, one per source.  [default: none]"),
    ] = None,
    build: Build = None,
    bg: Backgrounds = None,
    seconds: Seconds = None,
    value_range: ValueRange = None,
    stabilize: Stabilize = True,
    classify: Annotated[
        Optional[Path],
        typer.Option(help="Image classifier, .onnx, that names every new thing once."),
    ] = None,
    left_s: Annotated[
        Optional[float],
        typer.Option(
            "--left-after",
            min=1,
            help="Seconds after which a thing was left behind or taken away.  [default: 30]",
        ),
    ] = None,
    min_size: Annotated[
        Optional[float],
        typer.Option(
            min=0,
            max=1,
            help="Share of the frame that a thing must cover to be told.  [default: 0.0005]",
        ),
    ] = None,
    sink: Annotated[
        Optional[list[str]],
        typer.Option(help="Where events go besides stdout: mqtt://HOST/PREFIX, https://HOST/PATH."),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep a snapshot and a clip of every event.")
    ] = False,
    redact: Annotated[
        Optional[str], typer.Option(help="Hide the foreground in recordings: blur or fill.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Folder of recordings, and of events that wait for a sink.")
    ] = Path("watch"),
    metrics: Annotated[
        Optional[str], typer.Option(help="HOST:PORT at which Prometheus finds /metrics.")
    ] = None,
    view: Annotated[
        Optional[str],
        typer.Option(
            metavar="[HOST:PORT]",
            help="Show the cameras on a page, on which zones are drawn; alone: at 127.0.0.1:8700.",
        ),
    ] = None,
    view_token: Annotated[
        Optional[str],
        typer.Option(
            envvar="EDGE_VIEW_TOKEN",
            help="What the page asks for; needed where others can reach it.",
        ),
    ] = None,
    frames: Frames = None,
    threads: Threads = None,
    cuda_backend: CudaBackend = "auto",
) -> None:
    """Watch cameras: one JSON line for everything that happens, begun and ended."""
    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.loop.overlay import REDACTIONS
    from edge.sinks.metrics import parse_place
    from edge.watch.config import Recordings

    if metrics is not None:
        parse_place(metrics)
    if view is None:
        refuse_unused(ctx, "without --view", "view_token")
    else:
        from edge.view.server import check_place

        check_place(view, view_token)
    if config is not None:
        refuse_unused(ctx, "with --config, which is the place for it", *OF_FILE)
        if sources:
            raise UsageError("sources beside --config", "put them into that file")
        read = partial(_checked_file, config, view is not None)
        chosen = read()
    else:
        read = None
        if not record:
            refuse_unused(ctx, "without --record", "redact")
        if not record and not sink:
            refuse_unused(ctx, "without --sink and --record", "folder")
        if redact not in (None, *REDACTIONS):
            raise UsageError(f"--redact {redact}: expected {' or '.join(REDACTIONS)}")
        chosen = replace(
            _of_options(
                sources or [], zones or [], metres or [], bg or [], seconds, value_range,
                stabilize, build, classify, left_s, min_size,
            ),
            sinks={f"sink{number}": {"url": url} for number, url in enumerate(sink or [], 1)},
            folder=folder,
            recordings=Recordings(redact=redact) if record else None,
        )  # fmt: skip
        for camera in chosen.cameras:
            _check(camera, lambda _key, error: error, view is not None)
    places = {camera.build for camera in chosen.cameras}
    bundled = default_build() if None in places else None
    for place in places:
        check_device_options(ctx, place or bundled or Path())
    watch_all(
        chosen, read, bundled, threads, cuda_backend, metrics=metrics, view=view,
        view_token=view_token, frames=frames,
    )  # fmt: skip


def watch_all(
    chosen: WatchConfig,
    read: Optional[Callable[[], WatchConfig]] = None,
    bundled: Optional[Path] = None,
    threads: Optional[int] = None,
    cuda_backend: str = "auto",
    *,
    metrics: Optional[str] = None,
    view: Optional[str] = None,
    view_token: Optional[str] = None,
    frames: Optional[int] = None,
) -> None:
    """Watch the cameras of a configuration until they end; arguments as the options of `watch`.

    read: reads the configuration again.
    bundled: the build of cameras that name none.
    """
    from edge.loop.channel import summary
    from edge.sinks.metrics import Metrics, MetricsServer
    from edge.watch.outputs import StandardOutputs
    from edge.watch.watch import Watch

    opener = camera_opener(
        lambda: bundled or default_build(),
        threads,
        cuda_backend,
        alone=len(chosen.cameras) == 1,
    )
    counted = Metrics() if metrics is not None else None
    outputs = StandardOutputs(counted)
    watching = Watch(chosen, opener, outputs, read)
    with ExitStack() as stack:
        if view is not None:
            shown = _view(watching, view, view_token)
            outputs.view = shown.feed
            stack.callback(shown.close)
        if counted is not None and metrics is not None:
            counted.sources.append(lambda: _count_lost(counted, watching))
            stack.callback(MetricsServer(counted, metrics).close)
        stack.enter_context(_hangup(watching.reload))
        channels: list[Any] = []
        stack.callback(lambda: print_all(summary(channels)))
        failures = watching.run(frames, channels.append)
    if failures:
        raise EdgeError("; ".join(failures))


def _view(watching: Watch, place: str, token: Optional[str]) -> ViewServer:
    """Show what is watched on a page."""
    from edge.progress import note
    from edge.view.feed import Feed
    from edge.view.server import ViewServer

    server = ViewServer(Feed(watching), place, token)
    note(f"the view is at {server.url}")
    return server


def _count_lost(metrics: Metrics, watching: Watch) -> None:
    """Tell the metrics of the frames that were not processed."""
    for name, watched in list(watching.watched.items()):
        camera = watched.channel.pipeline.camera
        metrics.set("dropped_frames_total", camera.dropped, camera=name)
        metrics.set("unreadable_frames_total", camera.unreadable, camera=name)


@contextmanager
def _hangup(reload: Callable[[], None]) -> Iterator[None]:
    """SIGHUP reads the file again."""
    before = signal.signal(signal.SIGHUP, lambda *_: reload())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _of_options(
    sources: Sequence[str],
    zones: Sequence[Path],
    metres: Sequence[Path],
    bg: Sequence[Path],
    seconds: Optional[float],
    value_range: Optional[str],
    stabilize: bool,
    build: Optional[Path],
    classify: Optional[Path],
    left_s: Optional[float],
    min_size: Optional[float],
) -> WatchConfig:
    """The configuration that the options say."""
    from edge.events.left import LEFT_S
    from edge.events.look import MIN_SIZE
    from edge.watch.config import CameraConfig, WatchConfig

    if not sources:
        raise UsageError("no source and no --config", "edge watch SOURCE, or --config cameras.toml")
    for name, given in (("--zones", zones), ("--metres", metres), ("--bg", bg)):
        if given and len(given) != len(sources):
            raise UsageError(
                f"{len(given)} {name} for {len(sources)} sources, expected one each",
                "or write a cameras.toml",
            )
    if bg and seconds is not None:
        raise UsageError("--seconds has no effect with --bg", "leave it out")
    names: list[str] = []
    for source in sources:
        name = base = name_of(source)
        while name in names:
            name = f"{base}-{names.count(base) + 1 + sum(n.startswith(base + '-') for n in names)}"
        names.append(name)
    return WatchConfig(
        tuple(
            CameraConfig(
                name=name,
                source=source,
                background=bg[i] if bg else None,
                seconds=seconds,
                range=value_range,
                stabilize=stabilize,
                build=build,
                zones=zones[i] if zones else None,
                metres=metres[i] if metres else None,
                left_s=LEFT_S if left_s is None else left_s,
                min_size=MIN_SIZE if min_size is None else min_size,
                classify=classify,
            )
            for i, (name, source) in enumerate(zip(names, sources, strict=True))
        )
    )


def name_of(source: str) -> str:
    """The name of a camera that has none: the stem of a file, the host and path of an address."""
    from edge.camera.address import redact_address

    scheme, mark, place = redact_address(source).partition("://")
    if not mark or scheme.lower() == "file":
        place = Path(place or scheme).stem
    return re.sub(r"[^\w]+", "-", place.partition("?")[0]).strip("-")[:40] or "camera"


def _checked_file(path: Path, drawn: bool = False) -> WatchConfig:
    """Read and check cameras.toml as a whole, with the files that it names.

    drawn: as of `_check`.
    """
    from edge.watch.config import located, read_config

    config = read_config(path)
    text = path.read_text()
    for camera in config.cameras:

        def locate(key: str, error: EdgeError, name: str = camera.name) -> EdgeError:
            placed = located(path, text, ("cameras", name, key), error.message, error.hint)
            return type(error)(placed.message, placed.hint)

        _check(camera, locate, drawn)
    return config


def _check(
    camera: CameraConfig, locate: Callable[[str, EdgeError], EdgeError], drawn: bool = False
) -> None:
    """Raise what is wrong with a camera, as far as it can be known without connecting to it.

    drawn: zones are drawn, so that a file of them that is not there yet begins empty.
    """
    from edge import manifest as manifests
    from edge.camera.reader import check_source
    from edge.things.metres import read_metres
    from edge.watch.classify import OnnxClassifier
    from edge.watch.watch import zones_file
    from edge.zones.file import write_zones

    def zones() -> None:
        if drawn and camera.zones is not None and not camera.zones.exists():
            write_zones(camera.zones, [])
        zones_file(camera)

    checks: dict[str, Callable[[], object]] = {
        "source": lambda: check_source(camera.source, camera.range),
        "background": lambda: camera.background and read_background(camera.background),
        "build": lambda: camera.build and manifests.read_finished(camera.build),
        "metres": lambda: camera.metres and read_metres(camera.metres),
        "zones": zones,
        "classify": lambda: camera.classify and OnnxClassifier(camera.classify),
    }
    for key, check in checks.items():
        try:
            check()
        except EdgeError as error:
            raise locate(key, error) from error


def camera_opener(
    bundled: Callable[[], Path],
    threads: Optional[int] = None,
    cuda_backend: str = "auto",
    alone: bool = False,
) -> Opener:
    """What opens a camera of a configuration.

    bundled: the build of cameras that name none.
    alone: there is one camera, whose background is made with a bar.
    """

    import edge
    from edge.camera.camera import Camera
    from edge.loop.channel import Channel
    from edge.loop.pipeline import CameraPipeline
    from edge.scene.improve import BackgroundImprover
    from edge.things.metres import read_metres
    from edge.things.tracks import Tracker
    from edge.watch.classify import OnnxClassifier
    from edge.watch.watch import Watched, settings_of, zones_file, zones_of
    from edge.watch.watcher import Watcher

    def open_camera(config: CameraConfig, wake: threading.Event) -> Watched:
        place = config.build or bundled()
        zones = zones_file(config)
        if config.background is not None:
            background, chosen = given_background(config.name, config.background, config.range)
        else:
            background, chosen = scene_of(
                config.source, config.seconds, config.range, place, config.stabilize, alone
            )
        with ExitStack() as stack:
            h = stack.enter_context(edge.open(place, threads, cuda=cuda_backend))
            camera = stack.enter_context(Camera(config.source, wake, value_range=chosen))
            improver = None
            if camera.live and config.background is None:
                improver = BackgroundImprover(estimator(place, config.stabilize))
            pipeline = CameraPipeline(camera, h, background, config.stabilize, improver)
            stack.callback(pipeline.close)
            metres = None if config.metres is None else read_metres(config.metres)
            if metres is not None:
                metres.check(pipeline.size, str(h.manifest.model.get("sha256", "")))
            channel = Channel(pipeline)
            stack.callback(channel.close)
            watcher = Watcher(
                config.name,
                pipeline.size,
                settings_of(config, zones_of(zones)),
                Tracker(metres),
                None if config.classify is None else OnnxClassifier(config.classify),
            )
            pipeline.cut = watcher.cut
            return Watched(config, channel, watcher, stack.pop_all(), zones)

    return open_camera
