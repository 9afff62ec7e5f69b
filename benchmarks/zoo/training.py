"""The stages of the zoo: their data and their commands.

The depth of the scene comes first, as a network of its own that all others take over: `base` on
rendered scenes and permissively licensed images alone, from fresh weights; `all` with the other
photographs and measured depth as well, from an encoder that was trained on ImageNet.
Then the three networks learn together, from the same images and from each other:

- `base` from rendered scenes and composites of permissively licensed images alone: for users who
  may use nothing else.
- `fold1` and so on go on from `base` with everything but some of the cameras, which then test them.
- `final` goes on from the bundled networks with everything; the mean of their weights and its own
  takes their place.

The folds of the largest are also pruned, as near to half of their MACs as whole blocks of channels
allow, and trained on: the accuracy that pruning loses on unseen sequences. The bundled networks are
not pruned; `nano` and `tiny` are small by design.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edge.benchmarks.accuracy.networks import BASE, PRUNED
from edge.benchmarks.zoo.journal import Journal, export
from edge.benchmarks.zoo.places import TRAINING, VALIDATION, link_places
from edge.bundled import FOLDER
from edge.errors import EdgeError
from edge.files import atomic_write
from edge.progress import note

LARGEST = "small"
"""Its folds are pruned."""
NETWORKS = (LARGEST, "tiny", "nano")
FOLDS = (
    (
        "cdnet_fall", "cdnet_traffic", "ucsd_ocean", "sbi_Snellen", "cdnet_busStation",
        "ucsd_freeway", "cdnet_highway", "sbi_Board",
    ),
    (
        "cdnet_sidewalk", "ucsd_zodiac", "ostd_parking", "cdnet_office", "ucsd_traffic",
        "sbi_CAVIAR2", "sbi_CaVignal", "sbi_PeopleAndFoliage",
    ),
    (
        "cdnet_turbulence0", "cdnet_pedestrians", "ucsd_peds", "sbi_Foliage", "sbi_HighwayII",
        "sbi_IBMtest2", "sbi_Candela_m1.10",
    ),
)  # fmt: skip
"""The cameras that each fold is trained without: of every kind of scene some are left to learn
from, where there are two."""
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
    rate: str = "3e-3"
    left_out: tuple[str, ...] = ()


BASE_STAGE, FINAL = Stage(BASE, 48_000), Stage("final", 96_000, "1.5e-3")
FOLD_STAGES = tuple(
    Stage(f"fold{number}", 32_000, "2e-3", fold) for number, fold in enumerate(FOLDS, 1)
)
STAGES = (BASE_STAGE, *FOLD_STAGES, FINAL)
EPOCH = 4000
"""Images of an epoch."""
SCENE, SCENES = "scene", {BASE: 168_000, "all": 120_000}
"""The network of the scene's depth, and the images of each of its runs."""
FORMER = "former"
"""Folder of the networks that were bundled when the runs began."""
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
    return [*words, *_options(teacher, SCENES[name], "7e-4", runs / SCENE / name)]


def encoder_of(runs: Path) -> Path:
    """The checkpoint that the scene's depth of `all` starts from."""
    return runs / SCENE / "encoder.pt"


def command(stage: Stage, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge train` command of a stage."""
    words = ["edge", "train", "--network", ",".join(NETWORKS), "--inputs", "spread"]
    if stage is BASE_STAGE:
        words += ["--data", f"composites:{runs / 'free'}=4", "--data", "rendered:480=1"]
    else:
        words += [*all_sources(data), "--start", str(runs / (FORMER if stage is FINAL else BASE))]
    words += ["--leave-out", ",".join(stage.left_out)] if stage.left_out else []
    words += ["--scene", str(runs / SCENE / (BASE if stage is BASE_STAGE else "all") / "best.pt")]
    words += ["--depth-loss", "ssi"]
    return [*words, *_options(teacher, stage.images, stage.rate, runs / stage.name)]


def _options(teacher: Path, images: int, rate: str, out: Path) -> list[str]:
    """The options of every training."""
    words = ["--depth-teacher", str(teacher), "--precision", "bf16-mixed", "--rate", rate]
    words += ["--epochs", str(images // EPOCH), "--pictures", str(EPOCH), "--batch", "16"]
    return [*words, "--every", "1000", "--out", str(out), "--resume"]


def all_sources(data: Path) -> list[str]:
    """The sources of all stages but the first, as options."""
    words = ["--data", f"composites:{data}=3", "--data", f"{data / 'sequences'}=3"]
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


def keep_former(runs: Path) -> None:
    """Copy the bundled networks once: those that replace them are made of these as well."""
    folder = runs / FORMER
    folder.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        if not (folder / f"{name}.onnx").is_file():
            with atomic_write(folder / f"{name}.onnx") as draft:
                draft.write_bytes((FOLDER / f"{name}.onnx").read_bytes())


def file_of(network: str, stage: Stage, runs: Path) -> Path:
    """Where a stage's network goes: beside its run, where `make accuracy` finds the folds."""
    return runs / stage.name / f"{network}.onnx"


def bundle(network: str, runs: Path, journal: Journal) -> None:
    """Put the mean of a bundled network and what became of it into the package."""
    mean = runs / FINAL.name / network / "mean.pt"
    files = runs / FORMER / f"{network}.onnx", file_of(network, FINAL, runs), mean
    subprocess.run([sys.executable, "-m", "edge.train.mean", *map(str, files)], check=True)
    export(mean, FOLDER / f"{network}.onnx", journal.places)


def train_all(data: Path, teacher: Path, runs: Path, journal: Journal) -> None:
    """Train and export the bundled networks and those that test them; a killed run goes on."""
    link_free(data, runs / "free")
    link_places(data / "rgbd", runs / PLACES)
    keep_former(runs)
    if not encoder_of(runs).is_file():
        words = [sys.executable, "-m", "edge.train.imagenet", str(encoder_of(runs))]
        subprocess.run(words, check=True)
    for name, images in SCENES.items():
        note(f"{SCENE}: {name}")
        journal.run(f"{SCENE}/{name}", scene_command(name, data, teacher, runs), images)
    for stage in STAGES:
        note(stage.name)
        journal.run(stage.name, command(stage, data, teacher, runs), stage.images)
        for network in NETWORKS:
            checkpoint = runs / stage.name / network / "best.pt"
            export(checkpoint, file_of(network, stage, runs), journal.places)
    for network in NETWORKS:
        bundle(network, runs, journal)
    for fold in FOLD_STAGES:
        name = f"{fold.name}-{PRUNED}"
        note(f"{LARGEST}: {name}")
        journal.run(name, prune_command(fold, data, teacher, runs), PRUNED_IMAGES)
        export(runs / name / "step-1" / "best.pt", runs / name / f"{LARGEST}.onnx", journal.places)
