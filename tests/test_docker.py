"""The images of docker/: the one for CPUs is built and run, or its steps are, without a builder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
QUICK = ["build", "--samples", "rendered:4", "--calib-samples", "4", "--imgsz", "64", "--json"]


def steps(file: Path) -> list[tuple[str, str]]:
    """(instruction, words) of a Dockerfile."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", file.read_text(), flags=re.M)).splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line.strip()]  # type: ignore[misc]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_installs_extras_that_exist_from_no_named_registry(file: Path) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    known = re.findall(r"^([\w-]+) = \[", project.split("[project.optional-dependencies]")[1], re.M)
    given = dict(words.split("=") for step, words in steps(file) if step == "ARG" and "=" in words)
    installed = [words for step, words in steps(file) if step == "RUN" and "/edge[" in words]
    assert len(installed) == 1
    assert "-c /edge/constraints.txt" in installed[0]
    (extras,) = re.findall(r"/edge\[([^]]*)\]", installed[0])
    extras = extras.replace("${opencv}", ",opencv").replace("${CUDA}", given.get("CUDA", ""))
    assert set(extras.split(",")) <= set(known)
    for step, words in steps(file):
        if step == "FROM":
            assert "." not in words.split("/")[0].split(":")[0]
    assert [words for step, words in steps(file) if step == "ENTRYPOINT"] == ['["edge"]']


def builder() -> str:
    """docker or podman, where one answers."""
    for name in ("docker", "podman"):
        if shutil.which(name):
            asked = subprocess.run([name, "info"], capture_output=True, check=False)
            if asked.returncode == 0:
                return name
    return ""


def checked(words: list[str], **options: object) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stderr}"
    return str(done.stdout)


@pytest.mark.slow
def test_the_image_for_cpus_builds_an_engine(tmp_path: Path) -> None:
    file = ROOT / "docker" / "cpu.Dockerfile"
    if name := builder():
        checked([name, "build", "-f", str(file), "-t", "edge-cpu-test", str(ROOT)])
        work = f"{tmp_path}:/work"
        built = checked([name, "run", "--rm", "-v", work, "edge-cpu-test", *QUICK])
        doctor = checked([name, "run", "--rm", "edge-cpu-test", "doctor", "--json"])
    else:
        edge = run_steps(file, tmp_path)
        built = checked([str(edge), *QUICK], cwd=tmp_path / "work", env=outside())
        doctor = checked([str(edge), "doctor", "--json"], cwd=tmp_path / "work", env=outside())
    assert json.loads(built)["target"] == "openvino"
    assert json.loads(built)["int8_layers"]
    found = {finding["subject"]: finding for finding in json.loads(doctor)}
    for subject in ("openvino", "onnxruntime", "PyAV", "OpenCV"):
        assert found[subject]["ok"], found[subject]
    assert found["training"]["text"] == "no torch"


def outside() -> dict[str, str]:
    """No variable that leads into this environment or this checkout."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run_steps(file: Path, root: Path) -> Path:
    """Run a Dockerfile's steps in a new environment; return the program of its entry point."""
    checked([sys.executable, "-m", "venv", str(root / "python")], env=outside())
    for step, words in steps(file):
        words = words.replace("/edge", f"{root}/edge").replace("/work", f"{root}/work")
        if step == "COPY":
            away = ["*.egg-info", *(ROOT / ".dockerignore").read_text().replace("**/", "").split()]
            shutil.copytree(
                ROOT, root / "edge", symlinks=True, ignore=shutil.ignore_patterns(*away)
            )
        elif step == "RUN":
            done = subprocess.run(
                ["sh", "-c", words], capture_output=True, text=True, check=False,
                env={**outside(), "PATH": f"{root}/python/bin:{os.environ['PATH']}"},
            )  # fmt: skip
            if "No matching distribution found for setuptools" in done.stderr:
                pytest.skip("no package index")
            assert done.returncode == 0, done.stderr
        elif step == "WORKDIR":
            Path(words).mkdir()
    return root / "python" / "bin" / "edge"
