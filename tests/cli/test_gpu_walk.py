"""What a user types on a machine with a GPU, from the installation to a measured build.

The GPU, its driver and the computing of TensorRT are stand-ins (tests/stand_ins). TensorRT's
bindings are NVIDIA's own of each version, TensorRT-RTX builds its real plans, all else is real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import pytest

from edge.calibrate.rendering.samples import Rendered

from ..stand_ins.libcuda import libcuda
from ..stand_ins.tensorrt_bindings import bindings

ROOT = Path(__file__).parents[2]
GPU = ROOT / "tests" / "stand_ins" / "gpu"
TEGRA = "import platform\nplatform.release = lambda: '5.15.148-tegra'\n"
"""A sitecustomize.py with a Jetson's kernel (JetPack 7 has 6.8.12-tegra)."""
QUICK = ["--samples", "rendered:4", "--calib-samples", "4", "--imgsz", "64"]
FAST = ["--samples", "rendered:2", "--duration", 0, "--iterations", 11, "--warmup", 0]


@dataclass(frozen=True)
class Machine:
    """Where commands are typed; path: of Python, libraries: of the linker.

    The Python of the tests takes `edge` from this checkout.
    """

    folder: Path
    python: str = sys.executable
    path: tuple[Path, ...] = ()
    libraries: tuple[Path, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        path = [*self.path, ROOT] if self.python == sys.executable else self.path
        return subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={
                **os.environ,
                "NO_COLOR": "1",
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "LD_LIBRARY_PATH": os.pathsep.join(map(str, self.libraries)),
                **self.env,
            },
            check=False,
        )

    def edge(self, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.run(self.python, "-m", "edge", *words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def doctor(self) -> dict[str, dict[str, object]]:
        found = json.loads(self.edge("doctor", "--json").stdout)
        return {finding["subject"]: finding for finding in found}


def hide(folder: Path, *modules: str, more: str = "") -> Path:
    """A folder for PYTHONPATH that makes modules of this environment as if not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"{more}"
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name in {modules!r} else find(name, *a)\n"
    )
    return folder


RTX = ("tensorrt_rtx", "tensorrt_rtx_bindings")


def record(folder: Path) -> None:
    """Three frames and their background."""
    samples = Rendered(3, frames_per_scene=3)
    (folder / "frames").mkdir()
    cv2.imwrite(str(folder / "bg.png"), samples[0].bg)
    for number in range(3):
        cv2.imwrite(str(folder / "frames" / f"{number}.png"), samples[number].fg_bg)


def walk(machine: Machine, target: str) -> None:
    """Build, run and bench, with the options that make them quick."""
    built = machine.edge("build", "--precision", "int8", *QUICK, "--json")
    assert json.loads(built.stdout)["target"] == target
    assert f"target {target}, the fastest that runs here" in built.stderr
    build = json.loads(built.stdout)["path"]
    findings = machine.edge("doctor", build, "--json").stdout
    assert "a frame ran in" in findings
    record(machine.folder)
    run = machine.edge("run", "frames", "--bg", "bg.png", "--build", build, "--json")
    assert len([line for line in run.stdout.splitlines() if '"frame"' in line]) == 3
    report = json.loads(machine.edge("bench", build, *FAST, "--json").stdout)
    assert {entry["target"] for entry in report["builds"]} == {target}
    assert {entry["precision"] for entry in report["builds"]} == {"int8", "fp32"}
    assert all("gpu_compute_ms" in entry for entry in report["builds"] if entry["folded"])
    # What the stand-in computes is right, or FP32 and INT8 would differ.
    assert all(abs(entry["drop"]["mask"]["iou"]) < 0.1 for entry in report["builds"])


@pytest.fixture
def alone(tmp_path: Path) -> Machine:
    """TensorRT, and neither OpenVINO nor TensorRT-RTX."""
    hidden = hide(tmp_path / "hidden", "openvino", *RTX, "torch")
    return Machine(tmp_path, path=(hidden, GPU))


def test_build_takes_tensorrt_and_says_so(alone: Machine) -> None:
    done = alone.edge("build", "--precision", "int8", *QUICK, "--json")
    assert json.loads(done.stdout)["target"] == "tensorrt"
    assert "target tensorrt, the fastest that runs here" in done.stderr
    found = alone.doctor()
    assert "builds and runs here" in str(found["tensorrt"]["text"])
    assert "compute capability 8.7" in str(found["GPU"]["text"])


def test_without_a_gpu_the_cpu_is_taken(tmp_path: Path) -> None:
    done = Machine(tmp_path).edge("build", *QUICK, "--json")
    assert json.loads(done.stdout)["target"] == "openvino", done.stderr
    assert "tensorrt: not installed" in done.stderr


def test_a_folder_for_another_device_is_prepared_where_tensorrt_is(alone: Machine) -> None:
    words = ["--target", "tensorrt", "--graphs-only", *QUICK]
    done = alone.edge("build", *words, "--out", "device", "--json")
    assert json.loads(done.stdout)["layers"] is None
    assert "on the machine that runs it: edge build device" in done.stderr
    assert {f.name for f in (alone.folder / "device").iterdir()} == {
        "background.onnx", "frame.onnx", "manifest.json", "network.onnx", "ranges.json"
    }  # fmt: skip
    tried = alone.edge("doctor", "device", code=5)
    assert "ok  tensorrt" in tried.stdout and "--  build" in tried.stdout
    for command in (["bench", "device", *FAST], ["run", "synthetic://room", "--build", "device"]):
        refused = alone.edge(*command, code=5)
        assert "error: device has no engine yet; finish it on a machine" in refused.stderr
        assert refused.stderr.rstrip().endswith("edge build device")
    alone.edge("build", "device")
    assert "a frame ran in" in alone.edge("doctor", "device").stdout


@pytest.mark.slow
def test_run_bench_and_tune_take_tensorrt(alone: Machine) -> None:
    """`run` and `bench` use the bundled network's build for TensorRT, where they would make it."""
    record(alone.folder)
    few = ["--samples", "rendered:4", "--calib-samples", "4"]
    alone.edge("build", "--precision", "int8", *few)
    assert (alone.folder / "build" / "small-int8-tensorrt" / "frame.engine").is_file()
    run = alone.edge("run", "frames", "--bg", "bg.png", "--json")
    assert "building the bundled network" not in run.stderr
    bench = alone.edge("bench", *FAST, "--json")
    builds = json.loads(bench.stdout)["builds"]
    assert {entry["target"] for entry in builds} == {"tensorrt"}
    assert {entry["precision"] for entry in builds} == {"int8", "fp32"}
    words = ["tune", "--networks", "nano", "--imgsz", "64", "--precision", "int8", "--json"]
    words += ["--samples", "rendered:16:5", "--count", "16", "--target-fps", "1"]
    tune = alone.edge(*words)
    targets = {p["candidate"]["target"] for p in json.loads(tune.stdout)["points"]}
    assert targets == {"tensorrt", "onnxruntime"}


def test_bindings_for_a_newer_driver_leave_the_cpu_and_name_the_cure(tmp_path: Path) -> None:
    """JetPack 6, or a desktop before driver 580, with the bindings of CUDA 13."""
    hidden = hide(tmp_path / "hidden", *RTX)
    machine = Machine(tmp_path, path=(hidden, GPU), libraries=(libcuda(12060, tmp_path),))
    found = machine.doctor()
    assert str(found["CUDA"]["hint"]).endswith("'.[cuda12]'")
    assert not found["tensorrt"]["ok"]
    done = machine.edge("build", *QUICK, "--json")
    assert json.loads(done.stdout)["target"] == "openvino"
    assert "needs a driver of CUDA 13, this machine's speaks CUDA 12.6" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "version", "cuda", "gpu", "release"),
    [
        ("tensorrt-cu13-bindings", "10.16.1.11", 13020, "87,integrated", "6.8.12-tegra"),
        ("tensorrt-cu13-bindings", "11.4.0.106", 13010, "89", ""),
    ],
    ids=["JetPack 7.2", "RTX desktop, pip install tensorrt"],
)
def test_tensorrt_from_doctor_to_bench(
    name: str, version: str, cuda: int, gpu: str, release: str, tmp_path: Path
) -> None:
    (tmp_path / "bindings").mkdir()
    real = bindings(name, version, tmp_path / "bindings")
    jetson = f"import platform\nplatform.release = lambda: {release!r}\n" if release else ""
    hidden = hide(tmp_path / "hidden", "openvino", *RTX, "torch", more=jetson)
    machine = Machine(
        tmp_path,
        path=(hidden, GPU, real),
        libraries=(libcuda(cuda, tmp_path), real),
        env={"STAND_IN_GPU": gpu},
    )
    found = machine.doctor()
    assert f"CUDA {cuda // 1000}.{cuda % 1000 // 10}" in str(found["driver"]["text"])
    assert found["CUDA"]["ok"] and found["tensorrt"]["ok"]
    assert ("shares the host's memory" in str(found["GPU"]["text"])) == ("integrated" in gpu)
    walk(machine, "tensorrt")
    manifest = json.loads((tmp_path / "build/small-int8-tensorrt-64x64/manifest.json").read_text())
    assert version.startswith(manifest["runtime"][1])


