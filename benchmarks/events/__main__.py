"""Print the table of expected and found events: python -m edge.benchmarks.events DATA [BUILD].

DATA is a folder with `videos/` and `sequences/` (shared/data of this project).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from edge.benchmarks.events.expected import FOOTAGE, Footage
from edge.benchmarks.events.match import Score, match
from edge.camera.video import Video
from edge.image import size_of
from edge.samples.image_file import read_image
from edge.zones.file import write_zones

HEADER = """\
| footage | expected | found | missed | false |
| --- | --: | --: | --: | --: |"""


def watch(footage: Footage, data: Path, build: str | None, folder: Path) -> list[dict[str, Any]]:
    """The events that `edge watch` finds in footage."""
    words = [sys.executable, "-m", "edge", "watch", "--left-after", f"{footage.left_s:g}"]
    place = data / footage.place
    if footage.fps is not None:
        words += ["--bg", str(place / "bg.png")]
        place = as_video(place, footage.fps, folder / "footage.mkv")
    words.append(str(place))
    if footage.zones:
        write_zones(folder / "zones.json", footage.zones)
        words += ["--zones", str(folder / "zones.json")]
    if build is not None:
        words += ["--build", build]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{footage.name}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_video(sequence: Path, fps: float, out: Path) -> Path:
    """The images of a labelled sequence as a video: they have no times of their own."""
    video: Video | None = None
    for number, file in enumerate(sorted((sequence / "input").iterdir())):
        image = read_image(file)
        if video is None:
            video = Video(out, size_of(image), fps)
        video.write(image, number / fps)
    if video is not None:
        video.close()
    return out


def row(footage: Footage, score: Score) -> str:
    """A row of the table."""
    found = len(footage.expected) - len(score.missed)
    return (
        f"| {footage.name} | {len(footage.expected)} | {found} | {len(score.missed)}"
        f" | {len(score.false)} |"
    )


def main(data: Path, build: str | None) -> None:
    """Print the table, and what was missed or false on stderr."""
    print(HEADER)
    for footage in FOOTAGE:
        if not (data / footage.place).exists():
            sys.exit(f"{data / footage.place} is missing")
        with tempfile.TemporaryDirectory() as folder:
            events = watch(footage, data, build, Path(folder))
        score = match(footage, events)
        print(row(footage, score), flush=True)
        for each in score.missed:
            print(f"{footage.name}: missed {each}", file=sys.stderr)
        for event in score.false:
            begin = event.begin
            words = [begin[key] for key in ("source_time", "kind", "zone", "direction", "track")]
            print(f"{footage.name}: false {words}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m edge.benchmarks.events DATA [BUILD]")
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else None)
