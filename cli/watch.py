"""`edge watch`."""

from __future__ import annotations

import hashlib
import re
import shlex
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
from edge.cli.opener import camera_opener
from edge.cli.options import (
    Backgrounds,
    Build,
    CudaBackend,
    Frames,
    Stabilize,
    Threads,
    refuse_unused,
)
from edge.cli.run import check_device_options, print_all
from edge.errors import EdgeError, UsageError
from edge.progress import note

if TYPE_CHECKING:
    from edge.sinks.metrics import Metrics
    from edge.view.server import ViewServer
    from edge.watch.config import CameraConfig, WatchConfig
    from edge.watch.watch import Watch

ViewToken = Annotated[
    Optional[str],
    typer.Option(
        envvar="EDGE_VIEW_TOKEN", help="What the page asks for; needed where others can reach it."
    ),
]
OF_FILE = (
    "bg", "seconds", "value_range", "zones", "metres", "classify", "stabilize", "left_s",
    "min_size", "shadow", "build", "sink", "folder", "record", "redact",
)  # fmt: skip
"""Options that are keys of cameras.toml."""
LONGEST_NAME = 40
"""Letters of the name that a camera gets from its source."""
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
    shadow: Annotated[
        Optional[float],
        typer.Option(
            min=1e-6,
            max=1,
            help="Share of the frames that FP32 sees too, in idle time: says if INT8 drifts.",
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
    view_token: ViewToken = None,
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
        if redact not in (None, *REDACTIONS):
            raise UsageError(f"--redact {redact}: expected {' or '.join(REDACTIONS)}")
        chosen = replace(
            _of_options(
                sources or [], zones or [], metres or [], bg or [], seconds, value_range,
                stabilize, build, classify, left_s, min_size, shadow,
            ),
            sinks={f"sink{number}": {"url": url} for number, url in enumerate(sink or [], 1)},
            folder=folder,
            recordings=Recordings(redact=redact) if record else None,
        )  # fmt: skip
        for camera in chosen.cameras:
            _check(camera, lambda _key, error: error, view is not None)
    places = {camera.build for camera in chosen.cameras}
    for place in places - {None}:
        check_device_options(ctx, place or Path())
    watch_all(
        chosen, read, threads, cuda_backend, lambda built: check_device_options(ctx, built),
        metrics=metrics, view=view, view_token=view_token, frames=frames,
    )  # fmt: skip


def watch_all(
    chosen: WatchConfig,
    read: Optional[Callable[[], WatchConfig]] = None,
    threads: Optional[int] = None,
    cuda_backend: str = "auto",
    check: Callable[[Path], None] = lambda _: None,
    *,
    metrics: Optional[str] = None,
    view: Optional[str] = None,
    view_token: Optional[str] = None,
    frames: Optional[int] = None,
) -> None:
    """Watch the cameras of a configuration until they end; arguments as the options of `watch`.

    read: reads the configuration again.
    check: told of the build of cameras that name none.
    """
    from edge.loop.channel import summary
    from edge.sinks.metrics import Metrics, MetricsServer
    from edge.watch.float_process import FloatProcesses
    from edge.watch.outputs import StandardOutputs
    from edge.watch.watch import Watch

    bundled: Optional[Path] = None
    opener = camera_opener(
        lambda: bundled or default_build(),
        threads,
        cuda_backend,
        alone=len(chosen.cameras) == 1,
        stop=(stop := threading.Event()),
        floats=(floats := FloatProcesses()),
        folder=chosen.folder,
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
            counted.sources.append(lambda: count_pulled(counted, watching))
            stack.callback(MetricsServer(counted, metrics).close)
        stack.callback(floats.close)
        stack.callback(watching.close)
        # Python waits for all threads at its end: one that makes a background must not take a
        # minute for it.
        stack.callback(stop.set)
        # What is wrong with a sink is told before minutes go into a build.
        watching.configure()
        if any(camera.build is None for camera in chosen.cameras):
            bundled = default_build()
            check(bundled)
        stack.enter_context(_on_signal(signal.SIGHUP, watching.reload))
        stack.enter_context(_on_signal(signal.SIGUSR1, watching.confirm))
        stack.enter_context(_ending_between_frames(watching))
        channels: list[Any] = []
        stack.callback(lambda: print_all(summary(channels)))
        failures = watching.run(frames, channels.append)
    if failures:
        raise EdgeError("; ".join(failures))


def _view(watching: Watch, place: str, token: Optional[str]) -> ViewServer:
    """Show what is watched on a page."""
    from edge.view.feed import Feed
    from edge.view.server import ViewServer

    server = ViewServer(Feed(watching), place, token)
    note(f"the view is at {server.url}")
    return server


def count_pulled(metrics: Metrics, watching: Watch) -> None:
    """Tell the metrics what cameras and their shadows count themselves."""
    for name, watched in list(watching.watched.items()):
        camera = watched.channel.pipeline.camera
        metrics.set("dropped_frames_total", camera.dropped, camera=name)
        metrics.set("unreadable_frames_total", camera.unreadable, camera=name)
        if (shadow := watched.shadow) is not None:
            metrics.set("int8_compared_total", shadow.compared, camera=name)
            drift = shadow.drift
            for output in ("mask", "depth"):
                if (value := getattr(drift, output, None)) is not None:
                    metrics.set("int8_drift", value, camera=name, output=output)


@contextmanager
def _on_signal(number: signal.Signals, call: Callable[[], None]) -> Iterator[None]:
    """Call something at a signal: SIGHUP reads the file again, SIGUSR1 confirms cameras."""
    before = signal.signal(number, lambda *_: call())
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _ending_between_frames(watching: Watch) -> Iterator[None]:
    """SIGINT and SIGTERM end the watch between two frames: within one, an event could have begun
    that nobody was told of, and its end would be told. A second one ends it at once."""
    ends = {
        signal.SIGINT: KeyboardInterrupt(),
        signal.SIGTERM: SystemExit(128 + signal.SIGTERM),
    }
    before = {number: signal.getsignal(number) for number in ends}
    # A shell that starts a program in the background, or `nohup`, lets it ignore Ctrl-C.
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(number: int, _: object) -> None:
        restore()
        watching.end(ends[signal.Signals(number)])

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        restore()


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
    shadow: Optional[float],
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
                shadow=shadow,
            )
            for i, (name, source) in enumerate(zip(names, sources, strict=True))
        )
    )


