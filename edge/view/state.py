"""What the page shows besides pictures, as JSON."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.camera.address import redact_address
from edge.errors import EdgeError
from edge.scene.background import Background
from edge.view.feed import Feed, Pace, Told
from edge.view.machine import Machine
from edge.view.reasons import named
from edge.view.zones import EditedZones
from edge.watch.config import CameraConfig
from edge.watch.watch import Watched
from edge.zones.zone import INEFFECTIVE

Json = dict[str, Any]


class State:
    """The cameras with their figures and zones, and the events.

    Args:
        feed: what the loop hands over.
        run: identifies this run of the program, for pages that outlive it.
    """

    def __init__(self, feed: Feed, run: str) -> None:
        self._feed, self._run, self._machine = feed, run, Machine()
        self._zones: dict[str, EditedZones] = {}
        self._sure: dict[str, tuple[Background, int, float]] = {}

    def json(self, after: int) -> Json:
        """Everything, with the events after the one of a number."""
        told = self._feed.told(after)
        watched = dict(self._feed.watching.watched)
        configs = self._feed.watching.config.cameras
        paces = {config.name: self._feed.slot(config.name).pace() for config in configs}
        busy = sum(pace.busy for pace in paces.values())
        share = self._machine.share if busy else None
        return {
            "run": self._run,
            "kinds": {kind: list(keys) for kind, keys in INEFFECTIVE.items()},
            "cameras": [
                {
                    **_pace(paces[config.name]),
                    # That of the process, by the cameras' busy times.
                    "machine": share and round(share * paces[config.name].busy / busy, 3),
                    **self._camera(config, watched.get(config.name)),
                }
                for config in configs
            ],
            "events": [_event(each) for each in told],
            "last": told[-1].number if told else after,
        }

    def zones(self, name: str) -> EditedZones | None:
        """The zones of a camera as its file has them; None where it has no file.

        Raises:
            EdgeError: the file cannot be read.
        """
        config = next((c for c in self._feed.watching.config.cameras if c.name == name), None)
        if config is None or config.zones is None:
            return None
        known, metres = self._zones.get(name), config.metres is not None
        if known is None or (known.path, known.metres) != (config.zones, metres):
            known = self._zones[name] = EditedZones(config.zones, metres)
        known.refresh()
        return known

    def background(self, name: str) -> Background | None:
        """The background of a camera that is watched."""
        watched = self._feed.watching.watched.get(name)
        return None if watched is None else watched.channel.pipeline.background

    def ground(self, name: str) -> npt.NDArray[np.float32] | None:
        """The depth of a camera's ground, [h, w] in 0..1; None where it is unknown."""
        watched = self._feed.watching.watched.get(name)
        return None if watched is None else watched.channel.pipeline.ground.depth

    def _camera(self, config: CameraConfig, watched: Watched | None) -> Json:
        ended = None if watched else self._feed.watching.ended.get(config.name)
        camera: Json = {
            "name": config.name,
            "source": redact_address(config.source),
            "open": watched is not None,
            "ended": ended and named(ended, config),
            "troubles": self._feed.troubles(config.name),
            "zones": None,
        }
        try:
            zones = self.zones(config.name)
        except EdgeError as error:
            camera["zones_error"] = str(error)
        else:
            if zones is not None:
                camera["zones"], camera["version"] = zones.content["zones"], zones.version
                camera["zones_error"] = zones.wrong
                now = time.time()
                camera["resting"] = [zone.name for zone in zones.zones if not zone.active(now)]
        if watched is not None:
            pipeline = watched.channel.pipeline
            number, sure = self._sureness(config.name, pipeline.background)
            camera["size"] = list(pipeline.size)
            camera["dropped"] = pipeline.camera.dropped
            camera["unreadable"] = pipeline.camera.unreadable
            camera["background"], camera["sure"] = number, round(sure, 3)
            camera["background_s"] = round(time.monotonic() - pipeline.since)
            camera["learns"], camera["learning"] = pipeline.learns, pipeline.learning
            camera["painting"] = pipeline.repaint.busy
            camera["painted"] = pipeline.repaint.undoable
            camera["metres"] = watched.metres and watched.metres.metres is not None
            drift = None if watched.shadow is None else watched.shadow.drift
            camera["drift"] = None if drift is None else round(drift.mask, 4)
        return camera

    def _sureness(self, name: str, background: Background) -> tuple[int, float]:
        """The number of a background, and the share of it that was seen empty often enough."""
        known = self._sure.get(name)
        if known is None or known[0] is not background:
            number = 1 if known is None else known[1] + 1
            known = background, number, 1 - float(background.unsure.mean())
            self._sure[name] = known
        return known[1], known[2]


def _pace(pace: Pace) -> Json:
    latency = pace.latency_ms
    return {
        "fps": round(pace.fps, 1),
        "latency_ms": None if latency is None else round(latency, 1),
    }


def _event(told: Told) -> Json:
    return {**told.event.as_dict(), "number": told.number, "picture": told.evidence is not None}
