"""Frames with measured depth, one folder per camera.

    <name>/rgb/NNNNN.jpg     frames
           depth/NNNNN.png   distances of the same stem, 16 bits, in millimetres, 0: no reading
           mask/NNNNN.png    masks, 0 and 255 (may be absent)
           bg.png            the empty scene of a fixed camera (may be absent)
           bg_depth.png      its distances (may be absent)
           meta.json         {"depth_unit": "mm", "invalid": 0} (may be absent)

A frame of a camera without bg.png is its own background with an empty mask. A frame without a mask
beside a bg.png has unknown labels: only its depth counts. bg.png with bg_depth.png is a sample of
its own with an empty mask.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge import strict_json
from edge.samples.depth_maps import DepthMeaning, is_number, shown
from edge.samples.image_file import images_in, read_image, read_stored
from edge.samples.masks import MaskSet
from edge.samples.pairing import pair
from edge.samples.sample import BACKGROUND, IGNORED, Image, Sample, SampleError
from edge.samples.sequences import folders_of

RGB, DEPTH, MASK = "rgb", "depth", "mask"
BG, BG_DEPTH, META = "bg.png", "bg_depth.png", "meta.json"
UNITS = {"mm": 1000.0, "cm": 100.0, "m": 1.0}
"""Steps per metre of the units that meta.json may state."""


def is_rgbd(folder: Path) -> bool:
    """Tell whether a folder holds the frames of one camera with depth."""
    return (folder / RGB).is_dir() and (folder / DEPTH).is_dir()


class RgbdCamera:
    """The frames of one folder.

    Args:
        folder: Of the camera.
        name: For messages and scores.

    Attributes:
        frames: (frame, depth map, mask or None).
        alone: Frames without a depth map, and depth maps and masks without a frame.

    Raises:
        SampleError: meta.json states a unit that is not known.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.meaning = _meaning(folder / META)
        rgb, depth, mask = (_files(folder / part) for part in (RGB, DEPTH, MASK))
        depths, masks = pair(list(rgb), list(depth), "depth map"), pair(list(rgb), list(mask))
        self.alone = depths.alone | {f: why for f, why in masks.alone.items() if f not in rgb}
        self.frames = [
            (rgb[frame], depth[map_], mask[masks.labels[frame]] if frame in masks.labels else None)
            for frame, map_ in depths.labels.items()
        ]
        self._masks = MaskSet([str(path) for path in mask.values()], read_stored, codes=False)
        self._background: Image | None = None
        self.has_background = (folder / BG).is_file()
        if self.has_background and (folder / BG_DEPTH).is_file():
            self.frames.append((folder / BG, folder / BG_DEPTH, None))

    def read(self, index: int) -> Sample:
        """Read a frame; SampleError or ValueError where it cannot be read."""
        frame, map_, mask = self.frames[index]
        image = read_image(frame)
        stored = read_stored(map_)
        if stored.dtype == np.uint8:
            raise SampleError(f"{map_} has 8 bits, expected distances in 16 bits")
        if stored.dtype.kind == "f" and not (self.folder / META).is_file():
            raise SampleError(
                f"the unit of {map_} is unknown, its values are {stored.dtype}",
                f"""state it: echo '{{"depth_unit": "m"}}' > {self.folder / META}""",
            )
        depth = self.meaning.decode(stored)
        labels: npt.NDArray[np.uint8] = np.full(image.shape[:2], BACKGROUND, np.uint8)
        background: Image = image
        if self.has_background and frame.name != BG:
            if self._background is None:
                self._background = read_image(self.folder / BG)
            background = self._background
            labels[:] = IGNORED
            if mask is not None:
                labels = self._masks.labels(str(mask))
        return Sample(self.sample_name(index), background, image, labels, depth, depth_is_true=True)

    def sample_name(self, index: int) -> str:
        """Return camera and frame."""
        return f"{self.name}/{self.frames[index][0].stem}"


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in images_in(folder)}


def _meaning(meta: Path) -> DepthMeaning:
    try:
        stated = strict_json.parse(meta.read_text("utf-8-sig")) if meta.is_file() else {}
    except (ValueError, OSError) as error:
        raise SampleError(f"{meta} cannot be read: {error}") from error
    if not isinstance(stated, dict):
        raise SampleError(f'{meta} holds no object, expected one such as {{"depth_unit": "mm"}}')
    unit, invalid = stated.get("depth_unit", "mm"), stated.get("invalid", 0)
    if not isinstance(unit, str) or unit not in UNITS or not is_number(invalid):
        raise SampleError(
            f"{meta} states depth_unit {shown(unit)} and invalid {shown(invalid)}, expected a unit"
            f" of {', '.join(UNITS)} and a number"
        )
    return DepthMeaning(steps=UNITS[unit], invalid=float(invalid))


class Rgbd:
    """The frames of an RGB-D folder, or of all such folders in a folder.

    Depth is true inverse depth in 1 / metres, NaN where there is no reading.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.skipped: dict[str, str] = {}
        self._frames: list[tuple[RgbdCamera, int]] = []
        folders = list(folders_of(folder, is_rgbd))
        unique = len({path.name for path in folders}) == len(folders)
        for path in folders:
            name = path.name if unique else path.relative_to(folder).as_posix()
            try:
                camera = RgbdCamera(path, name)
            except SampleError as error:
                self.skipped[name] = str(error)
                continue
            self.skipped |= {f"{name}/{file}": why for file, why in camera.alone.items()}
            self._frames += [(camera, index) for index in range(len(camera.frames))]
        if not self._frames:
            causes = "; ".join(dict.fromkeys(self.skipped.values()))
            raise SampleError(f"no frames with depth in {folder}; {causes or 'rgb/ is empty'}")

    def __len__(self) -> int:
        return len(self._frames)

    def sequence(self, index: int) -> str:
        """Return the name of the sample's folder."""
        return self._frames[index][0].name

    def __getitem__(self, index: int) -> Sample:
        camera, number = self._frames[index]
        try:
            return camera.read(number)
        except (SampleError, ValueError) as error:
            self.skipped[camera.sample_name(number)] = str(error)
            raise SampleError(str(error)) from error

    def fingerprint(self) -> str:
        """Hash the bytes of all files and what the depth means."""
        digest = hashlib.sha256()
        for camera, number in self._frames:
            digest.update(f"{camera.sample_name(number)} {camera.meaning}".encode())
            for path in camera.frames[number]:
                digest.update(path.read_bytes() if path else b"none")
        return digest.hexdigest()
