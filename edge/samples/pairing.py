"""Which label belongs to which frame, by the names of their files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from os.path import commonpath
from pathlib import PurePosixPath

NUMBERED = re.compile(r"^(\D*)(\d+)(\D*)$")

Key = Callable[[str], str | None]


@dataclass
class Pairs:
    """Frames with their labels.

    Attributes:
        labels: The label's name by the frame's, in the order of the frames.
        alone: Frames and labels without a partner, with the reason.
    """

    labels: dict[str, str] = field(default_factory=dict)
    alone: dict[str, str] = field(default_factory=dict)


def number_of(name: str) -> int | None:
    """Return the one number of a file's name, as 12 of `in000012.jpg`; else None."""
    match = NUMBERED.match(PurePosixPath(name).stem)
    return int(match[2]) if match else None


def pair(frames: Sequence[str], labels: Sequence[str], label: str = "mask") -> Pairs:
    """Pair names that tell that they belong together.

    The first of these keys that pairs anything counts: the stem, where no folder repeats a stem of
    another; the path without its suffix, also below the folder that all share; the stem with one
    affix on all labels (`a_mask.png`); the number in stems that differ in nothing else
    (`in000001.jpg`, `gt000001.png`).

    Args:
        frames: Relative paths with `/`, in the order of the result.
        labels: The same of the labels.
        label: What a label is called in reasons.
    """
    if not labels:
        return Pairs(alone=dict.fromkeys(frames, f"it has no {label}"))
    best = Pairs()
    for keys in _keys(frames, labels):
        pairs = _paired(frames, labels, keys, label)
        if len(pairs.labels) > len(best.labels):
            return pairs
        best = best if best.alone else pairs
    return best


def _keys(frames: Sequence[str], labels: Sequence[str]) -> Iterable[tuple[Key, Key]]:
    unique = all(len({_stem(name) for name in names}) == len(names) for names in (frames, labels))
    if unique:
        yield _stem, _stem
    yield _path, _path
    yield _below_common(frames), _below_common(labels)
    if not unique:
        return
    if affix := _affix({_stem(name) for name in frames}, sorted(map(_stem, labels))):
        prefix, suffix = affix

        def bare(name: str) -> str | None:
            stem = _stem(name)
            if len(stem) <= len(prefix + suffix):
                return None
            fits = stem.startswith(prefix) and stem.endswith(suffix)
            return stem[len(prefix) : len(stem) - len(suffix)] if fits else None

        yield _stem, bare
    if _one_affix(frames) and _one_affix(labels):
        yield _number, _number


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _path(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _number(name: str) -> str | None:
    number = number_of(name)
    return None if number is None else str(number)


def _below_common(names: Sequence[str]) -> Key:
    # A zip may have members with absolute names beside others.
    folders = [str(PurePosixPath(name.lstrip("/")).parent) for name in names]
    common = commonpath(folders) if folders else ""
    return lambda name: str(PurePosixPath(_path(name.lstrip("/"))).relative_to(common))


def _affix(frames: set[str], labels: Sequence[str]) -> tuple[str, str] | None:
    """The prefix and suffix of letters that most labels have and their frames lack."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    sample = labels[:: max(1, len(labels) // 50)]
    for stem in sample:
        for cut in range(1, len(stem)):
            if stem[:cut] in frames and re.fullmatch(r"[^0-9]+", stem[cut:]):
                counts["", stem[cut:]] += 1
            if stem[cut:] in frames and re.fullmatch(r"[^0-9]+", stem[:cut]):
                counts[stem[:cut], ""] += 1
    likely = sorted(counts, key=lambda affix: (-counts[affix], affix))
    return likely[0] if likely and 2 * counts[likely[0]] > len(sample) else None


def _one_affix(names: Sequence[str]) -> bool:
    """Whether stems differ in one number alone."""
    matches = [NUMBERED.match(_stem(name)) for name in names]
    return all(matches) and len({(match[1], match[3]) for match in matches if match}) == 1


def _paired(
    frames: Sequence[str], labels: Sequence[str], keys: tuple[Key, Key], label: str
) -> Pairs:
    pairs = Pairs()
    by_key: list[dict[str, list[str]]] = [defaultdict(list), defaultdict(list)]
    for names, key_of, lists in zip((frames, labels), keys, by_key, strict=True):
        for name in names:
            key = key_of(name)
            if key is not None:
                lists[key].append(name)
    frames_of, labels_of = by_key
    used = set()
    for name in frames:
        key = keys[0](name)
        same = frames_of.get(key, []) if key is not None else []
        partners = labels_of.get(key, []) if key is not None else []
        if len(same) > 1 or len(partners) > 1:
            others = same if len(same) > 1 else partners
            pairs.alone[name] = f"ambiguous: {' and '.join(sorted(others)[:2])} have one name"
        elif partners:
            pairs.labels[name] = partners[0]
        else:
            pairs.alone[name] = f"it has no {label}"
        used.update(partners)
    pairs.alone |= {name: f"a {label} without a frame" for name in labels if name not in used}
    return pairs
