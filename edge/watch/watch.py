"""Watches several cameras: opens them beside the loop, tells their events, follows its files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.camera.source import CameraError, CameraEvent
from edge.clock import steady
from edge.errors import EdgeError
from edge.events.event import Event
from edge.events.left import LEFT_S
from edge.events.look import MIN_SIZE
from edge.events.reporter import Reporter
from edge.loop.channel import Channel, capacity
from edge.loop.pipeline import FrameResult
from edge.loop.run import run_channels
from edge.progress import held_notes, note
from edge.watch.config import CameraConfig, WatchConfig
from edge.watch.outputs import Outputs
from edge.watch.watcher import Settings, Switches, Watcher
from edge.zones.file import ZonesFile
from edge.zones.zone import Zone

if TYPE_CHECKING:
    from edge.things.metres_file import MetresFile
    from edge.watch.shadow import Shadow

TICK_S = 0.5
"""Seconds between two looks at files and clocks."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two attempts to open a camera that cannot be reached."""
REMIND_S = 3600.0
"""Seconds after which it is said again that a camera cannot be opened."""
OPENED_AT_ONCE = 2
"""Cameras whose backgrounds are made at the same time: each takes a core and 400 MB."""
SETTLED = 500
"""Frames of every live camera after which it is said how many the machine takes: a service has no
end at which to say it."""
MAX_NOTES = 5
"""Messages about unreadable frames of a camera that are printed."""


@dataclass
class Watched:
    """A camera that is watched, and what ends with it."""

    config: CameraConfig
    channel: Channel
    watcher: Watcher
    resources: ExitStack
    zones: ZonesFile | None
    shadow: Shadow | None = None
    metres: MetresFile | None = None
    unreadable: int = 0
    unsure: str = ""


Opener = Callable[[CameraConfig, threading.Event], Watched]
"""Opens a camera, which sets the event when it has something; runs beside the loop."""


@dataclass
class _Opening:
    """A camera that is being opened, or waits until it is tried again."""

    config: CameraConfig
    future: Future[Watched] | None
    wait: float = FIRST_WAIT_S
    again: float = 0.0
    lost: Event | None = None
    said: str = ""
    said_at: float = 0.0


