"""`edge train`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli.options import report_skipped
from edge.errors import UsageError
from edge.progress import bar, note, track

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from edge.samples.sample import Sample
    from edge.train.data.mix import Source
    from edge.train.loop import Progress
    from edge.train.networks.variant import Variant
    from edge.train.recipe import Recipe

Data = Annotated[
    Optional[list[str]],
    typer.Option(
        help="A source of pictures, repeated: [composites:]PLACE[=WEIGHT]. PLACE is a folder of"
        " labelled sequences, a folder in the seed's layout, rendered[:COUNT[:SEED]], or, after"
        " composites:, a folder with backgrounds/ and foregrounds/.  [default: rendered]"
    ),
]
Batch = Annotated[int, typer.Option(min=1, help="Batch over all devices.")]
Imgsz = Annotated[int, typer.Option(min=32, help="Side of the training pictures.")]
LeaveOut = Annotated[str, typer.Option(help="Sequences never trained on, separated by commas.")]
Validate = Annotated[
    Optional[list[str]],
    typer.Option(
        help="What chooses the best weights, repeated: rendered[:COUNT[:SEED]] or a folder; of"
        " one that is in --data too, what is left out.  [default: rendered:48:9000]"
    ),
]
CHOSEN_BY = ("rendered:48:9000",)
DepthTeacher = Annotated[
    Optional[Path], typer.Option(help="ONNX network that labels depth where none is known.")
]
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
Precision = Annotated[str, typer.Option(help="Arithmetic: 32-true, bf16-mixed or 16-mixed (GPU).")]
Accelerator = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that make pictures.")]
Every = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
Seed = Annotated[int, typer.Option(min=0, help="On the CPU the same seed gives the same run.")]


def train(
    data: Data = None,
    network: Annotated[
        Optional[str],
        typer.Option(
            help="Network, by its name; several, joined by commas, learn together."
            "  [default: small, or --start's]"
        ),
    ] = None,
    inputs: Annotated[
        Optional[str], typer.Option(help="What it sees: both pictures, or fg_bg.  [default: both]")
    ] = None,
    outputs: Annotated[
        Optional[str], typer.Option(help="What it gives: mask, depth or both.  [default: both]")
    ] = None,
    mask_loss: Annotated[str, typer.Option(help="bce and dice, joined by +.")] = "bce+dice",
    depth_loss: Annotated[
        Optional[str],
        typer.Option(
            help="ssi, ms_ssim, ssim, l1 and berhu, joined by +."
            "  [default: ssi+ms_ssim; below 161 pixels ssi+ssim]"
        ),
    ] = None,
    start: Annotated[
        Optional[Path],
        typer.Option(
            help="Checkpoint to begin with instead of fresh weights; of several networks the folder"
            " of a run in which they learned together."
        ),
    ] = None,
    distill: Annotated[
        Optional[list[Path]],
        typer.Option(
            help="Checkpoint of a network to imitate as well, as it is and mirrored; repeated: each"
            " in turn."
        ),
    ] = None,
    scene: Annotated[
        Optional[Path],
        typer.Option(help="Checkpoint whose depth of the scene is taken over and kept."),
    ] = None,
    qat: Annotated[
        Optional[str],
        typer.Option(help="Learn with the int8 arithmetic of this target; needs --start."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/train"),
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures that make an epoch.")] = 8000,
    batch: Batch = 16,
    imgsz: Imgsz = 176,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 3e-3,
    leave_out: LeaveOut = "",
    validate: Validate = None,
    depth_teacher: DepthTeacher = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Show whole pictures, not random parts of them.")
    ] = False,
    precision: Precision = "32-true",
    accelerator: Accelerator = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes, one device each.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    workers: Workers = 1,
    every: Every = 250,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a network; writes best.pt, last.pt and TensorBoard's events to --out.

    Networks that learn together see the same pictures, and each imitates the masks of all; the
    best.pt of each is in a folder of its name."""
    from edge.targets.table import choose

    if "," in (network or "") and (distill or qat):
        raise UsageError(
            f"--network {network}: --distill and --qat are for one network; several imitate each"
            " other"
        )
    if qat is not None:
        qat = choose(qat).name
        if start is None:
            raise UsageError("--qat tunes a trained network: give its checkpoint with --start")

        if scene is not None:
            raise UsageError("--qat leaves the scene's depth as it is anyway; leave --scene out")

    from edge.train.loop import train as run
    from edge.train.recipe import Recipe

    name, variant = _network(network, inputs, outputs, start)
    losses = _losses(mask_loss, depth_loss, imgsz)
    if batch % (devices * nodes):
        raise UsageError(f"--batch {batch} is not a multiple of {devices * nodes} devices")
    fabric = fabric_of(accelerator, precision, devices, nodes)
    fabric.launch()
    recipe = Recipe(
        network=name,
        data=tuple(data or ["rendered"]),
        leave_out=names_of(leave_out),
        epochs=epochs,
        pictures=pictures,
        batch=batch,
        imgsz=imgsz,
        rate=rate,
        seed=seed,
        inputs=variant.inputs,
        outputs=variant.outputs,
        mask_loss=losses[0],
        depth_loss=losses[1],
        start=str(start or ""),
        distill=tuple(str(one) for one in distill or []),
        scene=str(scene or ""),
        qat=qat or "",
        depth_teacher=str(depth_teacher or ""),
        whole=whole,
        validate=tuple(validate or CHOSEN_BY),
        precision=precision,
    )
    sources, judged = read_data(recipe)
    with reporting("training", recipe, every, fabric.global_rank == 0) as report:
        try:
            best = run(
                recipe,
                sources,
                judged,
                out,
                fabric=fabric,
                resume=resume,
                workers=workers,
                every=every,
                report=report,
            )
        except KeyboardInterrupt:
            note(f"stopped; the same command with --resume goes on from {out / 'last.pt'}")
            raise
    for one in best if fabric.global_rank == 0 else ():
        note(f"best weights: {one}; next: edge export {one}")
        print(one)