@pytest.mark.slow
def test_tensorrt_rtx_as_far_as_a_gpu_is_needed(tmp_path: Path) -> None:
    """The builder is real; nothing here can load what it builds."""
    pytest.importorskip("tensorrt_rtx")
    hidden = hide(tmp_path / "hidden", "tensorrt", "openvino", "torch")
    (tmp_path / "cuda").mkdir()
    shutil.copytree(GPU / "cuda", tmp_path / "cuda" / "cuda")
    machine = Machine(
        tmp_path,
        path=(hidden, tmp_path / "cuda"),
        libraries=(libcuda(13000, tmp_path),),
        env={"STAND_IN_GPU": "86"},
    )
    found = machine.doctor()
    assert "builds and runs here" in str(found["tensorrt-rtx"]["text"])
    done = machine.edge("build", *QUICK, "--json")
    built = json.loads(done.stdout)
    assert (built["target"], built["int8_layers"]) == ("tensorrt-rtx", built["layers"])
    record(tmp_path)
    run = ["run", "frames", "--bg", "bg.png", "--build", built["path"]]
    for command in (run, ["bench", built["path"], *FAST], ["doctor", built["path"]]):
        refused = machine.edge(*command, code=5)
        assert "frame.engine" in refused.stderr


JETPACK_OPENCV = "opencv-python-headless==4.8.0.76"
"""OpenCV 4.8.0 as JetPack 6 has it, built for numpy 1."""


