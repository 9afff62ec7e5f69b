"""`make zoo`: from data to the bundled networks: train, prune, export, measure, write the cards.

    python -m edge.benchmarks.zoo.zoo DATA --teacher TEACHER.onnx

DATA is a folder with `backgrounds/`, `foregrounds/` (RGBA cut-outs) and `sequences/` (labelled).
The depth of the scene comes first, as a network of its own that all others take over: `base` on
rendered scenes and permissively licensed pictures alone, `all` with the other photographs as well.
Then the three networks learn together, from the same pictures and from each other:

- `base` from rendered scenes and composites of permissively licensed pictures alone: for those who
  must not touch anything else.
- `final` from everything; it is what is bundled.
- `fold1` and so on as `final`, but without some of the sequences, to be judged by them.

The folds of the largest are also pruned, as near to half of their multiplications as whole blocks
of channels go, and trained on: what that costs on sequences that were never seen. What is bundled
is not pruned; `nano` and `tiny` were shaped to be small.

Every step can be killed and goes on where it was; `journal.json` says how long each took, on what.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from argparse import ArgumentParser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from edge.benchmarks.accuracy import accuracy
from edge.benchmarks.accuracy.families import BASE, PRUNED
from edge.benchmarks.measuring.machine import machine
from edge.benchmarks.zoo.card import card, place_of
from edge.bundled import FOLDER
from edge.errors import EdgeError
from edge.files import atomic_write
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
"""Pictures under Apache-2.0 (garima), MIT (davidg) and CC BY 4.0 (wallpapers of Aitzol Berasategi),
as their collections say; where the pictures of the first two are from is not stated."""
JOURNAL = "journal.json"


@dataclass(frozen=True)
class Stage:
    """One training of the three networks together. pictures: how many they see."""

    name: str
    pictures: int
    left_out: tuple[str, ...] = ()


BASE_STAGE, FINAL = Stage(BASE, 68_000), Stage("final", 176_000)
FOLD_STAGES = tuple(
    replace(FINAL, name=f"fold{number}", left_out=fold) for number, fold in enumerate(FOLDS, 1)
)
STAGES = (BASE_STAGE, FINAL, *FOLD_STAGES)
EPOCH = 4000
SCENE, SCENES = "scene", {BASE: 168_000, "all": 412_000}
"""The network of the scene's depth, and the pictures of each of its runs."""
SHARE, PRUNED_PICTURES = 0.5, 20_000
"""Of the multiplications of the largest network, what is asked for, and the training after that."""


