"""Instruction sets of x86 CPUs, and how a process is made to see fewer of them than the CPU has.

OpenVINO and ONNX Runtime ask the CPU itself (the instruction `cpuid`), and only a part of OpenVINO
can be told otherwise (ONEDNN_MAX_CPU_ISA; ONNX Runtime has no such switch). So their libraries are
copied, each `cpuid` in the copies is replaced by an undefined instruction of the same two bytes,
and a handler of that signal answers in its place, leaving out what is to be hidden.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edge.errors import EdgeError
from edge.runtime.instructions import flags

CPUID, UNDEFINED = b"\x0f\xa2", b"\x0f\x0b"
LIBRARIES = {
    "onnxruntime": ("capi/onnxruntime_pybind11_state*.so",),
    "openvino": ("libs/libopenvino.so*", "libs/libopenvino_intel_cpu_plugin.so"),
}
"""Those that choose kernels, by package."""
UNUSED = ("*gpu_plugin*", "*npu_plugin*")

AMX = {"edx": (22, 24, 25), "eax1": (21,)}
AVX512_VNNI = {"ecx": (11,)}
AVX_VNNI = {"eax1": (4,), "edx1": (4, 10)}
AVX512 = {
    "ebx": (16, 17, 21, 26, 27, 28, 30, 31),
    "ecx": (1, 6, 12, 14),
    "edx": (2, 3, 8, 23),
    "eax1": (5,),
    "edx1": (19,),
}
"""Bits of leaf 7 of cpuid; with a 1 of its subleaf 1 (Intel's manual, volume 2A)."""


@dataclass(frozen=True)
class Level:
    """An instruction set: the word of /proc/cpuinfo that it needs, and what is hidden for it."""

    name: str
    word: str
    hidden: tuple[Mapping[str, tuple[int, ...]], ...]


LEVELS = (
    Level("AVX2", "avx2", (AMX, AVX512, AVX512_VNNI, AVX_VNNI)),
    Level("AVX-VNNI", "avx_vnni", (AMX, AVX512, AVX512_VNNI)),
    Level("AVX512", "avx512bw", (AMX, AVX512_VNNI, AVX_VNNI)),
    Level("AVX512-VNNI", "avx512_vnni", (AMX,)),
    Level("AMX", "amx_int8", ()),
)
"""The lowest first; one that the machine has as its highest hides nothing."""


def present() -> list[Level]:
    """The levels that this machine has, the lowest first."""
    words = flags() if platform.machine() == "x86_64" else set()
    return [level for level in LEVELS if level.word in words]


HANDLER = r"""
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static unsigned hidden[5]; /* ebx, ecx, edx of leaf 7; eax, edx of its subleaf 1 */

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    unsigned leaf = r[REG_RAX], subleaf = r[REG_RCX], a, b, c, d;
    if (memcmp((void *)r[REG_RIP], "\x0f\x0b", 2)) {
        signal(SIGILL, SIG_DFL); /* another illegal instruction: run into it again */
        return;
    }
    __cpuid_count(leaf, subleaf, a, b, c, d);
    if (leaf == 7 && subleaf == 0) { b &= ~hidden[0]; c &= ~hidden[1]; d &= ~hidden[2]; }
    if (leaf == 7 && subleaf == 1) { a &= ~hidden[3]; d &= ~hidden[4]; }
    r[REG_RAX] = a; r[REG_RBX] = b; r[REG_RCX] = c; r[REG_RDX] = d;
    r[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void) {
    struct sigaction action;
    const char *text = getenv("EDGE_HIDDEN");
    unsigned *h = hidden;
    if (text) sscanf(text, "%x,%x,%x,%x,%x", h, h + 1, h + 2, h + 3, h + 4);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGILL, &action, 0);
}
"""


class Lowered:
    """Copies of the runtimes that see fewer instructions.

    Args:
        folder: Where they are written, a few hundred megabytes.
        packages: Those of LIBRARIES that are copied.

    Raises:
        EdgeError: There is no C compiler or no objdump.
    """

    def __init__(self, folder: Path, packages: Sequence[str] = tuple(LIBRARIES)) -> None:
        for tool in ("cc", "objdump"):
            if shutil.which(tool) is None:
                raise EdgeError(f"no {tool} on this machine", "apt-get install gcc binutils")
        self._folder, self._handler = folder, folder / "handler.so"
        source = folder / "handler.c"
        source.write_text(HANDLER)
        _run("cc", "-O1", "-shared", "-fPIC", source, "-o", self._handler)
        for package in packages:
            spec = find_spec(package)
            if spec is None or spec.origin is None:
                continue
            copy = folder / package
            shutil.copytree(Path(spec.origin).parent, copy, ignore=shutil.ignore_patterns(*UNUSED))
            for pattern in LIBRARIES[package]:
                for library in copy.glob(pattern):
                    replace_cpuid(library)

    def environment(self, level: Level) -> dict[str, str]:
        """Environment of a process that sees a level."""
        masks = dict.fromkeys(("ebx", "ecx", "edx", "eax1", "edx1"), 0)
        for part in level.hidden:
            for register, bits in part.items():
                masks[register] |= sum(1 << bit for bit in bits)
        paths = [str(self._folder), *filter(None, sys.path)]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "LD_PRELOAD": str(self._handler),
            "EDGE_HIDDEN": ",".join(f"{mask:x}" for mask in masks.values()),
        }


def replace_cpuid(library: Path) -> int:
    """Replace every `cpuid` of a shared library by an undefined instruction; how many there were.

    The bytes alone are also found within other instructions, so the library is disassembled.
    """
    sections = []
    for line in _run("objdump", "-h", library).splitlines():
        words = line.split()
        if len(words) > 6 and words[0].isdigit():
            size, address, offset = (int(words[i], 16) for i in (2, 3, 5))
            sections.append((address, address + size, offset))
    data, count = bytearray(library.read_bytes()), 0
    for line in _run("objdump", "-d", "--no-show-raw-insn", library).splitlines():
        if not line.endswith("\tcpuid"):
            continue
        address = int(line.partition(":")[0], 16)
        place = next(o + address - first for first, end, o in sections if first <= address < end)
        assert data[place : place + 2] == CPUID
        data[place : place + 2] = UNDEFINED
        count += 1
    library.write_bytes(data)
    return count


def _run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return done.stdout
