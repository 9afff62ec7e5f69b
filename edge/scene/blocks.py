"""Background estimation from blocks: which images show the empty scene in each part of it.

After Reddy, Sanderson and Lovell, "A low-complexity algorithm for static background estimation
from cluttered image sequences in surveillance contexts" (EURASIP JIVP 2011). Every block's images
are clustered by likeness. A block that nearly always looks the same is known. From known blocks
the rest is filled, surest first, with the cluster that continues its surroundings: a person who
stands still is a cluster as well, but with an outline that the empty scene does not have.

Two differences: blocks overlap by half, so that a block continues its neighbours pixel by pixel;
and images are compared with a tolerance of a few pixels, so that leaves and a trembling camera
count as the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.sample import Image

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

BLOCK, STEP = 16, 8
"""Side of the blocks and distance between them, in pixels of the reduced images."""
TOLERANCE = 5
"""Side of the neighbourhood, in pixels, in which a colour may be found again."""
DIFFERENT = 10
"""Grey levels outside that neighbourhood's range from which a pixel is different."""
LIKE, MOST_UNLIKE = 0.08, 0.5
"""Share of different pixels up to which two blocks are alike: of a still scene, and at most."""
CLUSTERS = 4
SURE = 0.8
"""Share of the images that makes a block known at once."""
SEAM = 14
"""Grey levels between a block and its known neighbours that are a seam."""


class Blocks:
    """The blocks of reduced images, uint8 [N, h, w, 3], and their clusters.

    Attributes:
        rows, columns: top and left of the blocks.
        members: bool [CLUSTERS, N, blocks down, blocks across], the largest cluster first.
        share: float [CLUSTERS, blocks down, blocks across], of the images.
    """

    def __init__(self, images: npt.NDArray[np.uint8]) -> None:
        self.images = images
        height, width = images.shape[1:3]
        self.rows, self.columns = _starts(height), _starts(width)
        self.members = _clusters(self._different_shares())
        self.share = np.asarray(self.members.mean(1), np.float32)
        self._medians: dict[tuple[int, int, int], Image] = {}

    def _different_shares(self) -> Floats:
        """Share of different pixels between each two images, [N, N, blocks down, blocks across]."""
        kernel = np.ones((TOLERANCE, TOLERANCE), np.uint8)
        high = [cv2.dilate(image, kernel) for image in self.images]
        low = [cv2.erode(image, kernel) for image in self.images]
        count = len(self.images)
        shares = np.zeros((count, count, len(self.rows), len(self.columns)), np.float32)
        bottom, right = self.rows + BLOCK, self.columns + BLOCK
        for i in range(count):
            for j in range(i + 1, count):
                a, b = self.images[i], self.images[j]
                outside = cv2.max(
                    cv2.max(cv2.subtract(a, high[j]), cv2.subtract(low[j], a)),
                    cv2.max(cv2.subtract(b, high[i]), cv2.subtract(low[i], b)),
                )
                largest = outside.max(2)
                different = cv2.threshold(largest, DIFFERENT, 1, cv2.THRESH_BINARY)[1]
                sums = cv2.integral(different)
                block = (
                    sums[np.ix_(bottom, right)]
                    - sums[np.ix_(self.rows, right)]
                    - sums[np.ix_(bottom, self.columns)]
                    + sums[np.ix_(self.rows, self.columns)]
                )
                shares[i, j] = shares[j, i] = block / BLOCK**2
        return shares

    def area(self, row: int, column: int) -> tuple[slice, slice]:
        top, left = self.rows[row], self.columns[column]
        return slice(top, top + BLOCK), slice(left, left + BLOCK)

    def median(self, cluster: int, row: int, column: int) -> Image:
        """The median of a block's images in a cluster."""
        key = (cluster, row, column)
        if key not in self._medians:
            down, across = self.area(row, column)
            chosen = self.images[self.members[cluster, :, row, column], down, across]
            self._medians[key] = np.asarray(np.median(chosen, 0), np.uint8)
        return self._medians[key]


def _starts(side: int) -> npt.NDArray[np.int64]:
    starts = np.arange(0, side - BLOCK + 1, STEP)
    return starts if starts[-1] + BLOCK == side else np.append(starts, side - BLOCK)


def _clusters(shares: Floats) -> Bools:
    """Group each block's images around the one that most others are like, again and again."""
    count, _, down, across = shares.shape
    steps = np.stack([shares[i, i + 1] for i in range(count - 1)])
    # What changes from one image to the next in the calmest fifth of the time moves always.
    usual = np.percentile(steps, 20, axis=0)
    alike = shares <= np.clip(1.5 * usual + LIKE - 0.02, LIKE, MOST_UNLIKE)
    left = np.ones((count, down, across), bool)
    row, column = np.mgrid[:down, :across]
    groups = []
    for _ in range(CLUSTERS):
        support = (alike & left[None]).sum(1) * left
        centre = support.argmax(0)
        group = alike[centre, :, row, column].transpose(2, 0, 1) & left
        groups.append(group)
        left = left & ~group
    return np.stack(groups)


