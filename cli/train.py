"""`edge train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from edge.cli import training
from edge.cli.options import refuse_unused
from edge.cli.training import DEFAULT_VALIDATION, reporting, split_names
from edge.errors import UsageError
from edge.progress import note

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from edge.train.networks.variant import Variant
    from edge.train.recipe import Recipe

RATE, FINE_TUNING_RATE = 3e-3, 3e-4
"""Peak learning rates: of fresh weights, and of those that know something already."""

Network = Annotated[
    Optional[str],
    typer.Option(
        help="Name of the network; several, joined by commas, are trained together."
        "  [default: small, or --start's]"
    ),
]
Inputs = Annotated[
    Optional[str],
    typer.Option(
        help="Inputs of the network: spread (bg, its spread and the frame), both (bg and frame), or"
        " fg_bg, the frame alone.  [default: spread for our own networks, else both; --start's]"
    ),
]
Outputs = Annotated[
    Optional[str],
    typer.Option(help="Outputs of the network: mask, depth or both.  [default: both]"),
]
MaskLoss = Annotated[
    Optional[str],
    typer.Option(help="Mask losses, bce and dice, joined by +.  [default: bce+dice]"),
]
DepthLoss = Annotated[
    Optional[str],
    typer.Option(
        help="Depth losses, joined by +, such as ssi, ratio, gradient, ms_ssim, ssim, l1 or berhu."
        "  [default: ssi+ms_ssim; below 161 pixels ssi+ssim]"
    ),
]
Start = Annotated[
    Optional[Path],
    typer.Option(
        help="Initial weights: a bundled network (nano, small, tiny), a checkpoint, or an ONNX file"
        " of `edge export`; of several networks the folder of such files, or of a run that trained"
        " them together."
    ),
]
Distill = Annotated[
    Optional[list[Path]],
    typer.Option(
        help="Network to imitate, also in mirrored images, as for --start; repeatable: the networks"
        " alternate."
    ),
]
SceneDepth = Annotated[
    Optional[Path],
    typer.Option(help="Network, as for --start, whose scene depth is taken over and frozen."),
]
Qat = Annotated[
    Optional[str],
    typer.Option(help="Simulate the int8 arithmetic of this target; needs --start."),
]
Out = Annotated[Path, typer.Option(help="Folder of the run.")]
Epochs = Annotated[int, typer.Option(min=1, help="Number of epochs.")]
Pictures = Annotated[int, typer.Option(min=1, help="Images per epoch.")]
Rate = Annotated[
    Optional[float],
    typer.Option(min=0, help="Peak learning rate.  [default: 3e-3, with --start 3e-4]"),
]
Whole = Annotated[bool, typer.Option("--whole", help="Train on whole images, not random crops.")]
Devices = Annotated[int, typer.Option(min=1, help="Processes per machine, one device each.")]
Nodes = Annotated[int, typer.Option(min=1, help="Number of machines.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")]


def train(
    ctx: typer.Context,
    data: training.Data = None,
    network: Network = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    mask_loss: MaskLoss = None,
    depth_loss: DepthLoss = None,
    start: Start = None,
    distill: Distill = None,
    scene: SceneDepth = None,
    qat: Qat = None,
    out: Out = Path("runs/train"),
    epochs: Epochs = 10,
    pictures: Pictures = 8000,
    batch: training.Batch = 16,
    imgsz: training.Imgsz = 176,
    rate: Rate = None,
    leave_out: training.LeaveOut = "",
    validate: training.Validate = None,
    depth_teacher: training.DepthTeacher = None,
    whole: Whole = False,
    precision: training.Precision = "32-true",
    accelerator: training.Accelerator = "auto",
    devices: Devices = 1,
    nodes: Nodes = 1,
    workers: training.Workers = 1,
    every: training.Every = 250,
    seed: training.Seed = 0,
    resume: Resume = False,
) -> None:
    """Train a network; writes best.pt, last.pt and TensorBoard's events to --out.

    Networks trained together see the same images, and each imitates the masks of all; the best.pt
    of each is in a folder of its name."""
    from edge.train.recipe import Recipe
    from edge.train.setup import create_fabric

    target = _qat_target(network, start, distill, scene, qat)
    names, variant = _networks(network, inputs, outputs, start)
    if not variant.gives_mask:
        refuse_unused(ctx, "on a network without a mask output", "mask_loss")
    if not variant.gives_depth:
        refuse_unused(ctx, "on a network without a depth output", "depth_loss")
    mask_losses, depth_losses = _losses(mask_loss, depth_loss, variant, imgsz)
    if batch % (devices * nodes):
        raise UsageError(f"--batch {batch} is not a multiple of {devices * nodes} devices")
    fabric = create_fabric(accelerator, precision, devices, nodes)
    if rate is None:
        rate = FINE_TUNING_RATE if start else RATE
    recipe = Recipe(
        network=",".join(names),
        data=tuple(data or ["rendered"]),
        leave_out=split_names(leave_out),
        epochs=epochs,
        pictures=pictures,
        batch=batch,
        imgsz=imgsz,
        rate=rate,
        seed=seed,
        inputs=variant.inputs,
        outputs=variant.outputs,
        mask_loss=mask_losses,
        depth_loss=depth_losses,
        start=str(start or ""),
        distill=tuple(str(checkpoint) for checkpoint in distill or []),
        scene=str(scene or ""),
        qat=target,
        depth_teacher=str(depth_teacher or ""),
        whole=whole,
        validate=tuple(validate or DEFAULT_VALIDATION),
        precision=precision,
    )
    _run(recipe, out, fabric, resume=resume, workers=workers, every=every)


def _run(
    recipe: Recipe, out: Path, fabric: Fabric, *, resume: bool, workers: int, every: int
) -> None:
    """Train the networks of a recipe and print the paths of their best weights."""
    from edge.train.loop import train as run_training
    from edge.train.setup import read_data

    fabric.launch()
    main_process = fabric.global_rank == 0
    data = read_data(recipe)
    with reporting("training", recipe.steps, every, main_process) as report:
        try:
            best = run_training(
                recipe,
                data.sources,
                data.validation,
                out,
                fabric=fabric,
                resume=resume,
                workers=workers,
                every=every,
                report=report,
            )
        except KeyboardInterrupt:
            note(f"stopped; the same command with --resume continues from {out / 'last.pt'}")
            raise
    for path in best if main_process else ():
        note(f"best weights: {path}; next: edge export {path}")
        print(path)


def _qat_target(
    network: Optional[str],
    start: Optional[Path],
    distill: Optional[list[Path]],
    scene: Optional[Path],
    qat: Optional[str],
) -> str:
    """The name of --qat's target, or an empty text, after checking what it cannot go with."""
    if "," in (network or "") and (distill or qat):
        raise UsageError(
            f"--network {network}: --distill and --qat are for one network; networks trained"
            " together imitate each other"
        )
    if qat is None:
        return ""
    from edge.targets import choose

    target = choose(qat).name
    if start is None:
        raise UsageError("--qat tunes a trained network", "give it with --start")
    if scene is not None:
        raise UsageError("--scene has no effect with --qat, which freezes --start's scene depth")
    return target


