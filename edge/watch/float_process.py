"""FP32 of an int8 build in a process that the system runs only on a core that nobody wants.

A thread would not do: one that is stopped for lack of a core may hold Python's lock, and every
frame would wait for it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

import edge
from edge import manifest as manifests
from edge.builder.plan import float_plan
from edge.builder.write import NETWORK, write_build
from edge.errors import EdgeError, UsageError
from edge.image import resize_image
from edge.runtime.handle import Handle, Outputs
from edge.samples.sample import Image
from edge.scene.background import Background
from edge.targets import get

TARGET = "onnxruntime"
"""FP32 is the same number on every target; this one runs on every machine, beside any GPU."""
Scene = tuple[Image, "Image | None"]
"""A background and its spread at the build's size."""


def only_when_idle(pid: int) -> None:
    """Let a process run only when no other wants its core; elsewhere than on Linux seldom."""
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
            return
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, 19)


class FloatProcess:
    """Computes frames of any number of cameras, one at a time.

    Args:
        build: in int8; the process makes FP32 of its network for itself.
        yield_to_all: called with the id of the process; gives it its priority.

    Raises:
        UsageError: the build is not in int8.
        BuildMismatch: it is damaged.
    """

    def __init__(self, build: Path, yield_to_all: Callable[[int], None] = only_when_idle) -> None:
        check_int8(build)
        self._size = manifests.read(build).imgsz
        self._sent: dict[str, Background] = {}
        self._lock = threading.Lock()
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        yield_to_all(self._process.pid)
        theirs.close()

    def infer(self, camera: str, background: Background, image: Image) -> Outputs:
        """Mask and depth of a frame of a camera; the caller waits, as long as it takes.

        Args:
            camera: its name.
            background: what it is compared with.
            image: uint8 [H, W, 3] BGR of the build's size.

        Raises:
            EdgeError: the process has ended, or FP32 cannot be made.
        """
        with self._lock:
            scene: Scene | None = None
            if self._sent.get(camera) is not background:
                spread = background.spread
                scene = (
                    resize_image(background.image, *self._size),
                    None if spread is None else resize_image(spread, *self._size),
                )
            try:
                self._link.send((camera, scene, image))
                found: Outputs | EdgeError = self._link.recv()
            except (EOFError, OSError) as error:
                raise EdgeError("the process that computes FP32 has ended") from error
            if isinstance(found, EdgeError):
                raise found
            self._sent[camera] = background
            return found

    def close(self) -> None:
        """End the process, whatever it does; a second call does nothing."""
        self._process.kill()
        self._process.join()


class FloatProcesses:
    """One process for each build, from its first camera on."""

    def __init__(self) -> None:
        self._found: dict[Path, FloatProcess] = {}
        self._lock = threading.Lock()
        self._closing = ExitStack()

    def of(self, build: Path) -> FloatProcess:
        """The process of a build; errors as of FloatProcess."""
        with self._lock:
            if build not in self._found:
                self._found[build] = FloatProcess(build)
                self._closing.callback(self._found[build].close)
            return self._found[build]

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._closing.close()


def check_int8(build: Path) -> None:
    """Raise UsageError for a build that is not in int8, or BuildMismatch for a damaged one."""
    manifest = manifests.read_finished(build)
    if manifest.precision != "int8":
        raise UsageError(
            f"{build} is {manifest.precision}; a shadow compares an int8 build with FP32",
            "leave it out, or name an int8 build",
        )


def open_float(build: Path) -> Handle:
    """FP32 of a build's network, open on one thread; nothing of it stays on the disk."""
    with TemporaryDirectory(prefix="edge-float-") as folder:
        place = Path(folder) / "build"
        name = manifests.read(build).network
        network = onnx.load(build / NETWORK)
        write_build(float_plan(network, name, get(TARGET), "fp32", command=""), place)
        return edge.open(place, 1)


def _serve(link: Connection, build: Path) -> None:
    """Answer until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the parent ends this one
    handles: dict[str, Handle] = {}
    with suppress(EOFError, OSError):
        while True:
            camera, scene, image = link.recv()
            try:
                h = handles.get(camera)
                if h is None:
                    h = handles[camera] = open_float(build)
                if scene is not None:
                    edge.set_background(h, *scene)
                link.send(edge.infer(h, image))
            except EdgeError as error:
                link.send(EdgeError(str(error)))
