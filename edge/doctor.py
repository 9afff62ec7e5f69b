"""What this machine can build and run, what is missing for the rest, and what brings it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import EXTRAS, EdgeError
from edge.runtime.cores import usable_cores
from edge.targets.table import TARGETS, Target, installed

FLAGS = {
    "avx512_vnni": "AVX512-VNNI (int8)",
    "avx_vnni": "AVX-VNNI (int8)",
    "amx_int8": "AMX (int8)",
    "avx512_bf16": "bfloat16",
    "asimddp": "dot product (int8)",
    "i8mm": "I8MM (int8)",
    "avx2": "AVX2",
}
"""Words of /proc/cpuinfo, on x86 and on Arm, and what they mean for speed."""
ROOT = Path("/")
"""Where /proc, /etc and /sys are; tests have their own."""


@dataclass(frozen=True)
class Finding:
    """ok; what it is about; what was found; the command that brings what is missing."""

    ok: bool
    about: str
    found: str
    cure: str = ""


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
    """Processor, system and what makes int8 fast."""
    text = _read("proc/cpuinfo")
    names = re.findall(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    words = set(re.findall(r"\w+", "".join(re.findall(r"^(?:flags|Features).*$", text, re.M))))
    has = [meaning for word, meaning in FLAGS.items() if word in words]
    fast = any("int8" in meaning for meaning in has)
    found = [
        Finding(
            True,
            "processor",
            f"{names[0] if names else platform.machine()}, {usable_cores()} cores for this process",
        ),
        Finding(
            fast,
            "int8 on it",
            ", ".join(has) or "no instructions for int8",
            "" if fast else "int8 will hardly be faster than FP32 here: edge bench shows it",
        ),
        Finding(True, "system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        Finding(True, "Python", sys.version.split()[0]),
    ]
    if jetpack := _jetpack():
        found.append(Finding(True, "Jetson", jetpack))
    found += [Finding(True, about, text) for about, text in _nvidia() if text]
    if governors := _governors():
        slow = "powersave" in governors
        cure = "sudo cpupower frequency-set -g performance, while you measure" if slow else ""
        found.append(Finding(not slow, "power", f"governor {governors}", cure))
    return found


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


def _nvidia() -> list[tuple[str, str]]:
    """The driver, the CUDA toolkit and a Jetson's power mode; empty where there is none."""
    driver = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)", _read("proc/driver/nvidia/version"))
    try:
        toolkit = json.loads(_read("usr/local/cuda/version.json"))["cuda"]["version"]
    except (ValueError, KeyError, TypeError):
        toolkit = ""
    mode = re.search(r"pmode:(\d+)", _read("var/lib/nvpmodel/status"))
    return [
        ("driver", f"NVIDIA {driver[1]}" if driver else ""),
        ("CUDA", f"toolkit {toolkit}" if toolkit else ""),
        ("power mode", f"nvpmodel {int(mode[1])}" if mode else ""),
    ]


def _governors() -> str:
    files = (ROOT / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    # A core that is off line answers with an error.
    found = {_read(str(file.relative_to(ROOT))).strip() for file in files}
    return ", ".join(sorted(found - {""}))


def gpu(driver: Callable[[], Any]) -> Finding:
    """The GPU, by the library that would drive it."""
    try:
        cuda = driver()
    except EdgeError as error:
        found, _, cure = str(error).partition("; ")
        return Finding(False, "GPU", found, cure if "pip" in cure else "")
    kind = "shares the host's memory" if cuda.integrated else "with memory of its own"
    return Finding(True, "GPU", f"compute capability {cuda.capability / 10:.1f}, {kind}")


PACKAGES = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime",),
    "tensorrt_rtx": ("tensorrt-rtx-cu13", "tensorrt_rtx_cu13_bindings", "tensorrt_rtx"),
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
}


def targets(has_gpu: bool) -> list[Finding]:
    """For each target, whether it builds here and whether it runs here."""
    return [_target(target, has_gpu) for target in TARGETS.values()]


def _target(target: Target, has_gpu: bool) -> Finding:
    if not installed(target):
        extra = EXTRAS.get(target.module)
        cure = (
            f"pip install -c constraints.txt '.[{extra}]'"
            if extra
            else "JetPack or NVIDIA's package brings it; edge build makes its graphs here"
        )
        return Finding(False, target.name, "not installed", cure)
    version = _version(*PACKAGES[target.module])
    if target.runs_here:
        return Finding(True, target.name, f"{version}: builds and runs here")
    if has_gpu:
        return Finding(True, target.name, f"{version}: builds and runs here")
    if target.sms:
        return Finding(True, target.name, f"{version}: builds here (--sm), runs where a GPU is")
    return Finding(False, target.name, f"{version}: needs a GPU to build and to run")


def training() -> Finding:
    version = _version("torch")
    cure = "" if version else "pip install -c constraints.txt '.[train]'"
    return Finding(bool(version), "training", f"torch {version}" if version else "no torch", cure)