def _networks(
    network: Optional[str], inputs: Optional[str], outputs: Optional[str], start: Optional[Path]
) -> tuple[tuple[str, ...], Variant]:
    """The networks and the variant to train, which must agree with the initial checkpoints."""
    from edge.train.checkpoint import member
    from edge.train.networks import variant_of

    names = tuple(name.strip() for name in (network or "small").split(","))
    if start is not None and len(names) == 1:
        name, variant = _started(network, inputs, outputs, start)
        return (name,), variant
    try:
        if start is None:
            variants = [variant_of(name, inputs, outputs) for name in names]
        else:
            checkpoints = [(name, member(start, name)) for name in names]
            variants = [_started(name, inputs, outputs, path)[1] for name, path in checkpoints]
    except ValueError as error:
        raise UsageError(f"--network, --inputs, --outputs: {error}") from error
    if len({*names}) < len(names) or len({*variants}) > 1:
        raise UsageError(
            f"--network {network}: networks trained together must be different and have the same"
            " inputs and outputs"
        )
    return names, variants[0]


def _started(
    name: Optional[str], inputs: Optional[str], outputs: Optional[str], start: Path
) -> tuple[str, Variant]:
    """The network and the variant of a checkpoint, which must be those asked for."""
    from edge.train.checkpoint import load
    from edge.train.networks import OURS
    from edge.train.networks.variant import Variant

    state = load(start)
    network, variant = str(state["network"]), Variant(**state.get("variant", {}))
    if name not in (None, network):
        raise UsageError(f"{start} is a {network}, --network says {name}")
    if inputs == "spread" and variant.inputs == "both" and network in OURS:
        variant = replace(variant, inputs="spread")  # which a network can be given later
    if inputs not in (None, variant.inputs) or outputs not in (None, variant.outputs):
        raise UsageError(
            f"{start} has inputs {variant.inputs} and outputs {variant.outputs}, asked for are"
            f" {inputs or variant.inputs} and {outputs or variant.outputs}"
        )
    return network, variant


def _losses(
    mask: Optional[str], depth: Optional[str], variant: Variant, imgsz: int
) -> tuple[str, str]:
    """The losses by name, checked against their tables and the image size."""
    from edge.train.losses import DEPTH, MASK, default_depth_loss, parse_losses

    depth_losses = depth or default_depth_loss(imgsz)
    for option, text, table in (
        ("--mask-loss", mask or "bce+dice", MASK),
        ("--depth-loss", depth_losses, DEPTH),
    ):
        try:
            parse_losses(text, table, imgsz)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from error
    if depth is None and depth_losses != "ssi+ms_ssim" and variant.gives_depth:
        note(f"--depth-loss {depth_losses}: MS-SSIM does not fit into {imgsz} pixels")
    return mask or "bce+dice", depth_losses
