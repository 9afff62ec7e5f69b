"""Kills commands at random points, with SIGKILL, and looks at what they leave behind.

    python -m tests.hostile.kills [--kills 50] [--seed 1] [COMMAND ...]

Each command runs in a process that is forked from this one, so that a kill costs no imports. Half
of the kills come at a change in the file system (a file is opened for writing, a name is made,
moved or removed): just before it, or a few calls later, as between the opening of a file and what
is written to it. The others come at a random moment. After each kill nothing that lies at its place
may be half of itself; after every few, the same command runs to its end, which must be that of a
run that was never stopped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.files import atomic_write
from tests.tiny_network import SIDE, tiny

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link")
CHAIN = 5
"""Kills of one folder before the command may run to its end."""
CALLS = 40
"""Calls and returns of Python within which a kill comes that does not come before a change."""
IMPORTED = (
    "edge.benchmarks.reporting.write", "edge.benchmarks.tune", "edge.benchmarks.zoo.__main__",
    "edge.calibrate.sensitivity", "edge.cli.app", "edge.loop.learn", "edge.train.loop",
    "edge.train.prune", "edge.train.setup", "edge.watch.watch", "lightning_fabric", "onnxsim",
    "torch_pruning", "tests.benchmarks.zoo.test_zoo",
)  # fmt: skip
"""What the commands would import, each time anew."""
RENDERED = "--samples rendered:4 --calib-samples 4 --imgsz 32 --network nano"
TRAINED = (
    "--data rendered:4 --validate rendered:2:9 --imgsz 32 --pictures 4 --batch 4 --workers 0"
    " --accelerator cpu --every 1"
)


def edge_main() -> None:
    from edge.cli.app import main

    main()


@dataclass(frozen=True)
class Command:
    """A command of `edge` that is killed.

    Attributes:
        words: what is typed in the folder.
        whole: raises where something at its place is not whole; returns what is there, by name.
        same: what of it is the same in every run; None: nothing is compared.
        needs: commands whose result it reads.
        start: called in the process, with the words in sys.argv.
    """

    words: Callable[[Path], str]
    whole: Callable[[Path], dict[str, Any]]
    same: Callable[[dict[str, Any]], Any] = lambda found: found
    needs: str = ""
    start: Callable[[], None] = edge_main


def composed(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted((folder / "set").rglob("[!.]*.zip")):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            found[str(path.relative_to(folder))] = {i.filename: i.CRC for i in archive.infolist()}
            assert len(archive.namelist()) == 8
    for path in sorted((folder / "set").rglob("[!.]*.jpg")):
        assert cv2.imread(str(path)) is not None
        found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def trained(folder: Path) -> dict[str, Any]:
    return {name: weights(folder / "run" / name) for name in ("best.pt", "last.pt")
            if (folder / "run" / name).exists()}  # fmt: skip


def weights(path: Path) -> bytes:
    from edge.train.checkpoint import network_of

    network, _ = network_of(path)
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


def train_words(folder: Path) -> str:
    resume = " --resume" if (folder / "run" / "last.pt").exists() else ""
    return f"train --network nano {TRAINED} --epochs 3 --out run{resume}"


def pruned(folder: Path) -> dict[str, Any]:
    found = {str(path.relative_to(folder)): weights(path) for path in folder.rglob("best.pt")}
    result = folder / "pruned" / "prune.json"
    return found | ({"result": json.loads(result.read_text())} if result.exists() else {})


def ranges(folder: Path) -> dict[str, Any]:
    path = folder / "ranges.json"
    return json.loads(path.read_text()) if path.exists() else {}


def sensitivity(folder: Path) -> dict[str, Any]:
    path = folder / "s.json"
    return json.loads(path.read_text()) if path.exists() else {}


def built(folder: Path) -> dict[str, Any]:
    from edge import manifest

    if not (folder / "a").exists():
        return {}
    return manifest.read(folder / "a").files


def background(folder: Path) -> dict[str, Any]:
    """The image has both of its companions, which a reader takes where they are."""
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("bg*.png"))}
    for name in found:
        assert cv2.imread(str(folder / name)) is not None, name
    assert "bg.png" not in found or len(found) == 3, sorted(found)
    return found


def report(folder: Path) -> dict[str, Any]:
    from edge.benchmarks.reporting.report import Report

    path = folder / "rep" / "report.json"
    return {"builds": len(Report.from_json(json.loads(path.read_text())).builds)}\
        if path.exists() else {}  # fmt: skip


def ledger(folder: Path) -> dict[str, Any]:
    """The page, once there is one; a half line of the ledger is passed over by its reader."""
    path = folder / "tuned" / "ledger.jsonl"
    return {"page": True} if path.exists() and (folder / "tuned" / "tune.html").exists() else {}


def printed(folder: Path) -> dict[str, Any]:
    """Every printed event waits on disk for the sink that is out of reach."""
    lines = [line for line in (folder / "stdout").read_text().splitlines(keepends=True)
             if line.endswith("\n")]  # fmt: skip
    told = {json.loads(line)["id"] for line in lines}
    file = folder / "watch" / "spool" / "events.sqlite"
    if not file.exists():
        assert not told, f"printed, but not on disk: {sorted(told)}"
        return {}
    # A copy, because reading it would take over the journal of the killed process.
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(file.parent, copy)
    with sqlite3.connect(copy / file.name) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {json.loads(body)["id"] for (body,) in db.execute("SELECT body FROM events")}
    assert told <= kept, f"printed, but not on disk: {sorted(told - kept)}"
    return {"told": len(told)}


def zoo() -> None:
    """`make zoo`, with stand-ins for what it starts: each leaves its file at once, as the commands
    do that are killed above."""
    from edge import bundled
    from edge.benchmarks.accuracy import __main__ as accuracy
    from edge.benchmarks.zoo import __main__ as program
    from edge.benchmarks.zoo import training
    from tests.benchmarks.zoo.test_zoo import RESULTS

    here, start = Path.cwd(), subprocess.run
    bundled.FOLDER = training.FOLDER = program.FOLDER = here / "networks"
    exported = tiny()
    data = f"composites:{here}/data=3"
    exported.metadata_props.add(
        key="training", value=json.dumps({"imgsz": [SIDE, SIDE], "data": [data]})
    )

    def leave(path: Path, data: bytes) -> None:
        with atomic_write(path) as draft:
            draft.write_bytes(data)

    def stand_in(words: list[str], **options: Any) -> Any:
        def after(option: str) -> str:
            return words[words.index(option) + 1]

        if "edge.train.imagenet" in words or "edge.train.mean" in words:
            for path in words[3:-1]:
                assert Path(path).is_file(), path
            leave(Path(words[-1]), b"weights")
        elif "train" in words:
            names = after("--network").split(",")
            for name in names:
                part = name if len(names) > 1 else ""
                leave(Path(after("--out")) / part / "best.pt", b"weights")
        elif "prune" in words:
            leave(Path(after("--out")) / "step-1" / "best.pt", b"weights")
        elif "export" in words:
            assert Path(words[4]).is_file(), words[4]
            leave(Path(words[4]).with_suffix(".onnx"), exported.SerializeToString())
        elif "-c" in words:
            return subprocess.CompletedProcess(words, 0, stdout="\n")
        else:
            return start(words, **options)

    def measure(data: Path, teacher: Path | None, runs: Path | None, out: Path) -> None:
        leave(out / accuracy.RESULTS, json.dumps(RESULTS).encode())

    subprocess.run = stand_in  # type: ignore[assignment]
    accuracy.run = measure
    sys.exit(program.main(sys.argv[1:]))


def zoo_results(folder: Path) -> dict[str, Any]:
    """Networks without names of folders, cards, and what the journal calls finished."""
    import onnx

    found: dict[str, Any] = {}
    for path in [*folder.glob("networks/*.onnx"), *folder.glob("runs/*/[!.]*.onnx")]:
        model = onnx.load(path)
        assert str(folder) not in str(model.metadata_props), f"{path} names a folder"
        found[str(path.relative_to(folder))] = len(model.graph.node)
    for path in folder.glob("networks/*.md"):
        assert path.read_text().rstrip().endswith("base/" + path.stem + ".onnx`."), path
        found[path.name] = True
    journal = folder / "runs" / "journal.json"
    for name, step in (json.loads(journal.read_text()) if journal.exists() else {}).items():
        assert not step["finished"] or list((folder / "runs" / name).rglob("best.pt")), name
        found[name] = step["finished"]
    return found


COMMANDS = {
    "compose": Command(
        lambda folder: "dataset compose bg fg --out set --size 64 --places 2", composed
    ),
    "train": Command(train_words, trained),
    "prune": Command(
        lambda folder: f"prune run/best.pt --target-macs 0.8 {TRAINED} --steps 1 --out pruned",
        pruned, lambda found: {k: v for k, v in found.items() if "best.pt" in k}, needs="train",
    ),
    "calibrate": Command(lambda folder: f"calibrate {RENDERED} --out ranges.json", ranges),
    "sensitivity": Command(
        lambda folder: "sensitivity tiny.onnx --samples rendered:2 --calib-samples 2 --count 2"
        " --target onnxruntime --out s.json",
        sensitivity, lambda found: {name: sorted(value) for name, value in found.items()},
    ),
    "build": Command(
        lambda folder: f"build {RENDERED} --precision int8 --target onnxruntime --out a", built
    ),
    "background": Command(
        lambda folder: "background synthetic://room --seconds 1 --build a --out bg.png",
        background, needs="build",
    ),
    "watch": Command(
        lambda folder: "watch synthetic://yard --build a --bg yard.png --frames 60"
        " --sink stdout:// --sink http://127.0.0.1:9/",
        printed, lambda found: found.get("told", 0) > 0, needs="build",
    ),
    "bench": Command(
        lambda folder: "bench a --samples rendered:2 --iterations 11 --duration 0.01 --warmup 1"
        " --out rep",
        report, needs="build",
    ),
    "tune": Command(
        lambda folder: "tune --networks nano --imgsz 64 --samples rendered:8 --target-fps 1"
        " --max-drop 1 --precision int8 --target onnxruntime --out tuned",
        ledger,
    ),
    "zoo": Command(
        lambda folder: f"{folder}/data --teacher teacher.onnx --runs runs", zoo_results, start=zoo
    ),
}  # fmt: skip


def inputs(folder: Path) -> None:
    """What the commands read: photographs, cut-outs, the background of a yard, tiny networks."""
    import onnx

    from edge.benchmarks.zoo.training import FREE, NETWORKS
    from edge.calibrate.rendering.scene import RenderedScene

    rng = np.random.default_rng(0)
    for part in ("bg", "fg"):
        (folder / part).mkdir(parents=True)
    for name in ("hall", "yard"):
        image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (96, 80))
        cv2.imwrite(str(folder / "bg" / f"{name}.jpg"), image)
    for name in ("person1", "box2"):
        cutout = np.zeros((60, 30, 4), np.uint8)
        cv2.ellipse(cutout, (15, 30), (12, 28), 0, 0, 360, (40, 90, 200, 255), -1)
        cv2.imwrite(str(folder / "fg" / f"{name}.png"), cutout)
    for name in (*FREE, "rgbd/camera/rgb/0000.jpg", "rgbd/camera/depth/0000.png"):
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).touch()
    network = tiny()
    onnx.save(network, folder / "tiny.onnx")
    network.metadata_props.add(key="training", value=json.dumps({"imgsz": [SIDE, SIDE]}))
    (folder / "networks").mkdir()
    for name in NETWORKS:
        onnx.save(network, folder / "networks" / f"{name}.onnx")
    cv2.imwrite(str(folder / "yard.png"), RenderedScene("yard", 0, (240, 320)).background().image)


@dataclass
class Run:
    """A forked run of a command.

    Attributes:
        kill_at: The change of the file system at which it is killed, from 1; 0: nowhere.
        calls: Calls and returns that Python may still make after the begin of that change.
        changes: Changes that it has made.
    """

    folder: Path
    command: Command
    kill_at: int = 0
    calls: int = 0
    child: int = field(init=False)

    def __post_init__(self) -> None:
        sys.stdout.flush()
        self.child = os.fork()
        if self.child == 0:
            self._child()

    def _child(self) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(self.folder)
            for number, name in ((1, "stdout"), (2, "stderr")):
                mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                os.dup2(os.open(name, mode, 0o644), number)
            sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
            count, calls, me = 0, self.calls, os.getpid()
            log = os.open("changes", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

            def call(*_: object) -> None:
                nonlocal calls
                calls -= 1
                if calls <= 0:
                    os.kill(me, signal.SIGKILL)

            def change(event: str, args: tuple[Any, ...]) -> None:
                nonlocal count
                writes = event == "open" and isinstance(args[2], int) and args[2] & 3
                if (writes or event in CHANGES) and os.getpid() == me:
                    count += 1
                    os.pwrite(log, str(count).encode(), 0)
                    if count == self.kill_at:
                        sys.setprofile(call) if calls else call()

            sys.argv = ["edge", *self.command.words(self.folder).split()]
            sys.addaudithook(change)
            self.command.start()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def wait(self) -> int:
        """The exit status; what the process started has ended, too, or is ended here."""
        _, status = os.waitpid(self.child, 0)
        until = time.monotonic() + 300
        while _group_lives(self.child):
            assert time.monotonic() < until, "processes outlive a kill by five minutes"
            time.sleep(0.02)
        return status

    @property
    def changes(self) -> int:
        return int((self.folder / "changes").read_text() or 0)


def _measuring_forks() -> None:
    """Let processes that measure be forked from one that has imported what they need; a killed
    command's processes end, as those that it starts itself do, when their pipe is closed."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["edge.benchmarks.measuring.build_worker", "onnxruntime"])
    forkserver.ensure_running()
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    multiprocessing.get_context = lambda method=None: server  # type: ignore


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass
class Result:
    """What was tried. kills: runs that SIGKILL ended; late: runs that had ended before it came."""

    kills: int = 0
    late: int = 0
    finished: int = 0