def _network(
    name: Optional[str], inputs: Optional[str], outputs: Optional[str], start: Optional[Path]
) -> tuple[str, Variant]:
    """The networks and the variant that are trained: those asked for, which must be those of the
    checkpoints that they begin with."""
    from edge.train.networks import variant_of

    names = tuple(one.strip() for one in (name or "small").split(","))
    if start is not None and len(names) == 1:
        return _started(name, inputs, outputs, start)
    try:
        if start is None:
            variants = [variant_of(one, inputs, outputs) for one in names]
        else:
            places = [(one, start / one / "best.pt") for one in names]
            variants = [_started(one, inputs, outputs, place)[1] for one, place in places]
    except ValueError as error:
        raise UsageError(f"--network, --inputs, --outputs: {error}") from error
    if len({*names}) < len(names) or len({*variants}) > 1:
        raise UsageError(
            f"--network {name}: what learns together are different networks that see and give the"
            " same"
        )
    return ",".join(names), variants[0]


def _started(
    name: Optional[str], inputs: Optional[str], outputs: Optional[str], start: Path
) -> tuple[str, Variant]:
    """The network and the variant of a checkpoint, which must be those asked for."""
    from edge.train.checkpoint import load
    from edge.train.networks.variant import Variant

    state = load(start)
    found, variant = str(state["network"]), Variant(**state.get("variant", {}))
    if name not in (None, found):
        raise UsageError(f"{start} is a {found}, --network says {name}")
    if inputs not in (None, variant.inputs) or outputs not in (None, variant.outputs):
        raise UsageError(
            f"{start} sees {variant.inputs} and gives {variant.outputs},"
            f" asked for are {inputs or variant.inputs} and {outputs or variant.outputs}"
        )
    return found, variant


