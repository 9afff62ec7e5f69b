"""The instructions of this CPU that 8-bit products depend on."""

from __future__ import annotations

import platform
import re
from pathlib import Path

DOT_PRODUCTS = {
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX",
    "asimddp": "dot product",
    "i8mm": "I8MM",
}
"""Words of /proc/cpuinfo, on x86 and on Arm, that add 8-bit products in int32."""


def flags(root: Path = Path("/")) -> set[str]:
    """Words of /proc/cpuinfo that name this CPU's instructions; empty where there is no such
    file."""
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return set()
    lines = re.findall(r"^(?:flags|Features).*$", text, re.MULTILINE)
    return set(re.findall(r"\w+", "".join(lines)))


def saturates() -> bool:
    """Whether two products of uint8 and int8 are added in int16 here, where they may not fit.

    An x86 CPU without dot products does so (vpmaddubsw), in OpenVINO and in ONNX Runtime. One that
    does not say what it has is taken for one without.
    """
    return platform.machine() in ("x86_64", "AMD64") and not flags() & DOT_PRODUCTS.keys()
