"""The calls of the runtime: open, set_background, infer, submit, wait, close.

Results are views of two slots. From the first call of a second thread on they are copies, because
further calls would overwrite what another thread still reads.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge import manifest as manifests
from edge.errors import EdgeError, UsageError
from edge.manifest import SCENE_DEPTH, Manifest
from edge.runtime.backend import SLOTS, Backend, OpenOptions, Plane
from edge.runtime.backends import open_backend
from edge.runtime.cores import usable_cores

Outputs = tuple[Plane | None, Plane | None]
"""mask and depth: float32 [H, W] in 0..1, or uint8 with 255 for 1.0 from a build with --bytes.

Both are views of buffers that the handle owns, valid until two further calls of infer or submit;
once frames of a second thread ran on the handle, they are the caller's own. None where the network
has no such output.
"""


class Handle:
    """An open build. The functions of this module do all work on it.

    One thread at a time is inside; the others wait.
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
        # Of a handle with frames of several threads: the one slot that computes all of them, and
        # what was submitted and not waited for.
        self._shared: int | None = None
        self._done: dict[int, Outputs] = {}

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


def set_background(
    h: Handle, bg: npt.NDArray[np.uint8], spread: npt.NDArray[np.uint8] | None = None
) -> None:
    """Take a new background and run the background graph once. Any thread may call it.

    Frames under way are finished with the old background first. Results stay valid as promised.

    Args:
        h: An open build.
        bg: The empty scene, uint8 [H, W, 3] BGR at the build's size.
        spread: How far each pixel strays from `bg` while nothing new is there, uint8 [H, W, 3]
            (edge.scene.spread); None, or 0 throughout, where it is unknown. A build whose network
            takes no spread ignores it.

    Raises:
        UsageError: `bg` or `spread` has another shape or dtype.
    """
    check(h, bg, "bg")
    if spread is None:
        spread = np.zeros_like(bg)
    check(h, spread, "spread")
    with h._lock:
        for ticket in sorted(h._under_way):
            h.backend.finish(ticket % SLOTS)
        h.backend.set_background({"bg": bg, "spread": spread})
        h._ready = True
        # The caller may still read the last results, so only slots without one warm up.
        for slot in range(h._next, SLOTS):
            np.copyto(h.backend.frames[slot], bg)
            h.backend.run(slot)


def scene_depth(h: Handle) -> npt.NDArray[np.float32]:
    """Give the depth of the empty scene, on which whatever is new stands.

    Args:
        h: An open build with a background.

    Returns:
        float32 [H, W], relative inverse depth in 0..1, near is large; the caller's own.

    Raises:
        UsageError: There is no background yet.
        EdgeError: The build has no depth of the scene.
    """
    with h._lock:
        backend = h.backend
        if all(tensor.name != SCENE_DEPTH for tensor in h.manifest.scene):
            raise EdgeError(
                f"build {h.manifest.name} has no depth of the scene: its network computes none, or"
                " an earlier version built it",
                f"the bundled networks compute it; to make this build again: {h.manifest.command}",
            )
        if not h._ready:
            raise UsageError("no background yet", "call edge.set_background(h, bg) first")
        depth = backend.scene_tensor(SCENE_DEPTH).reshape(h.height, h.width)
        return depth.astype(np.float32)


def _enter(h: Handle) -> None:
    """Note which thread runs a frame. With a second one the handle becomes shared for good.

    The first thread may still read its last result, so its slot computes nothing any more.
    """
    thread = threading.current_thread()
    if h._owner is None:
        h._owner = thread
    if h._owner is thread or h._shared is not None:
        return
    h._shared = h._next % SLOTS
    for ticket in sorted(h._under_way):
        h._shared = ticket % SLOTS
        h.backend.finish(h._shared)
        h._done[ticket] = _outputs(h, h._shared)
    h._under_way.clear()


def _outputs(h: Handle, slot: int) -> Outputs:
    outputs = h.backend.outputs[slot]
    mask, depth = (outputs.get(name, outputs.get(f"{name}_u8")) for name in ("mask", "depth"))
    if h._shared is None:
        return mask, depth
    return None if mask is None else mask.copy(), None if depth is None else depth.copy()


def _take(h: Handle, frame: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Check a frame, copy it into a slot's buffer, and return its ticket and the slot."""
    check(h, frame, "frame")
    backend, ticket = h.backend, h._next
    if not h._ready:
        raise UsageError("no background yet", "call edge.set_background(h, bg) before a frame")
    _enter(h)
    if ticket - SLOTS in h._under_way:
        raise UsageError(f"{SLOTS} frames are under way", f"wait for ticket {ticket - SLOTS} first")
    slot = ticket % SLOTS if h._shared is None else h._shared
    np.copyto(backend.frames[slot], frame)
    h._next += 1
    return ticket, slot


def infer(h: Handle, frame: npt.NDArray[np.uint8]) -> Outputs:
    """Compute mask and depth of one frame.

    Args:
        h: An open build with a background.
        frame: uint8 [H, W, 3] BGR at the build's size.

    Returns:
        (mask, depth), see Outputs. mask is the probability of foreground, depth the relative
        inverse depth, near is large.

    Raises:
        UsageError: `frame` has another shape or dtype, or there is no background yet.
    """
    with h._lock:
        _, slot = _take(h, frame)
        h.backend.run(slot)
        return _outputs(h, slot)


def submit(h: Handle, frame: npt.NDArray[np.uint8]) -> int:
    """Begin with a frame and return its ticket; the frame is copied.

    Returns at once while the handle has frames of one thread; else the frame is computed first.

    Raises:
        UsageError: As `infer`, or two frames are under way already.
    """
    with h._lock:
        if len(h._done) == SLOTS:
            first = min(h._done)
            raise UsageError(f"{SLOTS} frames are under way", f"wait for ticket {first} first")
        ticket, slot = _take(h, frame)
        if h._shared is None:
            h.backend.start(slot)
            h._under_way.add(ticket)
        else:
            h.backend.run(slot)
            h._done[ticket] = _outputs(h, slot)
        return ticket


def wait(h: Handle, ticket: int) -> Outputs:
    """Wait for a submitted frame and return its mask and depth. Each ticket is good once."""
    with h._lock:
        if ticket not in h._under_way and ticket not in h._done:
            raise UsageError(
                f"ticket {ticket} is not under way: submit() did not return it, or it was waited"
                " for"
            )
        _enter(h)
        if ticket in h._done:
            return h._done.pop(ticket)
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
            h._done.clear()
            backend.close()
