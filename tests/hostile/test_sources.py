"""Nothing that a user or a file gives becomes a program: by the syntax trees of all sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("edge", "calibrate", "train", "cli", "benchmarks", "examples")
BETWEEN_OWN_PROCESSES = {"benchmarks/tune.py", "benchmarks/measuring/samples.py"}
"""Files that pickle samples for processes that they start, in a temporary folder of their own."""
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "xml"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execl", "os.execv",
    "os.spawnl", "tempfile.mktemp", "ssl._create_unverified_context", "commands.getoutput",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip


def dangers(source: str) -> Iterator[str]:
    """What of a source could run data as a program, or trusts whom it does not know."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"import {a.name}" for a in node.names if a.name.split(".")[0] in MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"import {node.module}"
        if isinstance(node, ast.Attribute) and node.attr in ("CERT_NONE", "extractall"):
            yield node.attr
        if not isinstance(node, ast.Call):
            continue
        name, given = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
        if name in CALLS:
            yield name
        if "shell" in given and not _is(given["shell"], False):
            yield f"{name} with a shell"
        if name == "torch.load" and not _is(given.get("weights_only"), True):
            yield "torch.load of objects"
        if "allow_pickle" in given and not _is(given["allow_pickle"], False):
            yield "allow_pickle"
        if "check_hostname" in given or "verify" in given:
            yield "verification"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_no_source_runs_data() -> None:
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 300
    found = {}
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        allowed = {"import pickle"} if name in BETWEEN_OWN_PROCESSES else set()
        if each := set(dangers(file.read_text())) - allowed:
            found[name] = each
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml",
        "eval(text)",
        "exec(text)",
        "import os; os.system(text)",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "context.verify_mode = ssl.CERT_NONE",
        "archive.extractall(folder)",
        "tempfile.mktemp()",
    ],
)
def test_what_is_dangerous_is_seen(source: str) -> None:
    assert list(dangers(source))


@pytest.mark.parametrize(
    "source",
    ["network.eval()", "re.compile(text)", "torch.load(path, weights_only=True)",
     "subprocess.run([name, text])", "np.load(path, allow_pickle=False)"],
)  # fmt: skip
def test_what_is_harmless_is_not(source: str) -> None:
    assert not list(dangers(source))