def name_of(source: str) -> str:
    """The name of a camera that has none: the stem of a file, else the host, path and parameters of
    an address, without its secrets."""
    from edge.camera.address import redact_address

    scheme, mark, place = redact_address(source).partition("://")
    if not mark or scheme.lower() == "file":
        place = Path(place or scheme).stem
    name = re.sub(r"[^\w]+", "-", place).strip("-") or "camera"
    if len(name) > LONGEST_NAME:  # whose ends may be what tells two apart
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_NAME - 9].rstrip('-')}-{digest}"
    return name


def _checked_file(path: Path, drawn: bool = False) -> WatchConfig:
    """Read and check cameras.toml as a whole, with the files that it names.

    drawn: as of `_check`.
    """
    from edge.watch.config import located, read_config, read_text

    config = read_config(path)
    text = read_text(path)
    for camera in config.cameras:

        def locate(key: str, error: EdgeError, name: str = camera.name) -> EdgeError:
            placed = located(path, text, ("cameras", name, key), error.message, error.hint)
            return type(error)(placed.message, placed.hint)

        _check(camera, locate, drawn)
    for profile, off in config.profiles.items():
        for each in off:
            if (wrong := _unknown_zone(config, each)) is not None:
                error = located(path, text, ("profiles", profile, "off"), wrong.message, wrong.hint)
                if not drawn:
                    raise error
                note(f"{error}; or draw it")
    return config


def _unknown_zone(config: WatchConfig, place: str) -> Optional[UsageError]:
    """What is wrong with `CAMERA/ZONE` of a profile, whose camera there is."""
    from edge.watch.watch import zones_file, zones_of

    name, slash, zone = place.partition("/")
    camera = next(each for each in config.cameras if each.name == name)
    known = [each.name for each in zones_of(zones_file(camera))]
    if not slash or zone in known:
        return None
    return UsageError(
        f"camera `{name}` has no zone `{zone}`", f"zones: {', '.join(known) or 'none'}"
    )


def _check(
    camera: CameraConfig, locate: Callable[[str, EdgeError], EdgeError], drawn: bool = False
) -> None:
    """Raise what is wrong with a camera, as far as it can be known without connecting to it.

    drawn: zones are drawn and metres measured, so that their files need not be there yet.
    """
    from edge import manifest as manifests
    from edge.camera.reader import check_source
    from edge.things.metres import read_metres
    from edge.watch.classify import OnnxClassifier
    from edge.watch.float_process import check_int8
    from edge.watch.watch import zones_file
    from edge.zones.file import write_zones

    def zones() -> None:
        if drawn and camera.zones is not None and not camera.zones.exists():
            if not (parent := camera.zones.parent).is_dir():
                raise UsageError(
                    f"cannot write {camera.zones}: there is no folder {parent}",
                    f"mkdir -p {shlex.quote(str(parent))}",
                )
            write_zones(camera.zones, [])
        zones_file(camera)

    def metres() -> None:
        if camera.metres is not None and not (drawn and not camera.metres.exists()):
            read_metres(camera.metres)

    checks: dict[str, Callable[[], object]] = {
        "source": lambda: check_source(camera.source, camera.range),
        "background": lambda: camera.background and read_background(camera.background),
        "build": lambda: camera.build and manifests.read_finished(camera.build),
        "shadow": lambda: check_int8(camera.build) if camera.shadow and camera.build else None,
        "metres": metres,
        "zones": zones,
        "classify": lambda: camera.classify and OnnxClassifier(camera.classify),
    }
    for key, check in checks.items():
        try:
            check()
        except EdgeError as error:
            raise locate(key, error) from error
