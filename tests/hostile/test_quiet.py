"""No command opens a network socket or writes outside the folders that it was given.

Each command runs with an empty HOME and a guard in every Python process: an audit hook that writes
down sockets and files. Where strace is installed it sees what libraries do beside Python, and
everywhere HOME and the temporary folder must stay empty.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = """
import os, sys

allowed = tuple(os.environ["GUARD_FOLDERS"].split(os.pathsep))
log = os.open(os.environ["GUARD_LOG"], os.O_WRONLY | os.O_APPEND)

def outside(path):
    if not isinstance(path, (str, bytes)):
        return False
    return not os.path.abspath(os.fsdecode(path)).startswith(allowed)

def guard(event, args):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        if args[0].family.name != "AF_UNIX":
            os.write(log, f"{event} {args[1:]}\\n".encode())
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        os.write(log, f"{event} {args}\\n".encode())
    elif event == "open" and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and outside(args[0]):
            os.write(log, f"open {args}\\n".encode())
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink"):
        if any(outside(arg) for arg in args[:2]):
            os.write(log, f"{event} {args}\\n".encode())

sys.addaudithook(guard)
"""

SMALL = "--network nano --imgsz 64 --samples rendered:4 --calib-samples 4"
COMMANDS = {
    "help": "--help",
    "doctor": "doctor",
    "build": f"build {SMALL} --target onnxruntime --out a",
    "build for OpenVINO": f"build {SMALL} --target openvino --out b",
    "build in float16": "build --network nano --imgsz 64 --precision fp16 --target onnxruntime",
    "calibrate": f"calibrate {SMALL}",
    "inspect": "inspect BUILD",
    "bench": "bench BUILD --samples rendered:2 --iterations 11 --duration 0 --warmup 0",
    "run": "run synthetic://room --build BUILD --seconds 1 --frames 3 --out o.mp4",
    "background": "background synthetic://room --seconds 1",
    "sensitivity": f"sensitivity {SMALL} --count 4 --target onnxruntime",
    "compare": "compare --layers BUILD --samples rendered:2",
    "dataset": "dataset show rendered:2 --out sheet.png",
    "tune": "tune --networks nano --imgsz 64 --samples rendered:8 --target-fps 1 --max-drop 1"
    " --precision int8 --target onnxruntime",
}
WITH_TORCH = {
    "train and export": [
        "train --network nano --data rendered:4 --validate rendered:2:9 --imgsz 64 --pictures 4"
        " --batch 4 --epochs 1 --workers 0 --out r",
        "export r/best.pt --imgsz 64 --out e.onnx",
    ],
    "networks": ["networks"],
}


class Guarded:
    """A machine's folders, and commands that run in them under guard."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.temporary, self.work, self.guard = (
            root / name for name in ("home", "tmp", "work", "guard")
        )
        for folder in (self.home, self.temporary, self.work, self.guard):
            folder.mkdir()
        self.log = root / "log"
        self.log.touch()
        (self.guard / "sitecustomize.py").write_text(GUARD)

    def run(self, *words: str) -> None:
        trace = self.root / "trace"
        strace = ["strace", "-f", "-qq", "-e", "trace=%network,%file", "-o", str(trace)]
        command = [sys.executable, "-m", "edge", *words]
        # A test beside this one, or torch in it, may have set them.
        unset = {"ORT_DISABLE_TELEMETRY", "NO_COLOR", "TORCHINDUCTOR_CACHE_DIR"}
        env = {key: value for key, value in os.environ.items() if key not in unset}
        env |= {f"XDG_{kind}_HOME": str(self.home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        env |= {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(self.guard),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GUARD_LOG": str(self.log),
            "GUARD_FOLDERS": os.pathsep.join(map(str, (self.work, self.temporary, "/dev/"))),
        }
        done = subprocess.run(
            [*strace, *command] if _strace_works() else command,
            cwd=self.work, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert self.log.read_text() == ""
        assert list(self.home.rglob("*")) == []
        # torch makes an empty folder for a compiler that is not used.
        left = [path for path in self.temporary.rglob("*") if "torchinductor" not in path.name]
        assert left == []
        if trace.exists():
            assert list(self.strange(trace.read_text(errors="replace"))) == []

    def strange(self, trace: str) -> list[str]:
        """Calls of a trace that reach the network, or change files outside the folders."""
        allowed = (str(self.work), str(self.temporary), str(self.log), "/dev/")
        calls = []
        for line in trace.splitlines():
            writes = re.search(r"O_WRONLY|O_RDWR|O_CREAT", line) or re.match(
                r"\d+ +(mkdir|rename|unlink|rmdir|link|symlink|creat|truncate)", line
            )
            paths = re.findall(r'"(/[^"]*)"', line) if writes and " = -1 " not in line else []
            if "AF_INET" in line or not all(path.startswith(allowed) for path in paths):
                calls.append(line)
        return calls


def _strace_works() -> bool:
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode == 0


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


def _mark(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow if name in ("bench", "tune") else ())


@pytest.mark.parametrize("name", map(_mark, COMMANDS))
def test_a_command_is_quiet(name: str, guarded: Guarded, builds) -> None:
    build = str(builds("onnxruntime", "int8"))
    guarded.run(*(build if word == "BUILD" else word for word in COMMANDS[name].split()))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_TORCH)
def test_a_command_with_torch_is_quiet(name: str, guarded: Guarded) -> None:
    pytest.importorskip("torch")
    for line in WITH_TORCH[name]:
        guarded.run(*line.split())


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket().connect_ex(('127.0.0.1', 9))",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 9)",
        "import pathlib; pathlib.Path.home().joinpath('device-id').write_text('1')",
        "open('../elsewhere', 'w')",
        "import os; os.mkdir('../elsewhere')",
    ],
)
def test_the_guard_sees(code: str, guarded: Guarded) -> None:
    words = ["-c", f"import sys; sys.argv = ['edge', 'doctor']\n{code}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", _replaced(subprocess.run, words))
        with pytest.raises(AssertionError):
            guarded.run("doctor")


def _replaced(run, words: list[str]):
    """subprocess.run with Python code in place of `-m edge ...`."""

    def replaced(command: list[str], **options: object):
        if "edge" in command:
            command = [*command[: command.index("-m")], *words]
        return run(command, **options)

    return replaced
