"""How a point moves: a Kalman filter of constant velocity in the time of the source."""

from __future__ import annotations

import math

ACCELERATION = 1.5
"""How fast a velocity changes, in units of the scale per second squared."""
FIRST_SPEED = 1.0
"""How fast something new may be, in units of the scale per second."""
COAST_S = 1.0
"""Seconds after which something that is not seen is no longer believed to go on as it went."""


class Motion:
    """A point of the plane with its velocity.

    Args:
        x, y: where it was first seen.
        scale: size of what moves, in the units of x and y; all uncertainty is relative to it.
        noise: of a sighting, in units of the scale.

    Attributes:
        x, y: where it is believed to be.
        vx, vy: per second.
        spread: how uncertain the place is, in units of the scale (standard deviation).
    """

    def __init__(self, x: float, y: float, scale: float, noise: float) -> None:
        self.x, self.y, self.vx, self.vy = x, y, 0.0, 0.0
        self.scale, self._noise = max(scale, 1e-6), noise * noise
        # Variance of the place, its covariance with the velocity, and variance of the velocity.
        self._pp, self._pv, self._vv = self._noise, 0.0, FIRST_SPEED**2

    @property
    def spread(self) -> float:
        return math.sqrt(self._pp)

    @property
    def speed(self) -> float:
        """Units of x and y per second."""
        return math.hypot(self.vx, self.vy)

    def predict(self, seconds: float, seen: bool) -> None:
        """Go on for some time.

        Args:
            seconds: how long.
            seen: whether it was seen at the last update. Else, and after a gap of the source, the
                velocity is believed less and less.
        """
        keep, go = 1.0, seconds
        if not seen or seconds > COAST_S:
            keep = math.exp(-seconds / COAST_S)
            go = COAST_S * (1 - keep)
        self.x += self.vx * go
        self.y += self.vy * go
        self.vx *= keep
        self.vy *= keep
        variance = ACCELERATION**2 * seconds
        self._pp += 2 * go * self._pv + go * go * self._vv + variance * go * go / 3
        self._pv = keep * (self._pv + go * self._vv) + variance * go / 2
        self._vv = keep * keep * self._vv + variance

    def update(self, dx: float, dy: float, limit: float) -> None:
        """Take a sighting.

        Args:
            dx, dy: from where it is believed to be to where it was seen.
            limit: farthest, in units of the scale, that a sighting is believed to be off.
        """
        distance = math.hypot(dx, dy)
        if distance > limit * self.scale:
            dx, dy = (d * limit * self.scale / distance for d in (dx, dy))
        total = self._pp + self._noise
        place, speed = self._pp / total, self._pv / total
        self.x += place * dx
        self.y += place * dy
        self.vx += speed * dx
        self.vy += speed * dy
        self._vv -= speed * self._pv
        self._pv *= 1 - place
        self._pp *= 1 - place
