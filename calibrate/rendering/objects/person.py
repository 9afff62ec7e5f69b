"""Walking people, made of ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.calibrate.rendering.rays import Array, limb, vector
from edge.calibrate.rendering.scene_object import ObjectKind, Part
from edge.calibrate.rendering.textures import colour

SKIN = [vector(0.28, 0.38, 0.62), vector(0.18, 0.26, 0.45), vector(0.07, 0.11, 0.2)]
HAIR = [vector(0.02, 0.02, 0.03), vector(0.03, 0.06, 0.12), vector(0.15, 0.28, 0.4)]
STEP = 0.75
"""Metres per step."""


@dataclass(frozen=True)
class Person:
    """Build and clothes of a person; height in metres, colours BGR in linear light."""

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

    def parts(self, since: float, path: Array, speed: float) -> list[Part]:
        """Return the limbs of the person, who walks back and forth along the path."""
        way = path[1] - path[0]
        passes = since * speed / float(np.linalg.norm(way))
        share = 1 - abs((passes % 2) - 1)
        ahead = way if passes % 2 < 1 else -way
        heading = float(np.arctan2(-ahead[0], ahead[2]))
        place = np.asarray(path[0] + share * way, np.float32)
        return _limbs(self, place, heading, since * speed / STEP * np.pi)


def draw(rng: np.random.Generator) -> Person:
    """Draw the build and the clothes of a person."""
    return Person(
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


KIND = ObjectKind(weight=0.75, draw=draw)


def _limbs(person: Person, place: Array, heading: float, phase: float) -> list[Part]:
    """Return the limbs at `place` [x, 0, z]; heading and phase in radians, two steps are 2 pi."""
    s, c = np.sin(heading), np.cos(heading)
    rotation = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    unit = person.height / 1.75
    wide = person.girth

    def at(side: float, up: float, ahead: float) -> Array:
        local = vector(side * wide, up, ahead) * np.float32(unit)
        return np.asarray(local @ rotation + place, np.float32)

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
        heel = at(side * 0.1, 0.05 + raised, foot - 0.1)
        toe = at(side * 0.1, 0.04 + raised, foot + 0.17)
        parts += [
            part(hip, knee, 0.105, person.legs),
            part(knee, ankle, 0.075, person.legs),
            part(heel, toe, 0.055, person.shoes),
        ]
        shoulder, hand = at(side * 0.21, 1.42, 0), at(side * 0.27, 0.82, -foot * 0.8 + 0.06)
        elbow = at(side * 0.26, 1.12, -foot * 0.4 - 0.04)
        parts += [
            part(shoulder, elbow, 0.06, person.top),
            part(elbow, hand, 0.05, person.top),
            part(hand, at(side * 0.27, 0.74, -foot * 0.9 + 0.08), 0.045, person.skin),
        ]
    torso, head = 0.14 * unit, 0.105 * unit
    parts += [
        part(at(0, 0.8, 0), at(0, 1.1, 0), 0.17, person.legs),
        part(at(0, 0.88, 0), at(0, 1.52, 0), 0.2, person.top, depth=torso, stripes=person.stripes),
        part(at(0, 1.3, 0), at(0, 1.5, 0), 0.23, person.top, depth=0.11 * unit),
        part(at(0, 1.46, 0), at(0, 1.6, 0.01), 0.06, person.skin),
        part(at(0, 1.52, 0.02), at(0, 1.76, 0.02), 0.09, person.skin, depth=head),
        part(at(0, 1.6, -0.025), at(0, 1.79, -0.02), 0.1, person.hair, depth=head),
    ]
    if person.long_hair:
        parts.append(part(at(0, 1.38, -0.08), at(0, 1.74, -0.06), 0.1, person.hair))
    if person.bag is not None:
        parts.append(part(at(0.3, 0.55, 0.05), at(0.3, 0.9, 0.05), 0.1, person.bag, depth=0.18))
    return parts