def _losses(mask: str, depth: Optional[str], imgsz: int) -> tuple[str, str]:
    """The losses by name, where they can be had at that size."""
    from edge.train import losses

    chosen = depth or losses.usual_depth(imgsz)
    for option, text, table in (
        ("--mask-loss", mask, losses.MASK),
        ("--depth-loss", chosen, losses.DEPTH),
    ):
        try:
            losses.named(text, table)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from error
    if "ms_ssim" in chosen.split("+") and imgsz < losses.MS_SSIM_SIDE:
        raise UsageError(
            f"--depth-loss {chosen}: five scales of MS-SSIM do not fit into {imgsz} pixels;"
            f" take ssi+ssim, or --imgsz {losses.MS_SSIM_SIDE} or more"
        )
    if chosen != (depth or "ssi+ms_ssim"):
        note(f"depth is trained with {chosen}: MS-SSIM does not fit into {imgsz} pixels")
    return mask, chosen


def names_of(text: str) -> tuple[str, ...]:
    """`hall, yard` as names."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def fabric_of(accelerator: str, precision: str, devices: int = 1, nodes: int = 1) -> Fabric:
    """What carries a training: its devices, arithmetic and processes."""
    from lightning_fabric import Fabric

    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: expected {', '.join(PRECISIONS)}")
    try:
        return Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--accelerator {accelerator}, --devices {devices}: {reason}") from error


def read_data(recipe: Recipe) -> tuple[list[tuple[Source, float]], list[tuple[str, Sample]]]:
    """The weighted sources of a recipe, and what chooses the best weights."""
    from edge.calibrate.samples import open_samples
    from edge.samples.depth_teacher import DepthTeacher
    from edge.samples.sample import evenly_spaced, iter_samples
    from edge.train.data.mix import Crops, lend, open_source, place_of

    labels = recipe.depth_teacher
    teacher = DepthTeacher(Path(labels), os.cpu_count() or 1) if labels else None
    sources = [
        open_source(spec, recipe.imgsz, teacher, recipe.leave_out, whole=recipe.whole)
        for spec in recipe.data
    ]
    if not sum(share for _, share in sources):
        raise UsageError("every --data has a weight of 0; there is nothing to train on")
    known = {name for source, _ in sources if isinstance(source, Crops) for name in source.names}
    if strange := [name for name in recipe.leave_out if name not in known]:
        raise UsageError(
            f"--leave-out {strange[0]}: no such sequence in --data;"
            f" there are {', '.join(sorted(known)) or 'none'}"
        )
    lend(sources)
    judged: list[tuple[str, Sample]] = []
    for place in recipe.validate:
        samples = open_samples(place)
        every: Sequence[int] = range(len(samples))
        if place in map(place_of, recipe.data):
            left_out = [i for i in every if samples.sequence(i) in recipe.leave_out]
            if not left_out:
                note(f"--validate {place} is trained on as well: its scores tell nothing new")
            every = left_out or every
        chosen = [every[i] for i in evenly_spaced(every, 48)]
        judged += track(iter_samples(samples, chosen), len(chosen), f"reading {samples.name}")
        report_skipped(samples.skipped)
    return sources, judged


@contextmanager
def reporting(
    what: str, recipe: Recipe, every: int, first: bool
) -> Iterator[Callable[[Progress], None]]:
    """A bar that the returned function moves; where nobody watches, a line every `every` steps."""
    with bar() as progress:
        task = progress.add_task(what, total=recipe.steps)

        def report(state: Progress) -> None:
            scores = " ".join(f"{name} {value:.3f}" for name, value in state.scores.items())
            progress.update(
                task, completed=state.step, description=f"{what} loss {state.loss:.3f} {scores}"
            )
            if progress.disable and state.step % every == 0 and first:
                note(f"{what} {state.step}/{state.steps} loss {state.loss:.3f} {scores}")

        yield report
