"""The kinds of object that enter rendered scenes, one file each.

A file in this folder adds a kind by defining `KIND = ObjectKind(weight, draw)`. A new kind changes
the rendered pixels, so VERSION in edge/calibrate/rendering/samples.py goes up with it.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import numpy as np

from edge.calibrate.rendering.scene_object import ObjectKind, SceneObject


@cache
def object_kinds() -> dict[str, ObjectKind]:
    """Return the kinds by file name, the most frequent first."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    kinds = {name: import_module(f"{__name__}.{name}").KIND for name in names}
    return dict(sorted(kinds.items(), key=lambda item: -item[1].weight))


def draw_object(rng: np.random.Generator, first: bool) -> SceneObject:
    """Draw a kind by its weight and an object of it.

    Args:
        rng: The generator of the scene.
        first: The first object of a scene is always of the most frequent kind.
    """
    kinds = list(object_kinds().values())
    if first:
        return kinds[0].draw(rng)
    shares = np.cumsum([kind.weight for kind in kinds])
    index = int(np.searchsorted(shares / shares[-1], rng.random(), side="right"))
    return kinds[index].draw(rng)
