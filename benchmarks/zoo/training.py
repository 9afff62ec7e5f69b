"""The stages of the zoo: their data and their commands.

The depth of the scene comes first, as a network of its own that all others take over: `base` on
rendered scenes and permissively licensed images alone, from fresh weights; `all` with the other
photographs and measured depth as well, from an encoder that was trained on ImageNet.
Then the three networks learn together, from the same images and from each other:

- `base` from rendered scenes and composites of permissively licensed images alone: for users who
  may use nothing else.
- `final` from everything; it is bundled.
- `fold1` and so on as `final`, but without some of the sequences, which then test it.

The folds of the largest are also pruned, as near to half of their MACs as whole blocks of channels
allow, and trained on: the accuracy that pruning loses on unseen sequences. The bundled networks are
not pruned; `nano` and `tiny` are small by design.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edge.benchmarks.accuracy.networks import BASE, PRUNED
from edge.benchmarks.zoo.encoder import start_from_encoder
from edge.benchmarks.zoo.journal import Journal, export
from edge.benchmarks.zoo.places import TRAINING, VALIDATION, link_places
from edge.bundled import FOLDER
from edge.errors import EdgeError
from edge.progress import note

LARGEST = "small"
"""Its folds are pruned."""
NETWORKS = (LARGEST, "tiny", "nano")
FOLDS = (
    ("cdnet_highway", "sbi_IBMtest2", "sbi_Candela_m1.10"),
    ("sbi_CAVIAR2", "sbi_CaVignal", "sbi_Board"),
    ("sbi_HighwayII", "sbi_PeopleAndFoliage"),
)
"""The sequences that each fold is trained without."""
FREE = (
    "backgrounds/garima",
    "backgrounds/davidg",
    *(
        f"backgrounds/wallpapers/{number}_backgrounds.jpg"
        for number in ("048", "051", "053", "056")
    ),
    "foregrounds/garima",
    "foregrounds/davidg",
)
"""Images under Apache-2.0 (garima), MIT (davidg) and CC BY 4.0 (wallpapers of Aitzol Berasategi),
according to their collections; the first two do not say where their images are from."""


@dataclass(frozen=True)
class Stage:
    """One training of the three networks together. images: how many they see."""

    name: str
    images: int
    left_out: tuple[str, ...] = ()


BASE_STAGE, FINAL = Stage(BASE, 68_000), Stage("final", 176_000)
FOLD_STAGES = tuple(
    replace(FINAL, name=f"fold{number}", left_out=fold) for number, fold in enumerate(FOLDS, 1)
)
STAGES = (BASE_STAGE, FINAL, *FOLD_STAGES)
EPOCH = 4000
"""Images of an epoch."""
SCENE, SCENES = "scene", {BASE: 168_000, "all": 120_000}
"""The network of the scene's depth, and the images of each of its runs."""
PLACES = "places"
"""Folder of the links to measured depth, by use."""
SHARE, PRUNED_IMAGES = 0.5, 20_000
"""Share of the largest network's MACs that pruning aims at, and images of training after it."""


def scene_command(name: str, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge train` command of the scene's depth. It sees no sequence, so every fold may take
    it over."""
    words = ["edge", "train", "--network", SCENE, "--whole", "--imgsz", "160"]
    words += ["--depth-loss", "ssi+ratio+gradient", "--data", "rendered:480=1"]
    if name == BASE:
        words += ["--data", f"composites:{runs / 'free'}=2"]
    else:
        places = runs / PLACES
        words += ["--data", f"composites:{data}=1.5", "--data", f"{places / TRAINING}=4"]
        words += ["--validate", str(places / VALIDATION), "--start", str(encoder_of(runs))]
    return [*words, *_options(teacher, SCENES[name], runs / SCENE / name, "7e-4", "16")]


def encoder_of(runs: Path) -> Path:
    """The checkpoint that the scene's depth of `all` starts from."""
    return runs / SCENE / "encoder.pt"


def command(stage: Stage, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge train` command of a stage."""
    words = ["edge", "train", "--network", ",".join(NETWORKS)]
    if stage is BASE_STAGE:
        words += ["--data", f"composites:{runs / 'free'}=4", "--data", "rendered:480=1"]
    else:
        words += all_sources(data)
    words += ["--leave-out", ",".join(stage.left_out)] if stage.left_out else []
    words += ["--scene", str(runs / SCENE / (BASE if stage is BASE_STAGE else "all") / "best.pt")]
    return [*words, *_options(teacher, stage.images, runs / stage.name)]


def _options(
    teacher: Path, images: int, out: Path, rate: str = "3e-3", batch: str = "64"
) -> list[str]:
    """The options of every training."""
    words = ["--depth-teacher", str(teacher), "--precision", "bf16-mixed", "--rate", rate]
    words += ["--epochs", str(images // EPOCH), "--pictures", str(EPOCH), "--batch", batch]
    return [*words, "--every", "1000", "--out", str(out), "--resume"]


def all_sources(data: Path) -> list[str]:
    """The sources of all stages but the first, as options."""
    words = ["--data", f"composites:{data}=3", "--data", f"{data / 'sequences'}=2"]
    return [*words, "--data", "rendered:480=1"]


def prune_command(fold: Stage, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge prune` command of a fold of the largest network."""
    words = ["edge", "prune", str(runs / fold.name / LARGEST / "best.pt")]
    words += ["--target-macs", str(SHARE), "--steps", "1", "--pictures", str(PRUNED_IMAGES)]
    words += [*all_sources(data), "--leave-out", ",".join(fold.left_out)]
    words += ["--depth-teacher", str(teacher), "--precision", "bf16-mixed", "--every", "1000"]
    return [*words, "--out", str(runs / f"{fold.name}-{PRUNED}")]


def link_free(data: Path, folder: Path) -> None:
    """Link the FREE images into a folder that composites are made from."""
    for name in FREE:
        if not (data / name).exists():
            raise EdgeError(f"{data / name} is missing; the base network is trained on it")
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to((data / name).resolve())


def file_of(network: str, stage: Stage, runs: Path) -> Path:
    """Where a stage's network goes: the final one into the package, the others beside their runs,
    where `make accuracy` finds them."""
    return (FOLDER if stage is FINAL else runs / stage.name) / f"{network}.onnx"


def train_all(data: Path, teacher: Path, runs: Path, journal: Journal) -> None:
    """Train and export the bundled networks and those that test them; a killed run goes on."""
    link_free(data, runs / "free")
    link_places(data / "rgbd", runs / PLACES)
    if not encoder_of(runs).is_file():
        start_from_encoder(encoder_of(runs))
    for name, images in SCENES.items():
        note(f"{SCENE}: {name}")
        journal.run(f"{SCENE}/{name}", scene_command(name, data, teacher, runs), images)
    for stage in STAGES:
        note(stage.name)
        journal.run(stage.name, command(stage, data, teacher, runs), stage.images)
        for network in NETWORKS:
            checkpoint = runs / stage.name / network / "best.pt"
            export(checkpoint, file_of(network, stage, runs), journal.places)
    for fold in FOLD_STAGES:
        name = f"{fold.name}-{PRUNED}"
        note(f"{LARGEST}: {name}")
        journal.run(name, prune_command(fold, data, teacher, runs), PRUNED_IMAGES)
        export(runs / name / "step-1" / "best.pt", runs / name / f"{LARGEST}.onnx", journal.places)
