"""Composites made on the fly: cut-outs with shadows and light on a photographed background.

The variety that generalises to unseen cameras: objects of every size, a third of them in the
colours of the scene; cast and contact shadows, some without an object; reflecting floors; moving
textures, trembling cameras and flickering light, with the spread that they leave; different light,
noise and compression in `bg` and `fg_bg`; an offset of the camera.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.life import random_life, to_image
from edge.calibrate.rendering.sensor import Rng
from edge.calibrate.rendering.shadow import darken, shadow_from_outside
from edge.progress import track
from edge.samples.depth_teacher import DepthTeacher
from edge.samples.sample import BACKGROUND, Sample
from edge.scene.spread import unknown_spread
from edge.train.augment.copy_paste import paste_objects
from edge.train.augment.crop import random_crop, warp
from edge.train.augment.photometric import ExposurePair, grey, random_exposures
from edge.train.data.cutouts import MAX_SIDE, Field, read_backgrounds, read_cutouts
from edge.train.data.spreads import exposed, observe, pass_by


class Composites:
    """Source of composites from a folder with `backgrounds/` and `foregrounds/`.

    Args:
        folder: Where both lie.
        size: Side of the composites in pixels.
        teacher: Labels the depth of each background once, at the start; None for no depth.
        whole: Use whole backgrounds, not random crops.
    """

    def __init__(
        self, folder: Path, size: int, teacher: DepthTeacher | None, *, whole: bool = False
    ) -> None:
        self.name = folder.name
        self.size, self.whole = size, whole
        self.backgrounds = list(read_backgrounds(folder / "backgrounds", MAX_SIDE).values())
        self.cutouts = read_cutouts(folder / "foregrounds", MAX_SIDE)
        self.depths: list[npt.NDArray[np.float16]] = []
        if teacher is not None:
            tracked = track(self.backgrounds, len(self.backgrounds), "depth of backgrounds")
            self.depths = [teacher.with_flip(bg).astype(np.float16) for bg in tracked]

    def draw(self, rng: Rng) -> tuple[Sample, ExposurePair]:
        """Draw a composite without photometric augmentation, and the exposures to apply to it."""
        index = int(rng.integers(len(self.backgrounds)))
        background, size = self.backgrounds[index], self.size
        matrix = random_crop(rng, background.shape, size, whole=self.whole)
        bg = warp(background, matrix, size, cv2.INTER_LINEAR)
        depth: Field | None = None
        if self.depths:
            stored = self.depths[index].astype(np.float32)
            depth = warp(stored, matrix, size, cv2.INTER_LINEAR)

        kind, spread = rng.random(), None
        scene = bg.astype(np.float32)
        if kind < 0.6:
            bg, spread, scene = observe(bg, random_life(size, rng), rng)
        elif kind < 0.8:
            spread = unknown_spread(size, size)
        if spread is not None and rng.random() < 0.25:
            spread = pass_by(spread, bg, rng)
        if rng.random() < 0.2:
            spread = None
        if rng.random() < 0.4:
            darken(scene, shadow_from_outside(size, rng), rng.uniform(0.15, 0.65))
        mask = np.full((size, size), BACKGROUND, np.uint8)
        paste_objects(scene, mask, depth, self.cutouts, rng)
        frame = to_image(scene)
        if rng.random() < 0.15:
            bg, frame = grey(bg), grey(frame)
        exposures = random_exposures(rng)
        if spread is not None:
            spread = exposed(spread, bg, exposures.fg_bg)
        return Sample(self.name, bg, frame, mask, depth, spread=spread), exposures
