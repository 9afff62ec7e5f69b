"""The seed's layout: one archive per background, read in place.

    bg/<bg>.jpg               backgrounds
    fg_bg/<bg>.zip            composites, JPEG or PNG whatever their suffix
    fg_bg_masks/<bg>.zip      masks (masks.py), members of the same stems
    depth_maps/<bg>.zip       depth, members of the same stems (may be absent)
    recipe.json               what the depth maps mean (depth_maps.py), as {"near": "dark"}

Instead of a zip there may be the folder that it was unpacked to. The seed's own depth maps are dark
where the scene is near, which no file of theirs states. A wrong guess would train inverted depth,
so a folder with depth maps must state it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.samples.archive import Archive, archives_in, open_archive, reasons
from edge.samples.depth_maps import DepthMeaning, read_meaning
from edge.samples.image_file import decode_image, decode_stored, images_in, read_image
from edge.samples.masks import MaskSet
from edge.samples.pairing import pair
from edge.samples.sample import Image, Sample, SampleError

BG, FG_BG, MASKS, DEPTH = "bg", "fg_bg", "fg_bg_masks", "depth_maps"
RECIPE = "recipe.json"


def is_seed_layout(folder: Path) -> bool:
    """Tell whether a folder has the seed's layout."""
    return all((folder / part).is_dir() for part in (BG, FG_BG, MASKS))


class SeedLayout:
    """The composites of a folder in the seed's layout that have a mask and a background."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.skipped: dict[str, str] = {}
        self._folder = folder
        self._archives: dict[tuple[str, str], Archive] = {}
        self._masks: dict[str, MaskSet] = {}
        self._backgrounds: dict[str, tuple[Image, Image]] = {}
        self._background_files: dict[str, list[Path]] = defaultdict(list)
        for file in images_in(folder / BG):
            self._background_files[file.stem].append(file)
        self._members: list[tuple[str, str, str, str]] = []
        self._meaning: DepthMeaning | None = None
        if (folder / DEPTH).is_dir():
            self._meaning = read_meaning(folder / RECIPE, folder / DEPTH)
        self._places = {part: archives_in(folder / part) for part in (FG_BG, MASKS, DEPTH)}
        for bg in self._places[FG_BG]:
            try:
                self._members += self._list(bg)
            except SampleError as error:
                self.skipped[self._places[FG_BG][bg].name] = str(error)
        if not self._members:
            causes = "; ".join(dict.fromkeys(self.skipped.values()))
            raise SampleError(f"no composites in {folder / FG_BG}; {causes or 'it has no zip'}")

    def _list(self, bg: str) -> list[tuple[str, str, str, str]]:
        """The (background, composite, mask, depth map or "") of one archive."""
        files = self._background_files.get(bg, [])
        if not files:
            raise SampleError(f"no background {BG}/{bg}.jpg for {FG_BG}/{bg}.zip")
        if len(files) > 1:
            names = " and ".join(str(file.relative_to(self._folder / BG)) for file in files[:2])
            raise SampleError(
                f"{names} in {BG}/ have one name, which one belongs to {bg} is unknown"
            )
        frames, masks = self._open(FG_BG, bg), self._open(MASKS, bg)
        refused = {
            f"{part}/{bg}/{name}": reason
            for part, archive in ((FG_BG, frames), (MASKS, masks))
            for name, reason in archive.refused.items()
        }
        pairs = pair(frames.names, masks.names)
        if not pairs.labels:
            causes = reasons(refused) or f"no names of its {len(frames.names)} images and"
            raise SampleError(
                causes if refused else f"{causes} {len(masks.names)} masks belong together"
            )
        self.skipped |= refused | {f"{bg}/{name}": why for name, why in pairs.alone.items()}
        depths: dict[str, str] = {}
        if self._meaning is not None:
            maps = pair(list(pairs.labels), self._open(DEPTH, bg).names, "depth map")
            depths = maps.labels
            self.skipped |= {f"{bg}/{name}": why for name, why in maps.alone.items()}
        self._masks[bg] = MaskSet(
            list(pairs.labels.values()), partial(self._stored, MASKS, bg), codes=False
        )
        has_depth = self._meaning is not None
        return [
            (bg, frame, mask, depths.get(frame, ""))
            for frame, mask in pairs.labels.items()
            if frame in depths or not has_depth
        ]

    def _open(self, part: str, bg: str) -> Archive:
        if (part, bg) not in self._archives:
            if bg not in self._places[part]:
                raise SampleError(f"there is no {part}/{bg}.zip for {FG_BG}/{bg}.zip")
            try:
                self._archives[part, bg] = open_archive(self._places[part][bg])
            except SampleError as error:
                raise SampleError(f"{part}: {error.message}", error.hint) from error
        return self._archives[part, bg]

    def __len__(self) -> int:
        return len(self._members)

    def sequence(self, index: int) -> str:
        """Return the name of the sample's background."""
        return self._members[index][0]

    def _stored(self, part: str, bg: str, member: str) -> npt.NDArray[Any]:
        return decode_stored(self._open(part, bg).read(member))

    def _background(self, name: str, size: tuple[int, int]) -> Image:
        """The background, resized from its file: the sizes of other composites change nothing."""
        if name not in self._backgrounds:
            image = read_image(self._background_files[name][0])
            self._backgrounds[name] = image, image
        original, resized = self._backgrounds[name]
        if resized.shape[:2] != size:
            resized = original
            if original.shape[:2] != size:
                resized = np.asarray(
                    cv2.resize(original, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8
                )
            self._backgrounds[name] = original, resized
        return resized

    def __getitem__(self, index: int) -> Sample:
        bg, member, mask, depth_map = self._members[index]
        name = f"{bg}/{Path(member).with_suffix('').as_posix()}"
        part, file = FG_BG, member
        try:
            frame = decode_image(self._open(FG_BG, bg).read(member))
            part, file = MASKS, mask
            labels = self._masks[bg].labels(mask)
            if labels.shape != frame.shape[:2]:
                sizes = [f"{plane.shape[1]}x{plane.shape[0]}" for plane in (labels, frame)]
                raise SampleError(f"the mask is {sizes[0]}, its image is {sizes[1]}")
            depth = None
            if self._meaning is not None:
                part, file = DEPTH, depth_map
                depth = self._meaning.decode(self._stored(DEPTH, bg, depth_map))
            part, file = BG, bg
            background = self._background(bg, (frame.shape[0], frame.shape[1]))
            measured = self._meaning is not None and self._meaning.steps is not None
            return Sample(name, background, frame, labels, depth, depth_is_true=measured)
        except (SampleError, ValueError) as error:
            place = f"{part}/{file}" if part == BG else f"{part}/{bg}: {file}"
            reason = f"{place}: {error}"
            self.skipped[name] = reason
            raise SampleError(reason) from error

    def fingerprint(self) -> str:
        """Hash the members' names and checksums, the background files and the depth's meaning."""
        meaning = b""
        if self._meaning is not None and self._meaning != DepthMeaning(near_is_bright=False):
            bright = self._meaning == DepthMeaning(near_is_bright=True)
            meaning = b"near is bright" if bright else repr(self._meaning).encode()
        digest = hashlib.sha256(meaning)
        for part in (FG_BG, MASKS, DEPTH):
            for path in self._places[part].values():
                digest.update(f"{part}/{path.name}".encode())
                try:
                    digest.update(self._open(part, path.stem).digest())
                except SampleError:
                    digest.update(b"broken")
        for files in self._background_files.values():
            for file in files:
                digest.update(file.read_bytes())
        return digest.hexdigest()
