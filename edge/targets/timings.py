"""TensorRT's timing cache: how long each kernel took on this GPU, so that the next build skips it.

The cache lies beside the builds, one for each version of TensorRT, and is part of none: a build is
the same folder of files with and without it. TensorRT itself refuses the cache of another GPU. Its
file starts with the sha256 of the rest, because what TensorRT does with a damaged one is not
documented.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

from edge.files import NotWritten, atomic_write
from edge.progress import note

MARK = b"edge.timings/1 "


def timings_file(build: Path, trt: ModuleType) -> Path:
    """Where the timing cache of the builds beside `build` is."""
    return build.parent / f".tensorrt-{trt.__version__}.timings"


def use_timings(config: Any, file: Path, log: Any) -> Any:
    """Give a builder's configuration the kept timings, or empty ones where they do not fit.

    Args:
        config: IBuilderConfig.
        file: Of the kept timings; it may be missing, damaged or of another GPU.
        log: The builder's logger (edge.runtime.backends.tensorrt.logger).

    Returns:
        The ITimingCache, which must live until the engine is built.
    """
    kept, why = _read(file)
    if kept:
        log.warned.clear()
        cache = config.create_timing_cache(kept)
        if cache is not None and config.set_timing_cache(cache, False) and not log.warned:
            return cache
        why = "; ".join(log.warned) or "it was made on another GPU"
    if why:
        note(f"the timing cache {file} is not used: {why}; this build times every kernel anew")
    cache = config.create_timing_cache(b"")
    config.set_timing_cache(cache, False)
    return cache


def keep_timings(config: Any, file: Path) -> None:
    """Keep the timings of a build that succeeded; where that is not possible, say so and go on."""
    cache = config.get_timing_cache()
    if cache is None:
        return
    data = bytes(cache.serialize())
    try:
        with atomic_write(file) as draft:
            draft.write_bytes(MARK + hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    except NotWritten as error:
        note(f"the timing cache is not kept: {error.message}")


def _read(file: Path) -> tuple[bytes, str]:
    """The kept timings, and why they cannot be used."""
    try:
        head, _, data = file.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return b"", ""
    except OSError as error:
        return b"", str(error.strerror or error)
    if head != MARK + hashlib.sha256(data).hexdigest().encode():
        return b"", "it is damaged"
    return data, ""
