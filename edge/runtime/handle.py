"""The calls of the runtime: open, set_background, infer, submit, wait, close."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge import manifest as manifests
from edge.errors import EdgeError, UsageError
from edge.manifest import BuildMismatch, Manifest
from edge.runtime.backend import SLOTS, Backend, Plane
from edge.runtime.cores import usable_cores

Outputs = tuple[Plane | None, Plane | None]
"""mask and depth, float32 [H, W] in 0..1 (uint8, 255 for 1.0, from a build with --bytes): views of
buffers that the handle owns; None where the network has no such output. Valid until the next but
one call of infer or submit."""


class Handle:
    """An open build. All work on it is done by the functions of this file."""

    def __init__(self, manifest: Manifest, backend: Backend) -> None:
        self.manifest = manifest
        self.height, self.width = manifest.imgsz
        self._backend: Backend | None = backend
        self._ready = False
        self._next = 0
        self._under_way: set[int] = set()

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
            raise EdgeError(f"build {self.manifest.name} is closed; edge.open() opens it again")
        return self._backend


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".")[:2] if part.isdigit())


def _backend(folder: Path, manifest: Manifest, threads: int, fold: bool, cuda: str) -> Backend:
    """The backend of the manifest's target; each is imported only when it is needed."""
    if manifest.target == "onnxruntime":
        from edge.runtime import onnxruntime

        _check_version(folder, manifest, onnxruntime.VERSION)
        return onnxruntime.OnnxRuntime(folder, manifest, threads, fold)
    if manifest.target == "openvino":
        from edge.runtime import openvino

        _check_version(folder, manifest, openvino.VERSION)
        return openvino.OpenVino(folder, manifest, threads, fold)
    from edge.runtime import cuda as drivers
    from edge.runtime import tensorrt

    trt = tensorrt.load(manifest.runtime[0])
    if _version(trt.__version__) != _version(manifest.runtime[1]):
        module, built = manifest.runtime
        raise BuildMismatch(
            f"{folder} was built with {module} {built}, found {trt.__version__}, and plans are for"
            f" one version; build again: {manifest.command}"
        )
    return tensorrt.TensorRt(folder, manifest, fold, drivers.driver(cuda), trt)


def _check_version(folder: Path, manifest: Manifest, found: str) -> None:
    module, built = manifest.runtime
    if _version(found) < _version(built):
        raise BuildMismatch(
            f"{folder} was built with {module} {built}, found the older {found};"
            f" install that version or build again: {manifest.command}"
        )


def open(
    path: str | Path, threads: int | None = None, *, fold: bool = True, cuda: str = "auto"
) -> Handle:
    """Load a build folder after checking its manifest, its files, the runtime and the GPU.

    threads: of a CPU's runtime; None is the cores that this process may use.
    cuda: library that drives a GPU, `cuda-python` or `pycuda`; `auto` is what is installed.
    fold: False runs the background graph at every frame, for measuring what folding saves.
    Raises BuildMismatch (found, expected, and the command that mends it).
    """
    folder = Path(path)
    manifest = manifests.read(folder)
    if not manifest.engine:
        raise BuildMismatch(
            f"{folder} has no engine yet; finish it on a machine with {manifest.runtime[0]}:"
            f" edge build {folder}"
        )
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}, expected at least 1")
    if threads is not None and threads > usable_cores():
        raise UsageError(
            f"threads is {threads}, and this process may use {usable_cores()} cores: threads that"
            " wait for a core make every frame slower; leave it out or give at most so many"
        )
    backend = _backend(folder, manifest, threads or usable_cores(), fold, cuda)
    return Handle(manifest, backend)


def check(h: Handle, picture: npt.NDArray[np.uint8], what: str) -> None:
    """UsageError where a picture is not uint8 [H, W, 3] of the build's size."""
    expected = (h.height, h.width, 3)
    found = getattr(picture, "shape", None)
    if found != expected or picture.dtype != np.uint8:
        dtype = getattr(picture, "dtype", type(picture).__name__)
        raise UsageError(
            f"{what} is {dtype} {list(found) if found else ''}, expected uint8 {list(expected)}"
            f" ({h.manifest.name} works at {h.width}x{h.height}); edge.fit(h, picture) resizes"
        )


def set_background(h: Handle, bg: npt.NDArray[np.uint8]) -> None:
    """Take a new empty scene, uint8 [H, W, 3] BGR at the build's size, and warm up on it.

    Runs the background graph once. Frames under way are finished with the old scene first.
    """
    check(h, bg, "bg")
    for ticket in sorted(h._under_way):
        h.backend.finish(ticket % SLOTS)
    h.backend.set_background(bg)
    h._ready = True
    for slot in range(SLOTS):
        if not any(ticket % SLOTS == slot for ticket in h._under_way):
            np.copyto(h.backend.frames[slot], bg)
            h.backend.run(slot)


def _outputs(h: Handle, slot: int) -> Outputs:
    outputs = h.backend.outputs[slot]
    mask, depth = (outputs.get(name, outputs.get(f"{name}_u8")) for name in ("mask", "depth"))
    return mask, depth


def _take(h: Handle, frame: npt.NDArray[np.uint8]) -> int:
    """Check a frame, copy it into the next slot's buffer, and return its ticket."""
    check(h, frame, "frame")
    backend, ticket = h.backend, h._next
    if not h._ready:
        raise UsageError("no background yet; call edge.set_background(h, bg) before a frame")
    if ticket - SLOTS in h._under_way:
        raise UsageError(f"{SLOTS} frames are under way; wait for ticket {ticket - SLOTS} first")
    np.copyto(backend.frames[ticket % SLOTS], frame)
    h._next += 1
    return ticket


def infer(h: Handle, frame: npt.NDArray[np.uint8]) -> Outputs:
    """Mask and depth of one frame, uint8 [H, W, 3] BGR at the build's size."""
    slot = _take(h, frame) % SLOTS
    h.backend.run(slot)
    return _outputs(h, slot)


def submit(h: Handle, frame: npt.NDArray[np.uint8]) -> int:
    """Begin with a frame and return its ticket at once. The frame's memory is free again."""
    ticket = _take(h, frame)
    h.backend.start(ticket % SLOTS)
    h._under_way.add(ticket)
    return ticket


def wait(h: Handle, ticket: int) -> Outputs:
    """Mask and depth of a submitted frame, when they are there. Each ticket is good once."""
    if ticket not in h._under_way:
        raise UsageError(
            f"ticket {ticket} is not under way; submit() gave none such, or it is spent"
        )
    h._under_way.discard(ticket)
    h.backend.finish(ticket % SLOTS)
    return _outputs(h, ticket % SLOTS)


def close(h: Handle) -> None:
    """Give everything back; a second call does nothing."""
    backend, h._backend = h._backend, None
    if backend is not None:
        for ticket in sorted(h._under_way):
            backend.finish(ticket % SLOTS)
        h._under_way.clear()
        backend.close()
