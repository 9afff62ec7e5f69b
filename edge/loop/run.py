"""The loop that runs several cameras until each has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from edge.camera.source import CameraEvent, Frame
from edge.errors import EdgeError
from edge.loop.channel import Channel
from edge.loop.pipeline import FrameResult


class Listener(Protocol):
    """Who is told of frames and events."""

    def on_frame(self, channel: Channel, result: FrameResult) -> None:
        """A frame was processed; its mask and depth are valid during this call."""

    def on_event(self, channel: Channel, event: CameraEvent) -> None:
        """The state of a source changed."""

    def on_failure(self, channel: Channel, error: EdgeError) -> None:
        """A source was given up; the others go on."""


def run_channels(
    channels: Sequence[Channel],
    wake: threading.Event,
    listener: Listener,
    frames: int | None = None,
    turn: Callable[[list[Channel]], bool] | None = None,
) -> list[str]:
    """Run channels until their sources end.

    Args:
        channels: their cameras share `wake`.
        wake: set by the cameras whenever there is something to take.
        listener: told of every frame and event, in this thread.
        frames: stop each channel after so many frames.
        turn: called before each round with the channels that run, which it may change; True: go on
            though there is none, because more will come.

    Returns:
        A sentence for each source that gave no frame, ended early or was given up.

    Raises:
        EdgeError: the only source left fails.
    """
    running = list(channels)
    failures: list[str] = []
    while True:
        more = turn is not None and turn(running)
        if not running and not more:
            return failures
        wake.clear()
        idle = True
        for channel in list(running):
            camera = channel.pipeline.camera
            try:
                idle &= not _take(channel, listener)
            except EdgeError as error:
                if len(running) == 1 and not more:
                    raise
                listener.on_failure(channel, error)
                failures.append(f"{channel.name} was given up")
            else:
                if not camera.ended and channel.frames != frames:
                    continue
                if not channel.frames:
                    failures.append(f"no frame of {channel.name} could be read")
                elif (camera.live or camera.cut_off) and channel.frames != frames:
                    failures.append(f"{channel.name} ended early")
            camera.close()
            running.remove(channel)
        if idle and (running or more):
            wake.wait(0.5)


def _take(channel: Channel, listener: Listener) -> bool:
    """Take one item of a channel's camera; False if there was none."""
    item = channel.pipeline.camera.take()
    if isinstance(item, CameraEvent):
        listener.on_event(channel, item)
    elif isinstance(item, Frame):
        result = channel.process(item)
        # First the video: it holds every frame that was told of, whenever the program is stopped.
        channel.output(result)
        for event in result.events:
            listener.on_event(channel, event)
        listener.on_frame(channel, result)
    return item is not None