class _Filler:
    """The background as it is filled, block by block."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        height, width = blocks.images.shape[1:3]
        self.image = np.zeros((height, width, 3), np.uint8)
        self.known = np.zeros((height, width), bool)
        self.chosen = np.zeros(blocks.share.shape[1:], np.int64)

    def put(self, row: int, column: int, cluster: int) -> None:
        area = self.blocks.area(row, column)
        new = ~self.known[area]
        self.image[area][new] = self.blocks.median(cluster, row, column)[new]
        self.known[area] = True
        self.chosen[row, column] = cluster

    def choose(self, row: int, column: int) -> tuple[int, float]:
        """The cluster that continues the known part best, and its margin to the second."""
        share = self.blocks.share[:, row, column]
        least = max(2 / len(self.blocks.images), 0.05)
        candidates = [c for c in range(CLUSTERS) if share[c] >= least] or [0]
        if len(candidates) == 1:
            return candidates[0], np.inf
        area = self.blocks.area(row, column)
        known = self.known[area]
        medians = [self.blocks.median(c, row, column) for c in candidates]
        joined = [np.where(known[..., None], self.image[area], median) for median in medians]
        edges = _edges_where_they_differ(joined)
        costs = []
        for cluster, median, edge in zip(candidates, medians, edges, strict=True):
            seam = (cv2.absdiff(median, self.image[area]).max(2) > SEAM) & known
            rare = -0.09 * np.log2(share[cluster])
            costs.append((4 * seam.sum() / max(known.sum(), 1) + edge / 100 + rare, cluster))
        costs.sort()
        return costs[0][1], costs[1][0] - costs[0][0]


def _edges_where_they_differ(images: Sequence[Image]) -> list[float]:
    """Mean gradient of each image along the border of the area in which they differ."""
    stack = np.stack(images).astype(np.int16)
    area = ((stack.max(0) - stack.min(0)).max(2) > 20).astype(np.uint8)
    border = border_of(area)
    if border.sum() <= 4:
        return [0.0] * len(images)
    return [float(gradient(image)[border].mean()) for image in images]


def border_of(area: npt.NDArray[np.uint8]) -> Bools:
    """Pixels on both sides of the border of an area, uint8 [h, w] of 0 and 1."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray((cv2.dilate(area, kernel) > 0) & (cv2.erode(area, kernel) == 0))


def gradient(image: Image) -> Floats:
    """Largest gradient magnitude of a channel (Sobel), float32 [h, w]."""
    x, y = (cv2.Sobel(image, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    return np.asarray(np.sqrt(x * x + y * y).max(2), np.float32)


def fill(blocks: Blocks) -> tuple[Image, Bools]:
    """Fill the background from the blocks.

    Returns:
        The background at the size of the reduced images, uint8 [h, w, 3]; and the images that show
        it at each pixel, bool [N, h, w].
    """
    filler = _Filler(blocks)
    share = blocks.share
    known = (share[0] >= SURE) | ((share[1] < 0.06) & (share[0] > 0.3))
    if not known.any():
        known = share[0] >= np.percentile(share[0], 80)
    for row, column in np.argwhere(known).tolist():
        filler.put(row, column, 0)
    left: set[tuple[int, int]] = {(row, column) for row, column in np.argwhere(~known).tolist()}
    while left:
        beside = {place: filler.known[blocks.area(*place)].mean() for place in left}
        ready = sorted((p for p in left if beside[p] >= 0.3), key=lambda p: -beside[p])
        if not ready:
            ready = [max(left, key=lambda place: share[0][place])]
        choices = {p: filler.choose(*p) for p in ready[: max(4, len(ready) // 3)]}
        surest = sorted(choices, key=lambda place: -choices[place][1])
        for place in surest[: max(1, len(surest) // 3)]:
            filler.put(place[0], place[1], choices[place][0])
            left.discard(place)
    return filler.image, _votes(blocks, filler.chosen)


def _votes(blocks: Blocks, chosen: npt.NDArray[np.int64]) -> Bools:
    """The images that the chosen clusters of the blocks over a pixel hold, by majority."""
    count, height, width = blocks.images.shape[:3]
    votes = np.zeros((count, height, width), np.float32)
    voters = np.zeros((height, width), np.float32)
    for row in range(len(blocks.rows)):
        for column in range(len(blocks.columns)):
            area = blocks.area(row, column)
            voters[area] += 1
            votes[:, area[0], area[1]] += blocks.members[chosen[row, column], :, row, column][
                :, None, None
            ]
    votes /= voters
    return np.asarray(votes >= np.minimum(0.75, 0.99 * votes.max(0)))