def scene_command(name: str, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge train` command of the scene's depth. It sees no sequence, so every fold may have
    it."""
    photographs = runs / "free" if name == BASE else data
    words = ["edge", "train", "--network", SCENE]
    words += ["--data", f"composites:{photographs}=2", "--data", "rendered:480=1"]
    return [*words, *_run(teacher, SCENES[name], runs / SCENE / name)]


def command(stage: Stage, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge train` command of a stage."""
    words = ["edge", "train", "--network", ",".join(NETWORKS)]
    if stage is BASE_STAGE:
        words += ["--data", f"composites:{runs / 'free'}=4", "--data", "rendered:480=1"]
    else:
        words += everything(data)
    words += ["--leave-out", ",".join(stage.left_out)] if stage.left_out else []
    words += ["--scene", str(runs / SCENE / (BASE if stage is BASE_STAGE else "all") / "best.pt")]
    return [*words, *_run(teacher, stage.pictures, runs / stage.name)]


def _run(teacher: Path, pictures: int, out: Path) -> list[str]:
    """The options that every training has."""
    words = ["--depth-teacher", str(teacher), "--precision", "bf16-mixed", "--rate", "3e-3"]
    words += ["--epochs", str(pictures // EPOCH), "--pictures", str(EPOCH), "--batch", "64"]
    return [*words, "--every", "1000", "--out", str(out), "--resume"]


def everything(data: Path) -> list[str]:
    """The sources of all stages but the first, as options."""
    words = ["--data", f"composites:{data}=3", "--data", f"{data / 'sequences'}=2"]
    return [*words, "--data", "rendered:480=1"]


def pruning(fold: Stage, data: Path, teacher: Path, runs: Path) -> list[str]:
    """The `edge prune` command of a fold of the largest network."""
    words = ["edge", "prune", str(runs / fold.name / LARGEST / "best.pt")]
    words += ["--target-macs", str(SHARE), "--steps", "1", "--pictures", str(PRUNED_PICTURES)]
    words += [*everything(data), "--leave-out", ",".join(fold.left_out)]
    words += ["--depth-teacher", str(teacher), "--precision", "bf16-mixed", "--every", "1000"]
    return [*words, "--out", str(runs / f"{fold.name}-{PRUNED}")]


def free(data: Path, folder: Path) -> None:
    """Links to the FREE pictures, as a folder that composites are made from."""
    for name in FREE:
        if not (data / name).exists():
            raise EdgeError(f"{data / name} is missing; the base network is trained on it")
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to((data / name).resolve())


class Journal:
    """What was done, in a file that outlives a kill.

    places: folders of this machine and what stands for them in what is published.
    """

    def __init__(self, path: Path, places: dict[str, str]) -> None:
        self.path, self.places = path, places
        self.steps: dict[str, dict[str, Any]] = (
            json.loads(path.read_text()) if path.is_file() else {}
        )

    def save(self) -> None:
        with atomic_write(self.path) as draft:
            draft.write_text(json.dumps(self.steps, indent=2) + "\n")


def gpu() -> str | None:
    """The GPU that `edge train` takes, if its torch can use one."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    words = [sys.executable, "-c", code]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip() or None


def step(name: str, words: list[str], pictures: int, journal: Journal) -> None:
    """Run a command of ours to the end; the seconds of runs that were killed count as well."""
    shown = shlex.join(words)
    for place, word in journal.places.items():
        shown = shown.replace(place, word)
    done = journal.steps.setdefault(name, {"seconds": 0.0, "finished": False})
    if done.get("command", shown) != shown:
        raise EdgeError(
            f"{journal.path} has {name} by another command; delete that entry and the step's"
            f" folder, or give another --runs\n  then: {done['command']}\n  now: {shown}"
        )
    if done["finished"]:
        return
    done |= {"command": shown, "processor": machine()["processor"]}
    done |= {"cores": machine()["cores"], "gpu": gpu(), "pictures": pictures}
    started = time.monotonic()
    try:
        subprocess.run([sys.executable, "-m", *words], check=True)
        done["finished"] = True
    finally:
        done["seconds"] += time.monotonic() - started
        journal.save()


def export(checkpoint: Path, file: Path, places: dict[str, str]) -> None:
    """Export the best weights, without the names of this machine's folders."""
    words = ["edge", "export", str(checkpoint), "--out", str(file)]
    subprocess.run([sys.executable, "-m", *words], check=True)
    model = onnx.load(file)
    for entry in model.metadata_props:
        if entry.key == "training":
            for place, word in places.items():
                entry.value = entry.value.replace(place, word)
    with atomic_write(file) as draft:
        onnx.save(model, draft)


def file_of(network: str, stage: Stage, runs: Path) -> Path:
    """Where a stage's network goes: the final one into the package, the others beside their runs,
    where `make accuracy` finds them."""
    return (FOLDER if stage is FINAL else runs / stage.name) / f"{network}.onnx"


def main(words: list[str]) -> int:
    parser = ArgumentParser("make zoo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the training data")
    parser.add_argument("--teacher", type=Path, required=True, help="ONNX network for depth")
    parser.add_argument("--runs", type=Path, default=Path("runs/zoo"))
    given = parser.parse_args(words)
    places = {str(given.teacher): "TEACHER.onnx", str(given.runs): "RUNS", str(given.data): "DATA"}
    journal = Journal(given.runs / JOURNAL, places)
    try:
        trained(given.data, given.teacher, given.runs, journal)
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print("error: the command above failed; the same `make zoo` goes on", file=sys.stderr)
        return error.returncode
    out = given.runs / "accuracy"
    options = ["--teacher", str(given.teacher), "--runs", str(given.runs), "--out", str(out)]
    if code := accuracy.main([str(given.data), *options]):
        return code
    results = json.loads((out / accuracy.RESULTS).read_text())
    for network in NETWORKS:
        (FOLDER / f"{network}.md").write_text(card(network, journal.steps, results))
    for name, done in journal.steps.items():
        note(f"{name}: {done['seconds'] / 60:.0f} min on {place_of(done)}")
    return 0


def trained(data: Path, teacher: Path, runs: Path, journal: Journal) -> None:
    """Everything up to the files that are bundled and those that judge them."""
    free(data, runs / "free")
    for name, pictures in SCENES.items():
        note(f"{SCENE}: {name}")
        asked = scene_command(name, data, teacher, runs)
        step(f"{SCENE}/{name}", asked, pictures, journal)
    for stage in STAGES:
        note(stage.name)
        step(stage.name, command(stage, data, teacher, runs), stage.pictures, journal)
        for network in NETWORKS:
            checkpoint = runs / stage.name / network / "best.pt"
            export(checkpoint, file_of(network, stage, runs), journal.places)
    for fold in FOLD_STAGES:
        name = f"{fold.name}-{PRUNED}"
        note(f"{LARGEST}: {name}")
        step(name, pruning(fold, data, teacher, runs), PRUNED_PICTURES, journal)
        export(runs / name / "step-1" / "best.pt", runs / name / f"{LARGEST}.onnx", journal.places)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
