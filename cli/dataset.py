"""`edge dataset compose | stats | show`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.options import Json, read_samples, report_skipped
from edge.errors import EdgeError, UsageError
from edge.files import atomic_write
from edge.progress import note, track

if TYPE_CHECKING:
    from edge.samples.sample import Sample
    from edge.train.data.compose import Estimate

app = typer.Typer(help="Make, measure and look at data sets.", no_args_is_help=True)


@app.command()
def compose(
    backgrounds: Annotated[Path, typer.Argument(help="Folder of pictures of empty scenes.")],
    foregrounds: Annotated[Path, typer.Argument(help="Folder of RGBA cut-outs.")],
    out: Annotated[Path, typer.Option(help="Folder of the data set; a run goes on where it was.")],
    places: Annotated[
        int, typer.Option(min=1, help="Places per background, cut-out and mirroring.")
    ] = 20,
    size: Annotated[int, typer.Option(min=32, help="Side of the composites.")] = 224,
    depth_teacher: Annotated[
        Optional[Path], typer.Option(help="ONNX network that labels depth.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say how long it takes and how much disk; write nothing."),
    ] = False,
) -> None:
    """Write every cut-out on every background, mirrored too, in the seed's layout."""
    from edge.samples.depth_teacher import DepthTeacher
    from edge.samples.seed import RECIPE
    from edge.train.data.compose import Recipe, done, measured, write_background
    from edge.train.data.cutouts import read_backgrounds, read_cutouts

    recipe = Recipe(size=size, places=places, seed=seed)
    teacher = DepthTeacher(depth_teacher, threads=2) if depth_teacher else None
    pictures = read_backgrounds(backgrounds, longest=2 * size)
    cutouts = read_cutouts(foregrounds, longest=2 * size)
    things = hashlib.sha256("\n".join(cutout.name for cutout in cutouts).encode()).hexdigest()
    claim = json.dumps(
        {
            "size": size,
            "places": places,
            "seed": seed,
            "depth": bool(teacher),
            "near": "bright",
            "cutouts": f"{len(cutouts)}, names of sha256 {things[:12]}",
        }
    )
    _check_claim(out / RECIPE, claim)
    open_ = [name for name in pictures if not done(out, name, teacher is not None)]
    per_background = recipe.count(1, len(cutouts))
    note(
        f"{recipe.count(len(pictures), len(cutouts))} composites of {len(pictures)} backgrounds and"
        f" {len(cutouts)} cut-outs; {len(pictures) - len(open_)} backgrounds are there already"
    )
    if open_:
        one = measured({name: pictures[name] for name in open_}, cutouts, recipe, teacher)
        _check_room(out, len(open_) * per_background, one)
    if dry_run:
        return
    with atomic_write(out / RECIPE) as draft:
        draft.write_text(claim)
    steps = (
        step
        for name in open_
        for step in write_background(out, name, pictures[name], cutouts, recipe, teacher)
    )
    for _ in track(steps, len(open_) * per_background, "composing"):
        pass
    print(out)


def _check_claim(path: Path, text: str) -> None:
    """A data set is of one recipe: going on with another would mix two without a word."""
    if path.is_file() and path.read_text() != text:
        raise EdgeError(
            f"{path.parent} was composed with {path.read_text()}, now {text};"
            " give the same options or another --out"
        )


def _check_room(out: Path, count: int, one: Estimate) -> None:
    """Say what is to come, and refuse what the disk does not hold."""
    there = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    needed = count * one.bytes
    note(
        f"{count:,} to write: about {_duration(count * one.seconds)}, {1 / one.seconds:.0f} a"
        f" second, and {needed / 1e9:.2f} GB (measured on {one.count});"
        f" {free / 1e9:.0f} GB are free"
    )
    if needed > free:
        raise EdgeError(
            f"{there} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed;"
            " give another --out, fewer --places or a smaller --size"
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@app.command()
def stats(
    samples: Annotated[str, typer.Argument(help="What --samples takes elsewhere.")],
    most: Annotated[int, typer.Option(min=1, help="Samples to read, evenly spread.")] = 4000,
    as_json: Json = False,
) -> None:
    """Mean and standard deviation of each set: RGB in 0..1, over all pixels."""
    from edge.calibrate.samples import open_samples
    from edge.samples.sample import evenly_spaced, iter_readable
    from edge.train.data.stats import stats as measure

    source = open_samples(samples)
    indices = evenly_spaced(source, most)
    read = 0

    def counted() -> Iterator[Sample]:
        nonlocal read
        for sample in iter_readable(source, indices):
            read += 1
            yield sample

    found = measure(track(counted(), len(indices), "reading samples"))
    report_skipped(source.skipped)
    if not read:
        raise EdgeError(f"no sample of {samples} could be read")
    if as_json:
        print(json.dumps({"samples": read, "sets": found}))
        return
    for name, values in found.items():
        mean, std = (" ".join(f"{v:.4f}" for v in values[key]) for key in ("mean", "std"))
        print(f"{name:6} mean {mean}  std {std}")


@app.command()
def show(
    samples: Annotated[str, typer.Argument(help="What --samples takes elsewhere.")] = "rendered:24",
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("samples.jpg"),
    count: Annotated[int, typer.Option(min=1, help="Samples to show, evenly spread.")] = 12,
) -> None:
    """Write a contact sheet: bg, fg_bg, mask and depth of some samples."""
    import cv2

    from edge.calibrate.samples import open_samples
    from edge.samples.contact_sheet import contact_sheet

    if not cv2.haveImageWriter(str(out)):
        raise UsageError(f"--out {out}: expected a name that ends in .jpg or .png")
    chosen = [sample for _, sample in read_samples(open_samples(samples), count)]
    with atomic_write(out) as draft:
        draft.write_bytes(cv2.imencode(out.suffix, contact_sheet(chosen))[1].tobytes())
    print(out)