class Watch:
    """Watches the cameras of a configuration.

    Args:
        config: checked.
        opener: opens a camera.
        outputs: get every event.
        reread: reads the configuration again, on `reload`; None: there is no file.

    Attributes:
        watched: the cameras that are open, by name.
        ended: the cameras that are watched no more, by name, with a sentence about what failed;
            empty where a recording has come to its end.
    """

    def __init__(
        self,
        config: WatchConfig,
        opener: Opener,
        outputs: Outputs,
        reread: Callable[[], WatchConfig] | None = None,
    ) -> None:
        self.config, self._open, self._outputs, self._reread = config, opener, outputs, reread
        self.wake, self._reload = threading.Event(), threading.Event()
        self.watched: dict[str, Watched] = {}
        self.ended: dict[str, str] = {}
        self._opening: dict[str, _Opening] = {}
        self._pool = ThreadPoolExecutor(OPENED_AT_ONCE, "edge-open")
        self._failures: list[str] = []
        self._opened: Callable[[Channel], None] = lambda _: None
        self._ticked = float("-inf")
        self._settled = False
        self._zones: dict[str, tuple[Zone, ...]] = {}
        self._confirmed: list[str | None] = []
        self._ended: BaseException | None = None
        self._off: set[tuple[str, str | None]] = set()
        self.profile = next(iter(config.profiles), None)

    def reload(self) -> None:
        """Read the configuration again soon; may be called from a signal handler."""
        self._reload.set()
        self.wake.set()

    def confirm(self, camera: str | None = None) -> None:
        """Somebody confirms that a camera stands where it is to: its scene is learned anew.

        May be called from any thread and from a signal handler.

        Args:
            camera: its name; None: all whose background does not fit.
        """
        self._confirmed.append(camera)
        self.wake.set()

    def end(self, error: BaseException) -> None:
        """Let `run` raise an error between two frames; may be called from a signal handler."""
        self._ended = error
        self.wake.set()

    def run(
        self, frames: int | None = None, opened: Callable[[Channel], None] = lambda _: None
    ) -> list[str]:
        """Watch until all sources end.

        Args:
            frames: stop each camera after so many.
            opened: told of each camera that is watched from now on.

        Returns:
            A sentence for each source that failed, as of edge.loop.run.run_channels.

        Raises:
            EdgeError: the only camera fails.
            BaseException: what `end` was given.
        """
        self._opened = opened
        self.configure()
        for camera in self.config.cameras:
            self._begin_opening(camera)
        try:
            return self._failures + run_channels([], self.wake, self, frames, self._turn)
        finally:
            self.close()

    def configure(self) -> None:
        """Open where events go: what is wrong with it is refused at once. `run` does it too.

        Raises:
            EdgeError: as of `Outputs.configure`.
        """
        self._zones = _zones(self.config)
        self._outputs.configure(self.config, self._zones, self)

    def close(self) -> None:
        """Tell the ends of everything, and close the cameras; a second call does nothing."""
        try:
            for watched in list(self.watched.values()):
                self._tell(watched.watcher.close())
            for opening in self._opening.values():
                self._end_lost(opening)
        finally:
            for watched in self.watched.values():
                watched.resources.close()
            self.watched.clear()
            for opening in self._opening.values():
                if opening.future is not None and not opening.future.cancel():
                    opening.future.add_done_callback(_dispose)
            self._opening.clear()
            self._outputs.close()
        # A camera that answers slowly, or closes slowly, is left to its thread.
        self._pool.shutdown(wait=False)

    def on_frame(self, channel: Channel, result: FrameResult) -> None:
        """Watch a frame of a camera."""
        start = time.perf_counter()
        watched = self._of(channel)
        events = watched.watcher.frame(result)
        live = channel.pipeline.camera.live
        self._tell(self._outputs.frame(watched.config.name, live, result, events))
        channel.busy_ms[-1] += 1e3 * (time.perf_counter() - start)

    def on_event(self, channel: Channel, event: CameraEvent) -> None:
        """Tell what happened to a camera; what happened to its scene is in its next result."""
        watched = self._of(channel)
        if event.kind == "unreadable":
            watched.unreadable += 1
        again = event.kind == "background_unsure" and watched.unsure == event.text
        if event.kind == "background_unsure":
            watched.unsure = event.text  # said anew when the share changes
        if not again and (event.kind != "unreadable" or watched.unreadable <= MAX_NOTES):
            note(event.text)
        self._tell(watched.watcher.event(event))

    def on_failure(self, channel: Channel, error: EdgeError) -> None:
        """Go on without a camera."""
        note(f"{error}; the other cameras go on")
        self.ended[self._of(channel).config.name] = str(error)

    def switch(self, camera: str, zone: str | None, on: bool) -> None:
        """Switch a zone, or with None a whole camera, on or off; may be called from any thread."""
        off = set(self._off)
        (off.discard if on else off.add)((camera, zone))
        self._off = off
        self._apply_switches()

    def choose(self, profile: str) -> None:
        """Choose a profile; may be called from any thread.

        Raises:
            EdgeError: there is none of this name.
        """
        if profile not in self.config.profiles:
            known = ", ".join(self.config.profiles) or "none"
            raise EdgeError(f"no profile `{profile}`", f"profiles: {known}")
        self.profile = profile
        self._apply_switches()

    def _apply_switches(self) -> None:
        off = set(self._off)
        for each in self.config.profiles.get(self.profile or "", ()):
            camera, slash, zone = each.partition("/")
            off.add((camera, zone if slash else None))
        for name, watched in list(self.watched.items()):
            zones = frozenset(zone for camera, zone in off if camera == name and zone is not None)
            watched.watcher.switches = Switches(zones, (name, None) in off)

    def _turn(self, running: list[Channel]) -> bool:
        """Between two rounds of the loop: take what was opened, follow files and clocks."""
        if self._ended is not None:
            raise self._ended
        if self._reload.is_set():
            self._reload.clear()
            self._take_over(running)
        while self._confirmed:
            self._learn_anew(self._confirmed.pop(0))
        for name, opening in list(self._opening.items()):
            self._look_at(name, opening, running)
        now = time.monotonic()
        if now - self._ticked >= TICK_S:
            self._ticked = now
            alive = {id(channel) for channel in running}
            for name, watched in list(self.watched.items()):
                if id(watched.channel) not in alive:
                    self.ended.setdefault(name, "")
                    self._remove(name)
                    continue
                self._read_zones(watched)
                self._read_metres(watched)
                self._tell(watched.watcher.tick(now))
                if watched.shadow is not None and (drift := watched.shadow.take()) is not None:
                    self.on_event(watched.channel, drift)
            self._say_capacity(running)
        return bool(self._opening)

    def _say_capacity(self, running: list[Channel]) -> None:
        """Say once how many cameras the machine takes, when all have run for a while."""
        live = [channel for channel in running if channel.pipeline.camera.live]
        if self._settled or self._opening or not live:
            return
        if min(channel.frames for channel in live) >= SETTLED:
            self._settled = True
            for line in capacity(live):
                note(line)

    def _learn_anew(self, camera: str | None) -> None:
        """Learn the scene of a confirmed camera anew."""
        names = [camera]
        if camera is None:
            names = [name for name, each in self.watched.items() if each.watcher.states.misfit]
            if not names:
                note("nothing to confirm: every background fits")
        for name in names:
            watched = self.watched.get(name or "")
            if watched is None or not watched.channel.pipeline.confirm():
                note(f"{name} is no live camera that is watched; nothing is learned anew")
            else:
                note(f"{name} was confirmed; its scene is learned anew")

    def _begin_opening(self, config: CameraConfig) -> None:
        future = self._pool.submit(self._open, config, self.wake)
        future.add_done_callback(lambda _: self.wake.set())
        self._opening[config.name] = _Opening(config, future)
        self.ended.pop(config.name, None)

    def _look_at(self, name: str, opening: _Opening, running: list[Channel]) -> None:
        """Take a camera that is open; try again where it cannot be reached."""
        if opening.future is None:
            if time.monotonic() >= opening.again:
                opening.future = self._pool.submit(self._open_again, opening.config)
                opening.future.add_done_callback(lambda _: self.wake.set())
            return
        if not opening.future.done():
            return
        future, opening.future = opening.future, None
        try:
            watched = future.result()
        except CameraError as error:
            if self._reread is None or "://" not in opening.config.source:
                self._give_up(name, error, running)
                return
            self._remind(opening, error)
            if opening.lost is None:
                reporter = Reporter(name, None)
                opening.lost = reporter.begin("lost", steady(), text=str(error))
                self._tell([opening.lost])
            opening.again = time.monotonic() + opening.wait
            opening.wait = min(2 * opening.wait, LONGEST_WAIT_S)
            return
        except EdgeError as error:
            if opening.lost is None:
                self._give_up(name, error, running)
                return
            # It was right when the watch began: files that are edited meanwhile are mended, too.
            self._remind(opening, error)
            opening.again = time.monotonic() + opening.wait
            return
        del self._opening[name]
        if opening.lost is not None:
            note(f"{name} is back")
        self._end_lost(opening)
        self.watched[name] = watched
        running.append(watched.channel)
        self._opened(watched.channel)
        self._publish_zones(watched)  # its file may have been edited while it was opened
        self._apply_switches()

    def _open_again(self, config: CameraConfig) -> Watched:
        with held_notes():
            return self._open(config, self.wake)

    def _remind(self, opening: _Opening, error: EdgeError) -> None:
        """Say why a camera cannot be opened, once, and now and then while it lasts."""
        now = time.monotonic()
        if str(error) != opening.said or now - opening.said_at >= REMIND_S:
            note(f"{error}; trying again until it is there")
            opening.said, opening.said_at = str(error), now

    def _end_lost(self, opening: _Opening) -> None:
        """Tell the end of `lost`, where a camera could not be reached."""
        if opening.lost is not None:
            self._tell([Reporter(opening.config.name, None).end(opening.lost, steady())])
            opening.lost = None

    def _give_up(self, name: str, error: EdgeError, running: list[Channel]) -> None:
        """Raise the error where there is no other camera."""
        del self._opening[name]
        if len(self.config.cameras) == 1 or not (self.watched or self._opening or running):
            raise error
        note(f"{error}; the other cameras go on")
        self.ended[name] = str(error)
        self._failures.append(f"{name} was given up")

    def _take_over(self, running: list[Channel]) -> None:
        """Read the configuration again; cameras that did not change go on as they are."""
        if self._reread is None:
            note("there is no file to read again: no --config was given")
            return
        try:
            config = self._reread()
            zones = _zones(config)
            self._outputs.configure(config, zones, self)
        except EdgeError as error:
            note(f"{error}; everything goes on as it was")
            return
        self.config, self._zones = config, zones
        if self.profile not in config.profiles:
            self.profile = next(iter(config.profiles), None)
        wanted = {camera.name: camera for camera in config.cameras}
        for name, watched in list(self.watched.items()):
            camera = wanted.get(name)
            if camera is None or _source_of(camera) != _source_of(watched.config):
                if watched.channel in running:
                    running.remove(watched.channel)
                self._remove(name)
            else:
                self._change(watched, camera)
        for name, opening in list(self._opening.items()):
            if wanted.get(name) != opening.config:
                if opening.future is not None:
                    opening.future.add_done_callback(_dispose)
                self._end_lost(opening)
                del self._opening[name]
        for name, camera in wanted.items():
            if name not in self.watched and name not in self._opening:
                self._begin_opening(camera)
        self._apply_switches()
        note(f"{len(wanted)} cameras are watched as the file says now")

    def _change(self, watched: Watched, camera: CameraConfig) -> None:
        """Take over what may change while a camera is watched."""
        if camera.zones != watched.config.zones:
            watched.zones = zones_file(camera)
        elif watched.zones is not None:
            self._read_zones(watched)
        watched.config = camera
        watched.watcher.set_settings(settings_of(camera, zones_of(watched.zones)))

    def _read_zones(self, watched: Watched) -> None:
        """Take over the file of a camera's zones when it was edited."""
        if watched.zones is None:
            return
        try:
            changed = watched.zones.changed()
        except EdgeError as error:
            note(f"{error}; the zones of {watched.config.name} stay as they were")
            return
        if changed:
            settings = replace(watched.watcher.settings, zones=tuple(watched.zones.zones))
            watched.watcher.set_settings(settings)
            note(f"{watched.config.name}: {len(settings.zones)} zones of {watched.zones.path}")
            self._publish_zones(watched)

    def _read_metres(self, watched: Watched) -> None:
        """Take over the file of a camera's metres when it was made anew."""
        if watched.metres is None:
            return
        try:
            changed = watched.metres.changed()
        except EdgeError as error:
            note(f"{error}; the metres of {watched.config.name} stay as they were")
            return
        if changed and watched.metres.metres is not None:
            watched.watcher.calibrate(watched.metres.metres)
            note(f"{watched.config.name}: metres of {watched.metres.path}")

    def _publish_zones(self, watched: Watched) -> None:
        """Tell outputs of the zones that a camera has now."""
        zones = {**self._zones, watched.config.name: tuple(watched.watcher.settings.zones)}
        if zones == self._zones:
            return
        try:
            self._outputs.configure(self.config, zones, self)
        except EdgeError as error:
            note(f"{error}; sinks know the zones of {watched.config.name} as they were")
        else:
            self._zones = zones

    def _remove(self, name: str) -> None:
        watched = self.watched.pop(name)
        self._tell(watched.watcher.close())
        # A camera that does not answer takes seconds, in which the others must not wait.
        self._pool.submit(watched.resources.close)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._outputs.put(event)

    def _of(self, channel: Channel) -> Watched:
        return next(each for each in self.watched.values() if each.channel is channel)


def settings_of(config: CameraConfig, zones: tuple[Zone, ...]) -> Settings:
    """How a camera is watched."""
    return Settings(zones, config.schedule, config.left_s, config.min_size)


def zones_file(config: CameraConfig) -> ZonesFile | None:
    """The file of a camera's zones; errors as of edge.zones.file.read_zones."""
    return None if config.zones is None else ZonesFile(config.zones, config.metres is not None)


def zones_of(file: ZonesFile | None) -> tuple[Zone, ...]:
    """The zones of a file; none without one."""
    return () if file is None else tuple(file.zones)


def _zones(config: WatchConfig) -> dict[str, tuple[Zone, ...]]:
    """The zones and lines of each camera, as their files say."""
    return {camera.name: zones_of(zones_file(camera)) for camera in config.cameras}


def _source_of(config: CameraConfig) -> CameraConfig:
    """What a camera must be opened again for when it changes: all but what `_change` takes over."""
    return replace(config, zones=None, schedule=(), left_s=LEFT_S, min_size=MIN_SIZE, sinks=None)


def _dispose(future: Future[Watched]) -> None:
    """Close a camera that nobody wants any more."""
    if not future.cancelled() and future.exception() is None:
        future.result().resources.close()
