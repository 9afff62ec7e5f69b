"""Who may import whom: the data's way through the folders points one way."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("edge", "calibrate", "train", "benchmarks", "cli")
ALLOWED = {
    "cli": {"cli", "train", "benchmarks", "calibrate", "edge"},
    "train": {"train", "calibrate", "edge"},
    "benchmarks": {"benchmarks", "calibrate", "edge"},
    "calibrate": {"calibrate", "edge"},
    "edge": {"edge"},
}
TORCH = {"torch", "torch_pruning", "lightning_fabric", "pytorch_msssim", "onnxsim"}


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def sources() -> list[Path]:
    """Python files of the five folders; the links in edge/ that make one package of them are not
    followed."""
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    return [f for f in files if not any(p.is_symlink() for p in (f, *f.parents))]


def folder_of(module: str) -> str:
    """The folder of a module of ours: `train` for edge.train.loop, `edge` for edge.manifest."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else "edge"


@pytest.mark.parametrize("file", sources(), ids=lambda f: str(f.relative_to(ROOT)))
def test_a_folder_imports_only_what_it_may(file: Path) -> None:
    folder, *inner = file.relative_to(ROOT).parts
    names = imports(file)
    ours = {name for name in names if name.split(".")[0] == "edge"}
    assert {folder_of(name) for name in ours} <= ALLOWED[folder]
    # A user's own train.py must never be taken for ours.
    assert not {name.split(".")[0] for name in names} & (set(FOLDERS) - {"edge"})
    if folder not in ("train", "cli"):
        assert not {name.split(".")[0] for name in names} & TORCH
    if file.name != "openvino.py" or inner[0] != "runtime":
        # There OpenVINO is imported without its reporter.
        assert not any(name.split(".")[0] == "openvino" for name in names)
    if file != ROOT / "edge" / "runtime" / "ort.py":
        # There ONNX Runtime is imported without its reporter.
        assert not any(name.split(".")[0] == "onnxruntime" for name in names)
    if folder == "edge" and inner[0] == "runtime":
        assert all(
            name.startswith(("edge.runtime", "edge.manifest", "edge.errors")) or name == "edge"
            for name in ours
        )
        theirs = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"edge"}
        assert theirs <= {"numpy", "onnxruntime", "openvino", "cuda", "pycuda"}


def test_benchmarks_run_without_torch() -> None:
    """Its process must not have torch's threads, nor torch's processes OpenVINO's."""
    code = "import sys, edge.train.build_timer; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_import_edge_brings_nothing_heavy() -> None:
    heavy = ["cv2", "onnx", "torch", "numpy", "typer", "onnxruntime", "openvino"]
    code = f"import sys, edge; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_export_shuts_the_reporter_out_before_anyone_imports_onnx_runtime() -> None:
    """onnxsim and torch's exporter import ONNX Runtime themselves."""
    pytest.importorskip("torch")
    code = "import os, sys, edge.train.export; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    env = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == "1"


def test_the_runtime_needs_numpy_and_one_backend_only(builds, tmp_path: Path) -> None:
    """With cv2, onnx, typer and rich made impossible to import, a frame is still inferred."""
    build = builds("onnxruntime", "int8")
    code = f"""
import sys
for name in ("cv2", "onnx", "typer", "rich", "torch"):
    sys.modules[name] = None
import numpy as np
import edge
picture = np.zeros((64, 64, 3), np.uint8)
with edge.open({str(build)!r}, threads=1) as h:
    edge.set_background(h, picture)
    mask, depth = edge.infer(h, picture)
    print(mask.shape, depth.dtype)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "(64, 64) float32", done.stderr
