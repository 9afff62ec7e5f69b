"""`make instruction-sets`: INT8 beside FP32 on every instruction set that this machine has.

    python -m edge.benchmarks.instruction_sets DATA [--networks nano,small] [--frames 20]

DATA is a folder with `sequences/` (labelled). Each row is measured in a process of its own that
sees no higher instruction set (levels.py); a set that the machine lacks is named, not measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from edge.benchmarks.instruction_sets.levels import LEVELS, Lowered, present
from edge.benchmarks.instruction_sets.measure import Measured
from edge.benchmarks.measuring.machine import machine
from edge.bundled import names
from edge.calibrate.pipeline import BuildRequest, build
from edge.errors import EdgeError
from edge.progress import note
from edge.targets import targets

TARGETS = ("openvino", "onnxruntime")
HEADER = (
    "| instruction set | runtime | network | FP32, ms | INT8, ms | INT8 is faster by |"
    " IoU FP32 | IoU INT8 | lost | most lost on a sequence |"
)


def row(level: str, target: str, network: str, found: Measured) -> str:
    """A row of the table."""
    fp32, int8 = found.means
    name, drop = found.worst
    cells = (
        level, target, f"`{network}`", f"{found.ms[0]:.2f}", f"{found.ms[1]:.2f}",
        f"{found.ratio:.2f}x", f"{fp32:.4f}", f"{int8:.4f}", f"{fp32 - int8:+.4f}",
        f"{drop:+.4f} ({name})",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def measured(
    builds: Sequence[Path], sequences: Path, frames: int, environment: dict[str, str]
) -> Measured:
    """Measure two builds in a process of that environment."""
    words = [sys.executable, "-m", "edge.benchmarks.instruction_sets.measure"]
    words += [*map(str, builds), str(sequences), str(frames)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError(f"a measurement failed: {done.stderr.strip().splitlines()[-1]}")
    raw = json.loads(done.stdout)
    return Measured(**raw)


def main(words: Sequence[str]) -> int:
    parser = ArgumentParser("make instruction-sets", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with sequences/")
    parser.add_argument("--networks", default=",".join(names()), help="bundled networks")
    parser.add_argument("--frames", type=int, default=20, help="most frames of a sequence")
    given = parser.parse_args(words)
    here = present()
    about = machine()
    try:
        if not here:
            raise EdgeError(f"{about.processor} has none of {', '.join(x.name for x in LEVELS)}")
        with tempfile.TemporaryDirectory(prefix="edge-instruction-sets-") as temporary:
            folder = Path(temporary)
            lowered = Lowered(folder) if len(here) > 1 else None
            pairs = {}
            for target in (name for name in TARGETS if targets()[name].runs_here()):
                for network in given.networks.split(","):
                    note(f"building {network} for {target}")
                    pair = [folder / f"{network}-{target}-{p}" for p in ("fp32", "int8")]
                    for place, precision in zip(pair, ("fp32", "int8"), strict=True):
                        build(BuildRequest(network=network, target=target, precision=precision),
                              place)  # fmt: skip
                    pairs[target, network] = pair
            rows, samples = [], 0
            for level in here:
                highest = level is here[-1]
                assert highest or lowered is not None
                environment = dict(os.environ) if highest else lowered.environment(level)  # type: ignore[union-attr]
                for (target, network), pair in pairs.items():
                    found = measured(pair, given.data / "sequences", given.frames, environment)
                    rows.append(row(level.name, target, network, found))
                    samples = found.samples
                    note(rows[-1])
    except EdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    versions = ", ".join(f"{name} {about.libraries[name]}" for name in TARGETS
                         if name in about.libraries)  # fmt: skip
    print(
        f"{about.processor} ({here[-1].name}), {versions}, CPU time of one thread;"
        f" {samples} labelled frames, at most {given.frames} of a sequence."
    )
    if missing := [level.name for level in LEVELS if level not in here]:
        print(f"Not measured, because this CPU lacks it: {', '.join(missing)}.")
    print("\n" + HEADER + "\n" + "| --- " * HEADER.count(" | ") + "| --- |")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
