"""What comes into a scene: people made of limbs, and boxes such as crates and suitcases."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.calibrate.rendering.rays import Array, Box, Ellipsoid, limb, vector
from edge.calibrate.rendering.textures import colour

SKIN = [vector(0.28, 0.38, 0.62), vector(0.18, 0.26, 0.45), vector(0.07, 0.11, 0.2)]
HAIR = [vector(0.02, 0.02, 0.03), vector(0.03, 0.06, 0.12), vector(0.15, 0.28, 0.4)]


@dataclass(frozen=True)
class Part:
    """A solid and its colour, float32 [3] BGR in linear light; stripes per metre of height."""

    solid: Ellipsoid | Box
    colour: Array
    stripes: float = 0.0


@dataclass(frozen=True)
class Look:
    """What a person wears and how they are built; drawn once, the same in every frame."""

    height: float
    girth: float
    skin: Array
    hair: Array
    top: Array
    legs: Array
    shoes: Array
    stripes: float
    bag: Array | None
    long_hair: bool


@dataclass(frozen=True)
class Crate:
    """A thing that stands on the floor: width, height and depth in metres."""

    size: Array
    colour: Array
    turn: float
    lid: Array = field(default_factory=lambda: vector(0.05, 0.05, 0.05))


def look(rng: np.random.Generator) -> Look:
    return Look(
        height=float(rng.normal(1.7, 0.09)),
        girth=float(rng.uniform(0.9, 1.25)),
        skin=SKIN[rng.integers(len(SKIN))],
        hair=HAIR[rng.integers(len(HAIR))],
        top=colour(rng, (0.03, 0.7), 0.5),
        legs=colour(rng, (0.02, 0.3), 0.25),
        shoes=colour(rng, (0.02, 0.3), 0.1),
        stripes=float(rng.choice([0, 0, 0, 14])),
        bag=colour(rng, (0.03, 0.4), 0.4) if rng.random() < 0.35 else None,
        long_hair=bool(rng.random() < 0.35),
    )


def crate(rng: np.random.Generator) -> Crate:
    return Crate(
        size=vector(rng.uniform(0.3, 0.8), rng.uniform(0.3, 1.0), rng.uniform(0.3, 0.7)),
        colour=colour(rng, (0.04, 0.6), 0.4),
        turn=float(rng.uniform(0, np.pi)),
        lid=colour(rng, (0.03, 0.4), 0.2),
    )


def person(wears: Look, place: Array, heading: float, phase: float) -> list[Part]:
    """The limbs of a walking person at `place` [x, 0, z], facing `heading` (radians).

    phase: of the stride, in radians; two steps are 2 pi.
    """
    s, c = np.sin(heading), np.cos(heading)
    turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    unit = wears.height / 1.75
    wide = wears.girth

    def at(side: float, up: float, ahead: float) -> Array:
        local = vector(side * wide, up, ahead) * np.float32(unit)
        return np.asarray(local @ turn + place, np.float32)

    def part(a: Array, b: Array, radius: float, paint: Array, **more: float) -> Part:
        return Part(
            limb(a, b, radius * unit * wide, more.get("depth")), paint, more.get("stripes", 0)
        )

    swing = 0.38 * np.sin(phase)
    lift = 0.10 * max(0.0, float(np.cos(phase)))
    parts = []
    for side, sign in ((-1, 1), (1, -1)):
        foot = sign * swing
        raised = lift if sign * np.cos(phase) > 0 else 0.0
        hip, knee = at(side * 0.1, 0.95, 0), at(side * 0.1, 0.5 + raised / 2, foot * 0.65 + 0.05)
        ankle = at(side * 0.1, 0.06 + raised, foot)
        parts += [
            part(hip, knee, 0.105, wears.legs),
            part(knee, ankle, 0.075, wears.legs),
            part(
                at(side * 0.1, 0.05 + raised, foot - 0.1),
                at(side * 0.1, 0.04 + raised, foot + 0.17),
                0.055,
                wears.shoes,
            ),
        ]
        shoulder, hand = at(side * 0.21, 1.42, 0), at(side * 0.27, 0.82, -foot * 0.8 + 0.06)
        elbow = at(side * 0.26, 1.12, -foot * 0.4 - 0.04)
        parts += [
            part(shoulder, elbow, 0.06, wears.top),
            part(elbow, hand, 0.05, wears.top),
            part(hand, at(side * 0.27, 0.74, -foot * 0.9 + 0.08), 0.045, wears.skin),
        ]
    parts += [
        part(at(0, 0.8, 0), at(0, 1.1, 0), 0.17, wears.legs),
        part(
            at(0, 0.88, 0), at(0, 1.52, 0), 0.2, wears.top, depth=0.14 * unit, stripes=wears.stripes
        ),
        part(at(0, 1.3, 0), at(0, 1.5, 0), 0.23, wears.top, depth=0.11 * unit),
        part(at(0, 1.46, 0), at(0, 1.6, 0.01), 0.06, wears.skin),
        part(at(0, 1.52, 0.02), at(0, 1.76, 0.02), 0.09, wears.skin, depth=0.105 * unit),
        part(at(0, 1.6, -0.025), at(0, 1.79, -0.02), 0.1, wears.hair, depth=0.105 * unit),
    ]
    if wears.long_hair:
        parts.append(part(at(0, 1.38, -0.08), at(0, 1.74, -0.06), 0.1, wears.hair))
    if wears.bag is not None:
        parts.append(part(at(0.3, 0.55, 0.05), at(0.3, 0.9, 0.05), 0.1, wears.bag, depth=0.18))
    return parts


def standing(thing: Crate, place: Array) -> list[Part]:
    """A crate at `place` [x, 0, z], with a lid."""
    top = place + vector(0, float(thing.size[1]), 0)
    lid = np.asarray(thing.size * vector(1.04, 0, 1.04) + vector(0, 0.04, 0), np.float32)
    return [
        Part(Box(place, thing.size, thing.turn), thing.colour, 6.0),
        Part(Box(np.asarray(top, np.float32), lid, thing.turn), thing.lid),
    ]


def outline(parts: list[Part]) -> Array:
    """Points [N, 3] around all parts: what must be looked at to see them."""
    corners: list[npt.NDArray[np.float32]] = []
    for part in parts:
        if isinstance(part.solid, Box):
            corners.append(part.solid.corners())
        else:
            reach = 1 / np.linalg.norm(part.solid.to_unit, axis=1)
            directions = part.solid.to_unit / np.linalg.norm(
                part.solid.to_unit, axis=1, keepdims=True
            )
            spread = (directions * reach[:, None]) @ np.eye(3, dtype=np.float32)
            signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
            corners.append((part.solid.centre + signs @ spread).astype(np.float32))
    return np.concatenate(corners)
