"""What this machine can build and run, and the commands that install the rest."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import EdgeError, install_command
from edge.runtime import nvidia
from edge.runtime.cores import usable_cores
from edge.runtime.instructions import DOT_PRODUCTS, flags
from edge.targets import Target
from edge.targets import targets as all_targets

FLAGS = {
    **{word: f"{name} (int8)" for word, name in DOT_PRODUCTS.items()},
    "avx512_bf16": "bfloat16",
    "avx2": "AVX2",
}
"""Words of /proc/cpuinfo, on x86 and on Arm, and what they mean for speed."""
AVX2_INT8 = (
    "no dot products of 8-bit integers: int8 is right and still faster than FP32"
    " (docs/performance.md), but int8 builds of earlier versions are refused"
)
NO_INT8 = "int8 will hardly be faster than FP32 here: edge bench shows it"
OPENCV_WHEELS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python")
OPENCV_INSTALL = (
    "pip install opencv-python-headless; on a Jetson, for csi://: apt-get install nvidia-opencv"
)
ROOT = Path("/")
"""Where /proc, /etc and /sys are; tests have their own."""


@dataclass(frozen=True)
class Finding:
    """One line of the report; hint: the command that installs a missing part."""

    ok: bool
    subject: str
    text: str
    hint: str = ""


def _read(path: str) -> str:
    try:
        return (ROOT / path).read_text(errors="replace")
    except OSError:
        return ""


def _version(*packages: str) -> str:
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def machine() -> list[Finding]:
    """Processor, system, and the instructions that make int8 fast."""
    text = _read("proc/cpuinfo")
    names = re.findall(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    words = flags(ROOT)
    has = [meaning for word, meaning in FLAGS.items() if word in words]
    fast = bool(words & DOT_PRODUCTS.keys())
    findings = [
        Finding(
            True,
            "processor",
            f"{names[0] if names else platform.machine()}, {usable_cores()} cores for this process",
        ),
        Finding(
            fast or "avx2" in words,
            "int8 on it",
            ", ".join(has) or "no instructions for int8",
            "" if fast else AVX2_INT8 if "avx2" in words else NO_INT8,
        ),
        Finding(True, "system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        Finding(True, "Python", sys.version.split()[0]),
    ]
    if jetpack := _jetpack():
        findings.append(Finding(True, "Jetson", jetpack))
    findings += _nvidia()
    if governors := _governors():
        slow = "powersave" in governors
        hint = "sudo cpupower frequency-set -g performance, while you measure" if slow else ""
        findings.append(Finding(not slow, "power", f"governor {governors}", hint))
    return findings


def _jetpack() -> str:
    """The board and its L4T release; the JetPack's number follows from it."""
    release = re.search(r"R(\d+).*REVISION: ([\d.]+)", _read("etc/nv_tegra_release"))
    board = _read("proc/device-tree/model").strip("\0\n ")
    if release is None:
        return ""
    major = {"35": "JetPack 5", "36": "JetPack 6", "38": "JetPack 7", "39": "JetPack 7"}
    return (
        f"{board or 'board unknown'}, L4T {release[1]}.{release[2]} ({major.get(release[1], '?')})"
    )


def _nvidia() -> list[Finding]:
    """The driver, what is installed of CUDA, and a Jetson's power mode, as far as there are any."""
    number = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)", _read("proc/driver/nvidia/version"))
    speaks = nvidia.driver_cuda()
    driver = [f"NVIDIA {number[1]}"] if number else []
    driver += ["CUDA {}.{}".format(*speaks)] if speaks else []
    try:
        toolkit = json.loads(_read("usr/local/cuda/version.json"))["cuda"]["version"]
    except (ValueError, KeyError, TypeError):
        toolkit = ""
    bindings = nvidia.bindings_version()
    wrong = nvidia.bindings_too_new()
    if speaks and not bindings:
        wrong = f"{nvidia.BINDINGS} is not installed"
    parts = [f"toolkit {toolkit}"] if toolkit else []
    parts += [wrong or f"{nvidia.BINDINGS} {bindings}"] if wrong or bindings else []
    findings = [Finding(True, "driver", ", ".join(driver))] if driver else []
    if parts and (driver or toolkit):
        hint = install_command(nvidia.extra()) if wrong else ""
        findings.append(Finding(not wrong, "CUDA", ", ".join(parts), hint))
    if mode := re.search(r"pmode:(\d+)", _read("var/lib/nvpmodel/status")):
        findings.append(Finding(True, "power mode", f"nvpmodel {int(mode[1])}"))
    return findings


