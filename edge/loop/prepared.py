"""What a pipeline has of a background: set in an open build, with everything that depends on it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.image import fit
from edge.runtime.handle import Handle, set_background
from edge.scene.background import Background
from edge.scene.check import SceneCheck
from edge.scene.stabilize import Stabilizer
from edge.scene.sway import Sway
from edge.things.ground import Ground, ground_of


@dataclass(frozen=True)
class Prepared:
    """A background that is ready for frames.

    Attributes:
        h: the open build in which it is set.
        background: of the camera's size.
        stabilizer: registers frames to it; None where they are taken as they are.
        ground: where things stand before it.
        check: whether frames fit it.
        sway: takes out of masks what of the scene moves by itself.
        warning: the sentence about its unsure part, or None.
    """

    h: Handle
    background: Background
    stabilizer: Stabilizer | None
    ground: Ground
    check: SceneCheck
    sway: Sway
    warning: str | None


def prepare(h: Handle, background: Background, stabilize: bool, name: str) -> Prepared:
    """Set a background in an open build; about as much work as a dozen frames.

    Args:
        name: of the camera, for the warning.
    """
    bg, spread = background.image, background.spread
    bg, spread = fit(h, bg), None if spread is None else fit(h, spread)
    if not stabilize:
        set_background(h, bg, spread)
    return Prepared(
        h,
        background,
        Stabilizer(h, bg, spread) if stabilize else None,
        ground_of(h, bg),
        SceneCheck(background.image),
        Sway(bg, spread),
        background.warning(name),
    )
