"""What the open handles of one build have in common: a second camera compiles nothing.

It lives as long as one of the handles does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast
from weakref import WeakValueDictionary

from edge.manifest import Manifest

Kept = TypeVar("Kept")

_lock = threading.Lock()
_kept: WeakValueDictionary[Hashable, object] = WeakValueDictionary()


def shared(manifest: Manifest, threads: int, make: Callable[[], Kept]) -> Kept:
    """Return what `make` makes of a build, the same for all handles with as many threads.

    Builds with equal files are the same build, in whatever folder. A forked process makes its own:
    the threads of a runtime stay behind in the parent.
    """
    files = frozenset(manifest.files.items())
    key = os.getpid(), manifest.backend, files, frozenset(manifest.options.items()), threads
    with _lock:
        found = _kept.get(key)
        if found is None:
            found = _kept[key] = make()
        return cast(Kept, found)
