"""Opens the cameras of `edge watch`: background, build, pipeline and watcher of each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from edge.cli.run import estimator, given_background, open_spare, scene_of, spread_learner
from edge.clock import steady
from edge.progress import note

if TYPE_CHECKING:
    from edge.watch.config import CameraConfig
    from edge.watch.float_process import FloatProcesses
    from edge.watch.watch import Opener, Watched


def camera_opener(
    bundled: Callable[[], Path],
    threads: Optional[int] = None,
    cuda_backend: str = "auto",
    alone: bool = False,
    stop: Optional[threading.Event] = None,
    floats: Optional[FloatProcesses] = None,
    folder: Optional[Path] = None,
) -> Opener:
    """What opens a camera of a configuration.

    bundled: the build of cameras that name none.
    alone: there is one camera, whose background is made with a bar.
    stop: set to end the making of backgrounds, which then raises CancelledError.
    floats: FP32 of builds whose cameras have a shadow.
    folder: what is learned of live cameras is kept in its `scenes/`; None: nothing is.
    """
    import edge
    from edge.camera.camera import Camera
    from edge.camera.value_range import parse_range
    from edge.loop.channel import Channel
    from edge.loop.pipeline import CameraPipeline
    from edge.scene.bank import first_entry
    from edge.scene.improve import BackgroundImprover
    from edge.scene.upkeep import Upkeep
    from edge.things.metres_file import MetresFile
    from edge.things.tracks import Tracker
    from edge.watch.classify import OnnxClassifier
    from edge.watch.float_process import FloatProcesses
    from edge.watch.scenes import Scenes
    from edge.watch.shadow import Shadow
    from edge.watch.watch import Watched, settings_of, zones_file, zones_of
    from edge.watch.watcher import Watcher

    floats = floats or FloatProcesses()
    scenes = None if folder is None else Scenes(folder)

    def check() -> None:
        if stop is not None and stop.is_set():
            raise CancelledError

    def open_camera(config: CameraConfig, wake: threading.Event) -> Watched:
        place = config.build or bundled()
        zones = zones_file(config)
        kept = None if scenes is None else scenes.of(config)
        if scenes is not None and kept is not None and kept.folder.is_dir():
            scenes.claim(config.name)
        known = kept.read() if kept is not None else []
        if known and kept is not None:
            background = known[0].background
            chosen = None if kept.value_range is None else parse_range(kept.value_range)
            note(f"{config.name}: going on with what was learned in {kept.folder}")
        elif config.background is not None:
            background, chosen = given_background(config.name, config.background, config.range)
        else:
            background, chosen = scene_of(
                config.source, config.seconds, config.range, place, config.stabilize, alone, check
            )
        with ExitStack() as stack:
            h = stack.enter_context(edge.open(place, threads, cuda=cuda_backend))
            camera = stack.enter_context(Camera(config.source, wake, value_range=chosen))
            improver = upkeep = estimate = spare = None
            if camera.live:
                spare = open_spare(stack, place, threads)
                estimate = estimator(place, config.stabilize)
                if config.background is None and not known:
                    improver = BackgroundImprover(estimate)
                if scenes is not None and kept is not None:
                    scenes.claim(config.name)
                    kept.value_range = None if chosen is None else str(chosen)
                bank = known or [first_entry(background, used=steady())]
                upkeep = Upkeep(bank, spread_learner(place, config.stabilize), kept)
            pipeline = CameraPipeline(
                camera, h, background, config.stabilize, improver, upkeep, estimate, spare
            )
            stack.callback(pipeline.close)
            metres = None
            if config.metres is not None:
                network = str(h.manifest.model.get("sha256", ""))
                metres = MetresFile(config.metres, pipeline.size, network)
                if metres.metres is None:
                    note(f"{config.name}: {config.metres} is not there yet: no metres until it is")
            channel = Channel(pipeline)
            stack.callback(channel.close)
            watcher = Watcher(
                config.name,
                pipeline.size,
                settings_of(config, zones_of(zones)),
                Tracker(None if metres is None else metres.metres),
                None if config.classify is None else OnnxClassifier(config.classify),
            )
            pipeline.cut, pipeline.followed = watcher.cut, watcher.followed
            shadow = None
            if config.shadow is not None:
                exact = partial(floats.of(place).infer, config.name)
                shadow = Shadow(pipeline, exact, config.shadow)
                stack.callback(shadow.close)
                pipeline.shadow = shadow.look
            return Watched(config, channel, watcher, stack.pop_all(), zones, shadow, metres)

    return open_camera
