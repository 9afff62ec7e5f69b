"""What every engine maker is given and gives back. A maker is one file of this folder.

    make(folder, target, precision, sm) -> Engine

reads FRAME and, where there is one, BACKGROUND in `folder`, writes what the target's runtime loads
beside them, and says what came of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from edge.targets.table import Target

FRAME, BACKGROUND = "frame.onnx", "background.onnx"


@dataclass(frozen=True)
class Engine:
    """frame, background: the files to load, empty where there is none.

    weighs: the files whose size is the engine's; options: settings that belong to the precision;
    layers, int8_layers: see the manifest.
    """

    frame: str
    background: str
    weighs: tuple[str, ...]
    version: str
    options: dict[str, str] = field(default_factory=dict)
    layers: int | None = None
    int8_layers: int | None = None


Maker = Callable[[Path, Target, str, Sequence[int]], Engine]


def maker(target: Target) -> Maker:
    """The `make` of the target's row; its runtime is imported only now."""
    return cast(Maker, importlib.import_module(f"edge.targets.{target.maker}").make)
