"""The images that a network takes, whether it knows the spread of a scene or not."""

from __future__ import annotations

from typing import Any

import numpy as np


def images(bg: np.ndarray, fg_bg: np.ndarray) -> dict[str, np.ndarray]:
    """Every image by name, uint8 [1, H, W, 3], of two uint8 [H, W, 3]; the spread is unknown."""
    return {"bg": bg[None], "spread": np.zeros_like(bg)[None], "fg_bg": fg_bg[None]}


def taken(session: Any, bg: np.ndarray, fg_bg: np.ndarray) -> dict[str, np.ndarray]:
    """Those that a session of ONNX Runtime takes."""
    names = {value.name for value in session.get_inputs()}
    return {name: image for name, image in images(bg, fg_bg).items() if name in names}
