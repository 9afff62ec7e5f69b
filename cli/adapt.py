"""`edge adapt`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli import training
from edge.cli.training import reporting
from edge.errors import AccuracyGateMissed, EdgeError
from edge.progress import bar, note

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from edge.runtime.handle import Handle
    from edge.samples.sample import Image, Sample
    from edge.train.data.cutouts import Cutout
    from edge.train.recipe import Recipe

SITE, BUILD = "site", "build"
"""Folders in --out: the frames that were trained on, with their labels, and the build."""
HELD, RUN = "held", "run"
"""Folders of the training: composites that judge it, and its checkpoints."""
RENDERED = "rendered:60"
OBJECTS = (60, 4000)
"""Count and seed of the rendered scenes whose objects are pasted; not those of RENDERED."""
STEPS, BATCH, EVERY = 80, 16, 40


def adapt(
    source: Annotated[
        str, typer.Argument(help="Camera, video or folder of images of one scene, unlabelled.")
    ],
    network: Annotated[str, typer.Option(help="Bundled network: nano, tiny or small.")] = "nano",
    minutes: Annotated[
        float, typer.Option(min=0.01, max=1440, help="Minutes of the source to learn from.")
    ] = 15,
    data: training.Data = None,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("runs/adapt"),
) -> None:
    """Train a bundled network on with unlabelled footage of one camera, and build it.

    It learns which water, leaves and trembling of this scene are background. Without a gain on
    composites of frames held back nothing is built, and the exit code is 3."""
    import tempfile

    import onnx

    import edge.calibrate.rendering.camera  # noqa: F401 (synthetic://)
    from edge.bundled import bundled
    from edge.calibrate.pipeline import BuildRequest, build
    from edge.camera.address import redact_address
    from edge.camera.reader import check_source
    from edge.files import atomic_write
    from edge.train.adapt import HELD_BACK, compose, rendered_cutouts, write_sequence
    from edge.train.export import export

    check_source(source, None)
    name = redact_address(source)
    start = bundled(network)
    if (out / BUILD).exists():
        raise EdgeError(f"{out} holds an adapted network already", "give another --out")
    samples = _label(source, 60 * minutes, network)
    trained = [s for i, s in enumerate(samples) if i % HELD_BACK]
    objects = rendered_cutouts(*OBJECTS)
    held = compose(samples[::HELD_BACK] * 4, objects[::2], seed=1)
    model = out / f"{network}.onnx"
    with tempfile.TemporaryDirectory(prefix="edge-adapt-") as work:
        write_sequence(Path(work, SITE), trained)
        write_sequence(Path(work, HELD), held)
        recipe = _recipe(network, start, Path(work), data or [])
        before, after, best = _train(recipe, Path(work, RUN), objects[1::2])
        note(
            f"F-measure on {len(held)} composites of held-back frames: {before:.4f} to {after:.4f}"
        )
        if after <= before:
            raise AccuracyGateMissed(
                f"{network} is no better for {name} after {recipe.pictures} images; nothing is"
                " built",
                f"keep the general one: edge run {name}",
            )
        with atomic_write(model) as draft:
            onnx.save(export(best, 224, 224), draft)
    write_sequence(out / SITE, trained)
    build(BuildRequest(model=str(model), samples=str(out / SITE)), out / BUILD, replace=True)
    note(f"next: edge run {name} --build {out / BUILD}")
    print(out / BUILD)


def _label(source: str, seconds: float, network: str) -> list[Sample]:
    """The frames of a source with the labels of a network; EdgeError where it is too unsure."""
    import tempfile

    import numpy as np

    import edge
    from edge.calibrate.pipeline import BuildRequest, build
    from edge.camera.address import redact_address
    from edge.image import fit
    from edge.loop.learn import learn_scene
    from edge.samples.sample import Sample
    from edge.scene.gather import LEAST, gather_images
    from edge.scene.stabilize import registered_to
    from edge.train.adapt import label_frames, refuse_unsure

    name = redact_address(source)
    with bar() as progress:
        task = progress.add_task("gathering frames", total=None)
        images = gather_images(source, seconds, None, lambda: progress.advance(task), note)
    if len(images) < LEAST:
        raise EdgeError(
            f"{name} gave {len(images)} frames, expected {LEAST} or more", "give more --minutes"
        )
    with tempfile.TemporaryDirectory(prefix="edge-adapt-") as folder:
        build(BuildRequest(network=network, precision="fp32"), Path(folder))
        with edge.open(folder) as h:
            learned = learn_scene(h, images)
            assert learned.spread is not None
            bg = fit(h, learned.image)
            frames = registered_to(bg, [fit(h, image) for image in images])
            edge.set_background(h, bg, learned.spread)
            masks = np.stack([_mask(h, frame) for frame in frames])
    labels = label_frames(np.stack(frames), bg, masks)
    refuse_unsure(labels, name, network)
    return [
        Sample(f"{SITE}/{i}", bg, frame, label, spread=learned.spread)
        for i, (frame, label) in enumerate(zip(frames, labels, strict=True))
    ]


def _mask(h: Handle, frame: Image) -> npt.NDArray[np.float32]:
    import numpy as np

    import edge

    mask, _ = edge.infer(h, frame)
    assert mask is not None
    return np.array(mask, np.float32)


def _recipe(network: str, start: Path, work: Path, data: list[str]) -> Recipe:
    from edge.train.recipe import Recipe

    return Recipe(
        network=network,
        data=(str(work / SITE), RENDERED, *data),
        leave_out=(),
        epochs=1,
        pictures=STEPS * BATCH,
        batch=BATCH,
        imgsz=176,
        rate=5e-4,
        seed=0,
        inputs="spread",
        start=str(start),
        validate=(str(work / HELD),),
        average=0.97,
    )


def _train(recipe: Recipe, run: Path, objects: list[Cutout]) -> tuple[float, float, Path]:
    """Train; F-measure on the composites before and after, and the best weights."""
    from edge.train.adapt import share_objects
    from edge.train.checkpoint import load, network_of
    from edge.train.loop import train
    from edge.train.setup import create_fabric, read_data
    from edge.train.validation import validate

    fabric = create_fabric("cpu", recipe.precision)
    data = read_data(recipe)
    share_objects(data.sources, objects)
    start, _ = network_of(Path(recipe.start))
    before = validate(start, data.validation, fabric.device)["f_measure"]
    with reporting("adapting", recipe.steps, EVERY, True) as report:
        (best,) = train(
            recipe,
            data.sources,
            data.validation,
            run,
            fabric=fabric,
            resume=False,
            workers=0,
            every=EVERY,
            report=report,
        )
    return before, load(best)["scores"]["f_measure"], best
