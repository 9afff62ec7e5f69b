"""`edge dataset compose | stats | show`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.options import Json
from edge.errors import EdgeError, UsageError
from edge.files import atomic_write
from edge.progress import note, track

if TYPE_CHECKING:
    from edge.samples.sample import Sample
    from edge.train.data.compose import CompositionSpec, Estimate
    from edge.train.data.cutouts import Cutout

app = typer.Typer(help="Compose, measure and view data sets.", no_args_is_help=True)

Place = typer.Argument(
    help="Labelled samples: rendered[:COUNT[:SEED]], a folder of labelled sequences or of RGB-D,"
    " or a folder in the seed's layout."
)


@app.command()
def compose(
    backgrounds: Annotated[Path, typer.Argument(help="Folder of background images.")],
    foregrounds: Annotated[Path, typer.Argument(help="Folder of RGBA cut-outs.")],
    out: Annotated[Path, typer.Option(help="Folder of the data set; a stopped run is resumed.")],
    places: Annotated[
        int, typer.Option(min=1, help="Places per background, cut-out and mirroring.")
    ] = 20,
    size: Annotated[int, typer.Option(min=32, help="Side of the composites in pixels.")] = 224,
    depth_teacher: Annotated[
        Optional[Path], typer.Option(help="ONNX network that labels depth.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sizes and positions.")] = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Estimate time and disk space; write nothing."),
    ] = False,
) -> None:
    """Write every cut-out on every background, mirrored too, in the seed's layout."""
    from edge.samples.depth_teacher import DepthTeacher
    from edge.samples.seed import RECIPE
    from edge.train.data.compose import CompositionSpec, estimate, is_complete, write_background
    from edge.train.data.cutouts import read_backgrounds, read_cutouts

    spec = CompositionSpec(size=size, places=places, seed=seed)
    teacher = DepthTeacher(depth_teacher, threads=2) if depth_teacher else None
    images = read_backgrounds(backgrounds, max_side=2 * size)
    cutouts = read_cutouts(foregrounds, max_side=2 * size)
    key = _key(spec, cutouts, teacher is not None)
    _check_key(out / RECIPE, key)
    missing = [name for name in images if not is_complete(out, name, teacher is not None)]
    per_background = spec.count(1, len(cutouts))
    note(
        f"{spec.count(len(images), len(cutouts))} composites of {len(images)} backgrounds and"
        f" {len(cutouts)} cut-outs; {len(images) - len(missing)} backgrounds are complete"
    )
    if missing:
        each = estimate({name: images[name] for name in missing}, cutouts, spec, teacher)
        _check_disk(out, len(missing) * per_background, each)
    if dry_run:
        return
    with atomic_write(out / RECIPE) as draft:
        draft.write_text(key)
    steps = (
        step
        for name in missing
        for step in write_background(out, name, images[name], cutouts, spec, teacher)
    )
    for _ in track(steps, len(missing) * per_background, "composing"):
        pass
    print(out)


def _key(spec: CompositionSpec, cutouts: Sequence[Cutout], with_depth: bool) -> str:
    """What a data set belongs to, as the JSON text of its recipe file."""
    names = hashlib.sha256("\n".join(cutout.name for cutout in cutouts).encode()).hexdigest()
    return json.dumps(
        {
            "size": spec.size,
            "places": spec.places,
            "seed": spec.seed,
            "depth": with_depth,
            "near": "bright",
            "cutouts": f"{len(cutouts)}, names of sha256 {names[:12]}",
        }
    )


def _check_key(path: Path, key: str) -> None:
    """Refuse to mix the composites of two recipes in one data set."""
    if path.is_file() and path.read_text() != key:
        raise EdgeError(
            f"{path.parent} was composed with {path.read_text()}, now {key}",
            "give the same options or another --out",
        )


def _check_disk(out: Path, count: int, each: Estimate) -> None:
    """Note the expected time and disk space; refuse what does not fit on the disk."""
    folder = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    needed = count * each.bytes
    note(
        f"{count:,} to write: about {_duration(count * each.seconds)}, {1 / each.seconds:.0f} per"
        f" second, and {needed / 1e9:.2f} GB (measured on {each.count});"
        f" {free / 1e9:.0f} GB are free"
    )
    if needed > free:
        raise EdgeError(
            f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed",
            "give another --out, fewer --places or a smaller --size",
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@app.command()
def stats(
    samples: Annotated[str, Place],
    most: Annotated[int, typer.Option(min=1, help="Samples to read, evenly spaced.")] = 4000,
    as_json: Json = False,
) -> None:
    """Print mean and standard deviation of images (RGB in 0..1), masks and depths."""
    from edge.calibrate.labelled import MaskCheck, nothing_read, report_skipped
    from edge.calibrate.samples import open_samples
    from edge.samples.sample import evenly_spaced, iter_readable
    from edge.train.data.stats import stats as measure

    source = open_samples(samples)
    indices = evenly_spaced(source, most)
    read = 0
    masks = MaskCheck(source.name)

    def counted() -> Iterator[Sample]:
        nonlocal read
        for sample in iter_readable(source, indices):
            read += 1
            masks.add(sample)
            yield sample

    parts = measure(track(counted(), len(indices), "reading samples"))
    report_skipped(source.skipped)
    if not read:
        raise nothing_read(source)
    masks.report()
    if as_json:
        skipped = len(source.skipped)
        print(json.dumps({"samples": read, "skipped": skipped, "sets": parts}))
        return
    for name, values in parts.items():
        mean, std = (" ".join(f"{v:.4f}" for v in values[key]) for key in ("mean", "std"))
        print(f"{name:6} mean {mean}  std {std}")


@app.command()
def show(
    samples: Annotated[str, Place] = "rendered:24",
    out: Annotated[Path, typer.Option(help="Image file to write.")] = Path("samples.jpg"),
    count: Annotated[int, typer.Option(min=1, help="Samples to show, evenly spaced.")] = 12,
) -> None:
    """Write a contact sheet: bg, fg_bg, mask and depth of some samples."""
    import cv2

    from edge.calibrate.labelled import read_labelled
    from edge.calibrate.samples import open_samples
    from edge.samples.contact_sheet import contact_sheet

    if not cv2.haveImageWriter(str(out)):
        raise UsageError(f"--out {out}: expected a name that ends in .jpg or .png")
    chosen = [sample for _, sample in read_labelled(open_samples(samples), count)]
    with atomic_write(out) as draft:
        draft.write_bytes(cv2.imencode(out.suffix, contact_sheet(chosen))[1].tobytes())
    print(out)
