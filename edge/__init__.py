"""Masks and depth from fixed cameras.

    h = edge.open("build/small-int8-openvino")
    edge.set_background(h, edge.fit(h, bg))
    mask, depth = edge.infer(h, edge.fit(h, frame))
    edge.close(h)

Nothing is imported before it is used: `import edge` costs no OpenCV, no onnx, no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from edge.errors import BuildMismatch
    from edge.image import fit
    from edge.runtime.handle import (
        Handle,
        close,
        infer,
        open,
        scene_depth,
        set_background,
        submit,
        wait,
    )
    from edge.scene.gate import Gate
    from edge.scene.stabilize import Stabilizer

__all__ = [
    "BuildMismatch",
    "Gate",
    "Handle",
    "Stabilizer",
    "close",
    "fit",
    "infer",
    "open",
    "scene_depth",
    "set_background",
    "submit",
    "wait",
]

_HOMES = {
    "fit": "edge.image",
    "BuildMismatch": "edge.errors",
    "Gate": "edge.scene.gate",
    "Stabilizer": "edge.scene.stabilize",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'edge' has no attribute {name!r}")
    import importlib

    home = importlib.import_module(_HOMES.get(name, "edge.runtime.handle"))
    value = getattr(home, name)
    globals()[name] = value
    return value