def try_command(name: str, kills: int, rng: random.Random, root: Path) -> Result:
    """Kill a command `kills` times, in folders of CHAIN kills each; AssertionError where it leaves
    what is not whole, or does not come to its end."""
    command, result = COMMANDS[name], Result()
    good, folder = root / f"{name}-good", root / name
    base = root / "inputs"
    if command.needs:
        base = root / f"{command.needs}-good"
        if not base.exists():
            finish(COMMANDS[command.needs], base, root / "inputs")
    began = time.monotonic()
    changes = finish(command, good, base)
    took, expected = time.monotonic() - began, command.same(command.whole(good))
    assert expected, f"{name} left nothing"
    in_chain = 0
    while result.kills < kills:
        if in_chain == 0:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(base, folder)
            _forget(folder)
        by_change, at = rng.random() < 0.5, rng.randint(1, changes)
        calls = rng.choice((0, rng.randint(1, CALLS)))
        run = Run(folder, command, at if by_change else 0, calls)
        if not by_change:
            time.sleep(rng.uniform(0, took))
            os.kill(run.child, signal.SIGKILL)
        status = run.wait()
        command.whole(folder)
        if os.WIFSIGNALED(status):
            result.kills += 1
            in_chain += 1
        else:
            result.late += 1
            assert os.WEXITSTATUS(status) == 0, (folder / "stderr").read_text()[-2000:]
        if in_chain == CHAIN or result.kills == kills:
            in_chain = 0
            status = Run(folder, command).wait()
            assert status == 0, (folder / "stderr").read_text()[-2000:]
            assert command.same(command.whole(folder)) == expected, f"{name} ends otherwise"
            left = [path.name for path in folder.rglob(".*.part")]
            assert not left, left
            result.finished += 1
            print(f"{name}: {result.kills} of {kills} kills", file=sys.stderr, flush=True)
    return result


def finish(command: Command, folder: Path, base: Path) -> int:
    """Run a command that nobody kills; return the changes that it made."""
    shutil.copytree(base, folder)
    _forget(folder)
    run = Run(folder, command)
    assert run.wait() == 0, (folder / "stderr").read_text()[-2000:]
    return run.changes


def _forget(folder: Path) -> None:
    for name in ("stdout", "stderr", "changes"):
        (folder / name).unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill commands of edge at random points.")
    parser.add_argument("commands", nargs="*", metavar="COMMAND", default=list(COMMANDS))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    os.environ["NO_COLOR"] = "1"
    for name in IMPORTED:
        importlib.import_module(name)
    _measuring_forks()
    failed = False
    for name in given.commands:
        rng = random.Random(f"{given.seed} {name}")
        with tempfile.TemporaryDirectory(prefix="kills-") as place:
            root = Path(place)
            inputs(root / "inputs")
            try:
                result = try_command(name, given.kills, rng, root)
                late, ends = f"{result.late} came late", f"{result.finished} times run to the end"
                print(f"{name}: {result.kills} kills, {late}, {ends}", flush=True)
            except AssertionError as error:
                failed = True
                print(f"{name}: FAILED: {error}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
