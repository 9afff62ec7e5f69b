"""The calls of the runtime: open, set_background, infer, submit, wait, close.

Results are views of two slots, so the frames of a handle belong to one thread: those of a second
one would overwrite results that the first still reads. `infer`, `submit` and `wait` refuse it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge import manifest as manifests
from edge.errors import EdgeError, UsageError
from edge.manifest import Manifest
from edge.runtime.backend import SLOTS, Backend, OpenOptions, Plane
from edge.runtime.backends import open_backend
from edge.runtime.cores import usable_cores

Outputs = tuple[Plane | None, Plane | None]
"""mask and depth: float32 [H, W] in 0..1, or uint8 with 255 for 1.0 from a build with --bytes.

Both are views of buffers that the handle owns, valid until two further calls of infer or submit.
None where the network has no such output.
"""


class Handle:
    """An open build. The functions of this module do all work on it.

    One thread at a time is inside; the frames are all of one thread.
    """

    def __init__(self, manifest: Manifest, backend: Backend) -> None:
        self.manifest = manifest
        self.height, self.width = manifest.imgsz
        self._backend: Backend | None = backend
        self._ready = False
        self._next = 0
        self._under_way: set[int] = set()
        self._lock = threading.RLock()
        self._owner: threading.Thread | None = None

    def __enter__(self) -> Handle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        close(self)

    @property
    def backend(self) -> Backend:
        if self._backend is None:
            raise EdgeError(f"build {self.manifest.name} is closed", "edge.open() opens it again")
        return self._backend


def open(
    path: str | Path, threads: int | None = None, *, fold: bool = True, cuda: str = "auto"
) -> Handle:
    """Load a build folder after checking its manifest, its files, the runtime and the GPU.

    Args:
        path: The build folder.
        threads: Threads of a CPU runtime; None takes the cores that this process may use.
        fold: False runs the background graph at every frame, to measure what folding saves.
        cuda: Library that drives a GPU: `cuda-python`, `pycuda`, or `auto` for the installed one.

    Returns:
        A handle; `with edge.open(path) as h:` closes it.

    Raises:
        BuildMismatch: The build is damaged or does not fit this machine; the message has the
            command that mends it.
        UsageError: `threads` is not possible.

    Example:
        >>> with edge.open("build/small-int8-openvino") as h:
        ...     edge.set_background(h, edge.fit(h, bg))
        ...     mask, depth = edge.infer(h, edge.fit(h, frame))
    """
    folder = Path(path)
    manifest = manifests.read_finished(folder)
    cores = usable_cores()
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}, expected at least 1")
    if threads is not None and threads > cores:
        raise UsageError(
            f"threads is {threads}, but this process may use {cores} cores, and threads that wait"
            " for a core slow every frame down",
            f"give at most {cores} or leave it out",
        )
    options = OpenOptions(threads or cores, fold, cuda)
    return Handle(manifest, open_backend(folder, manifest, options))


def check(h: Handle, image: npt.NDArray[np.uint8], name: str) -> None:
    """Check that an image is uint8 [H, W, 3] of the build's size.

    Raises:
        UsageError: The message has the found and the expected dtype and shape.
    """
    expected = (h.height, h.width, 3)
    shape = getattr(image, "shape", None)
    if shape != expected or image.dtype != np.uint8:
        dtype = getattr(image, "dtype", type(image).__name__)
        raise UsageError(
            f"{name} is {dtype} {list(shape) if shape else ''}, expected uint8 {list(expected)}"
            f" ({h.manifest.name} works at {h.width}x{h.height})",
            "edge.fit(h, image) resizes",
        )


def set_background(h: Handle, bg: npt.NDArray[np.uint8]) -> None:
    """Take a new background and run the background graph once. Any thread may call it.

    Frames under way are finished with the old background first. Results stay valid as promised.

    Args:
        h: An open build.
        bg: The empty scene, uint8 [H, W, 3] BGR at the build's size.

    Raises:
        UsageError: `bg` has another shape or dtype.
    """
    check(h, bg, "bg")
    with h._lock:
        for ticket in sorted(h._under_way):
            h.backend.finish(ticket % SLOTS)
        h.backend.set_background(bg)
        h._ready = True
        # The caller may still read the last results, so only slots without one warm up.
        for slot in range(h._next, SLOTS):
            np.copyto(h.backend.frames[slot], bg)
            h.backend.run(slot)


def _own(h: Handle) -> None:
    """Make this thread the one that runs frames; UsageError where another one does and lives."""
    owner, thread = h._owner, threading.current_thread()
    if owner is not thread:
        if owner is not None and owner.is_alive():
            raise UsageError(
                f"the frames of this handle of {h.manifest.name} run in thread {owner.name}, this"
                f" is thread {thread.name}",
                "open one handle per thread with edge.open()",
            )
        h._owner = thread


def _outputs(h: Handle, slot: int) -> Outputs:
    outputs = h.backend.outputs[slot]
    mask, depth = (outputs.get(name, outputs.get(f"{name}_u8")) for name in ("mask", "depth"))
    return mask, depth


def _take(h: Handle, frame: npt.NDArray[np.uint8]) -> int:
    """Check a frame, copy it into the next slot's buffer, and return its ticket."""
    check(h, frame, "frame")
    backend, ticket = h.backend, h._next
    if not h._ready:
        raise UsageError("no background yet", "call edge.set_background(h, bg) before a frame")
    _own(h)
    if ticket - SLOTS in h._under_way:
        raise UsageError(f"{SLOTS} frames are under way", f"wait for ticket {ticket - SLOTS} first")
    np.copyto(backend.frames[ticket % SLOTS], frame)
    h._next += 1
    return ticket


def infer(h: Handle, frame: npt.NDArray[np.uint8]) -> Outputs:
    """Compute mask and depth of one frame.

    Args:
        h: An open build with a background.
        frame: uint8 [H, W, 3] BGR at the build's size.

    Returns:
        (mask, depth), see Outputs. mask is the probability of foreground, depth the relative
        inverse depth, near is large.

    Raises:
        UsageError: `frame` has another shape or dtype, there is no background yet, or another
            thread runs frames on this handle.
    """
    with h._lock:
        slot = _take(h, frame) % SLOTS
        h.backend.run(slot)
        return _outputs(h, slot)


def submit(h: Handle, frame: npt.NDArray[np.uint8]) -> int:
    """Begin with a frame and return its ticket at once; the frame is copied.

    Raises:
        UsageError: As `infer`, or two frames are under way already.
    """
    with h._lock:
        ticket = _take(h, frame)
        h.backend.start(ticket % SLOTS)
        h._under_way.add(ticket)
        return ticket


def wait(h: Handle, ticket: int) -> Outputs:
    """Wait for a submitted frame and return its mask and depth. Each ticket is good once."""
    with h._lock:
        _own(h)
        if ticket not in h._under_way:
            raise UsageError(
                f"ticket {ticket} is not under way: submit() did not return it, or it was waited"
                " for"
            )
        h._under_way.discard(ticket)
        h.backend.finish(ticket % SLOTS)
        return _outputs(h, ticket % SLOTS)


def close(h: Handle) -> None:
    """Release the build, from any thread; a second call does nothing."""
    with h._lock:
        backend, h._backend = h._backend, None
        if backend is not None:
            for ticket in sorted(h._under_way):
                backend.finish(ticket % SLOTS)
            h._under_way.clear()
            backend.close()
