"""What a camera's scene is, learned with an open build: its background and how it lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.image import fit
from edge.loop.masks import network_masks
from edge.runtime.handle import Handle
from edge.samples.sample import Image
from edge.scene.background import Background, estimate_background
from edge.scene.estimate_spread import estimate_spread


def learn_scene(
    h: Handle,
    images: Sequence[Image],
    stabilize: bool = True,
    on_image: Callable[[], None] = lambda: None,
) -> Background:
    """Learn the background of a scene and its spread from the same unlabelled images.

    Args:
        h: An open build with a mask; its own background is replaced.
        images: uint8 [H, W, 3] BGR, all of one size, in the order of time.
        stabilize: whether frames will be registered to the background.
        on_image: called now and then, before the network sees an image; what it raises ends the
            learning.

    Raises:
        EdgeError: There is no image, or they have several sizes.
        UsageError: The build gives no mask.
    """
    background = estimate_background(images, network_masks(h, on_image))
    spread = learn_spread(h, images, background.image, stabilize, on_image)
    return replace(background, spread=spread)


def learn_spread(
    h: Handle,
    images: Sequence[Image],
    bg: Image,
    stabilize: bool = True,
    on_image: Callable[[], None] = lambda: None,
) -> Image:
    """Learn the spread of a scene whose background is known, as `learn_scene` does.

    Returns:
        uint8 [h.height, h.width, 3] (edge.scene.spread).
    """
    fitted = [fit(h, image) for image in images]
    return estimate_spread(fitted, fit(h, bg), network_masks(h, on_image), stabilize)