def _governors() -> str:
    files = (ROOT / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    # A core that is off line answers with an error.
    names = {_read(str(file.relative_to(ROOT))).strip() for file in files}
    return ", ".join(sorted(names - {""}))


def gpu(driver: Callable[[], Any]) -> Finding:
    """The GPU, through the library that would drive it."""
    try:
        cuda = driver()
    except EdgeError as error:
        return Finding(False, "GPU", error.message, error.hint if "pip" in error.hint else "")
    kind = "shares the host's memory" if cuda.integrated else "with memory of its own"
    return Finding(True, "GPU", f"compute capability {cuda.capability / 10:.1f}, {kind}")


def targets() -> list[Finding]:
    """For each target, whether it builds and runs on this machine."""
    return [_target(target) for target in all_targets().values()]


def _target(target: Target) -> Finding:
    if not target.installed():
        hint = target.install_hint()
        return Finding(False, target.name, "not installed; edge build writes its graphs here", hint)
    version = target.version()
    if not (reason := target.why_not_here()):
        return Finding(True, target.name, f"{version}: builds and runs here")
    if target.sms:
        return Finding(True, target.name, f"{version}: builds here (--sm), runs where a GPU is")
    return Finding(False, target.name, f"{version}: neither builds nor runs here: {reason}")


def video() -> list[Finding]:
    """PyAV, which decodes recordings and streams, and OpenCV, which opens cameras."""
    return [_pyav(), _opencv()]


def _pyav() -> Finding:
    try:
        import av
    except ImportError as error:
        return Finding(False, "PyAV", f"cannot be loaded: {error}", "pip install av")
    ffmpeg = getattr(av, "ffmpeg_version_info", "unknown")
    return Finding(True, "PyAV", f"{av.__version__}, FFmpeg {ffmpeg}")


def _opencv() -> Finding:
    wheel = _version(*OPENCV_WHEELS)
    try:
        with redirect_stderr(io.StringIO()):  # numpy prints how to compile modules
            import cv2
    except ImportError as error:
        if not wheel and "cv2" in str(error):
            return Finding(False, "OpenCV", "not installed", OPENCV_INSTALL)
        text = f"{wheel or 'a build of the system'} cannot be loaded: {str(error).splitlines()[0]}"
        if "numpy" not in text:
            return Finding(False, "OpenCV", text, OPENCV_INSTALL)
        # https://numpy.org/doc/stable/dev/depending_on_numpy.html
        text += f"; numpy is {_version('numpy')}"
        return Finding(
            False, "OpenCV", text, "one that was built for numpy 1: pip install 'numpy<2'"
        )
    made = cv2.getBuildInformation()
    parts = [
        f"{'with' if re.search(rf'{name}:.*YES', made, re.I) else 'without'} {name}"
        for name in ("GStreamer", "FFmpeg")
    ]
    origin = "" if wheel else f", {Path(cv2.__file__).parent}"
    return Finding(True, "OpenCV", f"{cv2.__version__}, {', '.join(parts)}{origin}")


def training() -> Finding:
    version = _version("torch")
    hint = "" if version else install_command("train")
    return Finding(bool(version), "training", f"torch {version}" if version else "no torch", hint)