def python310() -> str:
    """A Python 3.10, as JetPack 6 has it."""
    known = [shutil.which("python3.10"), *Path.home().glob(".pyenv/versions/3.10.*/bin/python3.10")]
    for python in filter(None, known):
        if not subprocess.run([python, "-c", "import venv, ensurepip"], check=False).returncode:
            return str(python)
    pytest.skip("no Python 3.10 here")


@pytest.mark.slow
def test_jetpack_6_from_make_run_to_bench(tmp_path: Path) -> None:
    """Python 3.10, TensorRT 10.3, CUDA 12.6, JetPack's OpenCV: all of them the system's."""
    real = python310()
    system, kernel = tmp_path / "dist-packages", tmp_path / "kernel"
    system.mkdir()
    kernel.mkdir()
    (kernel / "sitecustomize.py").write_text(TEGRA)
    (kernel / "uname").write_text("#!/bin/sh\necho 5.15.148-tegra\n")
    (kernel / "uname").chmod(0o755)
    trt = bindings("tensorrt-cu12-bindings", "10.3.0", system, real)
    shutil.copy(GPU / "tensorrt.py", system)
    words = ["install", "-q", "--no-deps", "--target", system / "opencv", JETPACK_OPENCV]
    if subprocess.run([real, "-m", "pip", *map(str, words)], check=False).returncode:
        pytest.skip("no package index")
    for part in ("cv2", "opencv_python_headless.libs"):
        shutil.move(system / "opencv" / part, system)
    checkout = tmp_path / "checkout"
    away = (".git", ".venv", "build", "reports", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=shutil.ignore_patterns(*away))
    # The system's Python sees JetPack's packages, as that of .venv does if it was told to.
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={kernel}:{system} exec {real} "$@"\n')
    python.chmod(0o755)
    (system / "numpy.py").write_text("")  # which the Makefile's look for OpenCV needs
    (system / "cv2" / "__init__.py").rename(system / "cv2" / "real_init.py")
    (system / "cv2" / "__init__.py").write_text("")
    libraries = (libcuda(12060, tmp_path), trt)
    env = {"PATH": f"{kernel}:{os.environ['PATH']}", "STAND_IN_GPU": "87,integrated"}
    machine = Machine(checkout, path=(kernel,), libraries=libraries, env=env)
    made = machine.run("make", ".venv/run", f"PYTHON={python}")
    assert made.returncode == 0, made.stderr
    (system / "cv2" / "real_init.py").replace(system / "cv2" / "__init__.py")
    (system / "numpy.py").unlink()

    place = checkout / ".venv"
    assert "include-system-site-packages = true" in (place / "pyvenv.cfg").read_text()
    (packages,) = place.glob("lib/python3.10/site-packages")
    (packages / "system.pth").write_text(f"{system}\n")  # the system's come last
    cuda = tmp_path / "cuda"
    shutil.copytree(GPU / "cuda", cuda / "cuda")
    jetson = Machine(tmp_path, str(place / "bin" / "python"), (kernel, cuda), libraries, env)
    listed = jetson.run(jetson.python, "-m", "pip", "list", "--format", "json").stdout
    version = {each["name"]: each["version"] for each in json.loads(listed)}
    assert version["numpy"] == "1.26.4"
    assert version["cuda-bindings"].startswith("12.9.")
    assert "onnxruntime" in version
    assert not [name for name in version if name.startswith("opencv")]
    found = jetson.doctor()
    assert f"{system / 'cv2'}" in str(found["OpenCV"]["text"])
    for subject in ("driver", "CUDA", "GPU", "tensorrt", "OpenCV", "PyAV"):
        assert found[subject]["ok"], found[subject]
    walk(jetson, "tensorrt")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("python", "extra", "series"), [("3.10", "cuda12", "12.9."), ("3.12", "cuda13", "13.")]
)
def test_what_a_jetson_installs_is_there_for_its_processor(
    python: str, extra: str, series: str, tmp_path: Path
) -> None:
    """pip resolves as on JetPack 6 and JetPack 7, without installing. Markers are those of the
    Python that runs pip: no line of constraints.txt tells 3.11 from 3.12."""
    (tmp_path / "sitecustomize.py").write_text(TEGRA)
    runs = python310() if python == "3.10" else sys.executable
    words = ["pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", "-"]
    words += ["--target", "none", "--only-binary=:all:", "--python-version", python]
    words += ["--implementation", "cp", "--abi", "abi3", "--abi", f"cp{python.replace('.', '')}"]
    words += ["--abi", "none", "--platform", "manylinux2014_aarch64"]
    for glibc in (17, 24, 26, 27, 28, 31, 34, 35):
        words += ["--platform", f"manylinux_2_{glibc}_aarch64"]
    words += ["-c", str(ROOT / "constraints.txt"), f"{ROOT}[openvino,{extra}]"]
    done = Machine(tmp_path, runs, (tmp_path,)).run(runs, "-m", *words)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("no package index")
    assert done.returncode == 0, done.stderr
    chosen = {
        each["metadata"]["name"]: each["metadata"]["version"]
        for each in json.loads(done.stdout)["install"]
    }
    assert chosen["numpy"] == "1.26.4"
    assert chosen["cuda-bindings"].startswith(series)
    assert {"onnxruntime", "openvino", "av"} <= chosen.keys()
    assert not [name for name in chosen if name.startswith("opencv")]
