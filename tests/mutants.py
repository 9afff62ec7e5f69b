"""Changes the code in one place at a time and counts the changes that no test notices.

    python -m tests.mutants [--mutants 60] [--seed 1] [--at FILE[:LINE]] [PART ...]

A copy of the checkout is changed, never the checkout. Each part's tests run once, which says what
lines each test runs; then each mutant meets the tests that run its line, the quickest first, in a
process that is forked from one that has everything imported. Tests marked `slow` are left out.
Places are drawn at random and then one of the changes (cosmic-ray's operators) there; annotations
are no places. tests/equivalent.txt lists the mutants that no test can notice, and why.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import inspect
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
import coverage
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[1]
ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT
SHARE = 0.85
"""Of the mutants that are not equivalent, those that some test must notice."""
CPU_S, ASLEEP_S = 10, 60
"""A mutant that takes so much longer than its tests do loops; one that sleeps so long waits for
ever."""
POLL_S = 0.02
BROKEN = 70
"""Exit status of a process that failed beside the tests."""
SKIPPED = (".git", ".venv", ".*_cache", "build", "reports", "runs", "demo", "*.egg-info")


@dataclass(frozen=True)
class Part:
    """Sources that are changed and the tests that must notice it, as patterns from the root."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


PARTS = {
    "calibrate": Part(("calibrate/**/*.py",), ("tests/calibrate",)),
    "builder": Part(("edge/builder/**/*.py",), ("tests/edge/builder",)),
    "runtime": Part(
        ("edge/runtime/**/*.py",),
        ("tests/edge/runtime",),
        without=("cuda*.py", "tensorrt.py"),
    ),
    "zones": Part(
        ("edge/zones/*.py", "edge/events/*.py", "edge/things/*.py"),
        (
            "tests/edge/zones",
            "tests/edge/events",
            "tests/edge/things",
            "tests/edge/watch/test_watcher.py",
        ),
    ),
    "statistics": Part(
        ("benchmarks/measuring/*.py", "benchmarks/reporting/*.py"),
        ("tests/benchmarks/measuring", "tests/benchmarks/reporting"),
        # They drive devices or draw.
        without=("gpu_memory.py", "power.py", "html.py", "images.py", "plots.py", "chart.py"),
    ),
}


@dataclass(frozen=True)
class Mutant:
    """One change of one line.

    Attributes:
        file: from the root.
        line: counted from 1.
        before, after: the line's text, without its indentation.
        code: the whole changed file.
    """

    file: str
    line: int
    before: str
    after: str
    code: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tests/equivalent.txt knows it by: line numbers move."""
        return self.file, self.before, self.after


def sample(part: str, count: int, seed: int) -> list[Mutant]:
    """`count` places of a part, one change in each; the same for the same code and seed."""
    rng = random.Random(f"{seed} {part}")
    operators = [
        cosmic_ray.plugins.get_operator(name)
        for name in sorted(cosmic_ray.plugins.operator_names())
    ]
    places: dict[tuple[str, Any], list[tuple[Any, int]]] = {}
    for file in _sources(PARTS[part]):
        code = (ROOT / file).read_text()
        nodes, annotated = list(ast_nodes(get_ast(code))), list(_annotations(code))
        for operator in operators:
            if operator.arguments():
                continue
            found = (place for node in nodes for place in operator().mutation_positions(node))
            for occurrence, (start, end) in enumerate(found):
                if not any(first <= start < last for first, last in annotated):
                    places.setdefault((file, (start, end)), []).append((operator, occurrence))
    drawn = rng.sample(sorted(places), min(count, len(places)))
    mutants = (_mutant(place[0], *rng.choice(places[place])) for place in drawn)
    return [mutant for mutant in mutants if _compiles(mutant.code)]


def _mutant(file: str, operator: Any, occurrence: int) -> Mutant:
    code = (ROOT / file).read_text()
    changed = mutate_code(code, operator(), occurrence)
    pairs = zip(code.splitlines(), [*changed.splitlines(), ""], strict=False)
    line, before, after = next((i, a, b) for i, (a, b) in enumerate(pairs, 1) if a != b)
    return Mutant(file, line, before.strip(), after.strip(), changed)


def _compiles(code: str) -> bool:
    """Not all of cosmic-ray's changes are Python: it takes `**` of arguments for an operator."""
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _sources(part: Part) -> list[str]:
    files = {file for pattern in part.sources for file in ROOT.glob(pattern)}
    kept = (f for f in files if not any(f.match(pattern) for pattern in part.without))
    return sorted(str(file.relative_to(ROOT)) for file in kept)


def _annotations(code: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for node in ast.walk(ast.parse(code)):
        for name in ("annotation", "returns"):
            if (found := getattr(node, name, None)) is not None:
                yield (
                    (found.lineno, found.col_offset),
                    (found.end_lineno, found.end_col_offset),
                )


class Chosen:
    """A pytest plugin: runs these tests in this order, each with all of its parameters, whose names
    may come from the code that is changed."""

    def __init__(self, names: Sequence[str]) -> None:
        self.order = {name.partition("[")[0]: place for place, name in enumerate(reversed(names))}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        places = [(self.order.get(item.nodeid.partition("[")[0], -1), item) for item in items]
        chosen = [each for each in places if each[0] >= 0]
        items[:] = [item for _, item in sorted(chosen, key=lambda each: -each[0])]


class Recorded:
    """A pytest plugin: the lines and the CPU seconds of each test that passes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.coverage = coverage.Coverage(data_file=None, source=["."], omit=["tests/*"])
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_collection(self) -> None:
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        began = _cpu()
        done = yield
        self.seconds[item.nodeid] = _cpu() - began
        self.coverage.switch_context("")
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:  # those that are skipped notice nothing
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data = self.coverage.get_data()
        by_line: dict[str, list[str]] = {}
        for file in data.measured_files():
            for line, names in data.contexts_by_lineno(file).items():
                name = str(Path(file).relative_to(Path.cwd()))
                by_line[f"{name}:{line}"] = [n for n in names if n and n not in self.failed]
        self.file.write_text(json.dumps({"seconds": self.seconds, "by_line": by_line}))


def _cpu() -> float:
    return sum(os.times()[:4])


class Checkout:
    """A copy of the checkout whose tests run in forked processes."""

    def __init__(self, folder: Path, tests: Sequence[str]) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED))
        beside = ROOT.parent / "shared"
        if beside.is_dir():
            (folder.parent / "shared").symlink_to(beside)
        os.chdir(folder)
        os.environ.update(PYTHONPATH=str(folder), OMP_NUM_THREADS="1")
        sys.path[0] = str(folder)
        # Processes that tests start by `spawn` would import the main module, which is this one.
        sys.modules["__main__"] = types.ModuleType("__main__")
        _forget_ours()
        _pytest("--collect-only", "-qqq", *tests)
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def lines(self, tests: Sequence[str]) -> tuple[dict[str, float], dict[str, list[str]]]:
        """CPU seconds of each test, and by FILE:LINE the tests that run that line."""
        file = self.folder.parent / "lines.json"
        self._forked(lambda: _pytest(*tests, plugins=[Recorded(file)]), 3600)
        found = json.loads(file.read_text())
        return found["seconds"], found["by_line"]

    def notices(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> bool:
        """Whether one of the tests, which take so many seconds, fails or does not end with the
        mutant."""
        if not tests:
            return False
        files = list(dict.fromkeys(name.partition("::")[0] for name in tests))
        place = self.folder / mutant.file

        def test() -> int:
            if not _changed_in_place(mutant.file, mutant.code):
                _forget_ours()
            return _pytest("-x", *files, plugins=[Chosen(tests)])

        place.write_text(mutant.code)
        try:
            return self._forked(test, CPU_S + 3 * round(seconds)) != 0
        finally:
            shutil.copy2(ROOT / mutant.file, place)

    def _forked(self, work: Callable[[], int], seconds: int) -> int:
        """Exit status of a function in a process of its own; it and what it started end with it."""
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                log = os.open(self.folder.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(log, 1)
                os.dup2(log, 2)
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
                status = int(work())
                os._exit(status)
            finally:
                os._exit(BROKEN)
        polls = asleep = 0
        while asleep < ASLEEP_S and os.waitid(os.P_PID, child, ENDED) is None:
            time.sleep(POLL_S)
            polls += 1
            if polls % round(1 / POLL_S) == 0:  # a count: a stop of all is no time
                asleep = asleep + 1 if _sleeps(child) else 0
        os.killpg(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == BROKEN:
            raise RuntimeError((self.folder.parent / "log").read_text())
        return status


def _sleeps(group: int) -> bool:
    """Whether no process of a group runs or wants to."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it is gone
            state, _, its_group = file.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "SZ":
                return False
    return True


def _changed_in_place(file: str, code: str) -> bool:
    """Give the functions of a module that is imported already their changed code.

    False where something else than functions changes; then the module must be imported anew.
    """
    (shell, functions), (new_shell, new) = (
        _functions(compile(text, file, "exec")) for text in ((ROOT / file).read_text(), code)
    )
    if shell != new_shell or functions.keys() != new.keys():
        return False
    changed = {key for key, code in new.items() if code != functions[key]}
    if any(_inner(new[key]) != _inner(functions[key]) for key in changed):
        return False  # functions that were made of it may live already
    place, found = Path(file).resolve(), set()
    for live in gc.get_objects():
        if not isinstance(live, types.FunctionType):
            continue
        key = (live.__code__.co_name, live.__code__.co_firstlineno)
        if key in changed and Path(live.__code__.co_filename).resolve() == place:
            with contextlib.suppress(ValueError):  # it closes over other variables
                live.__code__ = new[key]
                found.add(key)
    return found == changed


def _inner(code: types.CodeType) -> list[types.CodeType]:
    return [each for each in code.co_consts if isinstance(each, types.CodeType)]


def _functions(
    code: types.CodeType,
) -> tuple[list[Any], dict[tuple[str, int], types.CodeType]]:
    """What a module does when it is imported, and its functions by name and line."""
    shell: list[Any] = [code.co_code, code.co_names]
    functions = {}
    for constant in code.co_consts:
        if not isinstance(constant, types.CodeType):
            shell.append(constant)
        elif constant.co_flags & inspect.CO_OPTIMIZED:
            key = constant.co_name, constant.co_firstlineno
            if key in functions:  # two lambdas of one line
                shell.append(constant)
            functions.setdefault(key, constant)
        else:
            inner, its = _functions(constant)
            shell.append(inner)
            functions.update(its)
    return shell, functions


def _forget_ours() -> None:
    """Have our modules imported anew; what they import stays."""
    for name in [n for n in sys.modules if n.split(".")[0] in ("edge", "tests")]:
        del sys.modules[name]


def _pytest(*words: str, plugins: Sequence[Any] = ()) -> int:
    quiet = ["-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    return pytest.main([*quiet, *words], plugins=list(plugins))


def tests_of(mutant: Mutant, seconds: dict[str, float], by_line: dict[str, list[str]]) -> list[str]:
    """The tests that run its line, the quickest first, and then all of the mirroring file: they may
    run it in another process. For a line that runs at import alone, all that run its file."""
    mirror = f"/test_{Path(mutant.file).name}::"
    line = f"{mutant.file}:{mutant.line}"
    found = by_line.get(line) or [
        name for other in by_line if other.startswith(f"{mutant.file}:") for name in by_line[other]
    ]
    return [
        *sorted({*found}, key=lambda name: seconds[name]),
        *(name for name in seconds if mirror in name and name not in found),
    ]


def equivalents() -> dict[tuple[str, str, str], str]:
    """Blocks of four lines: file, `- before`, `+ after`, and why no test can notice."""
    text = Path(__file__).with_name("equivalent.txt").read_text().strip()
    found = {}
    for block in text.split("\n\n") if text else []:
        file, before, after, why = block.split("\n", 3)
        found[file, before.removeprefix("- "), after.removeprefix("+ ")] = why
    return found


def try_part(checkout: Checkout, name: str, mutants: Sequence[Mutant]) -> float:
    """Try the mutants and print each that survives; return the share that was noticed."""
    known, killed, same = equivalents(), 0, 0
    seconds, by_line = checkout.lines(PARTS[name].tests)
    for mutant in mutants:
        tests = tests_of(mutant, seconds, by_line)
        if mutant.key in known:
            same += 1
        elif checkout.notices(mutant, tests, sum(seconds[name] for name in tests)):
            killed += 1
        else:
            print(f"{mutant.file}:{mutant.line}\n- {mutant.before}\n+ {mutant.after}\n", flush=True)
    share = killed / max(len(mutants) - same, 1)
    counted = f"{len(mutants)} mutants, {killed} killed, {same} equivalent"
    print(f"{name}: {counted}, {share:.0%}", flush=True)
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description="Change the code and see whether tests notice.")
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS))
    parser.add_argument("--mutants", type=int, default=60, help="of each part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", default="", metavar="FILE[:LINE]", help="of these only those there")
    given = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    tests = [folder for name in given.parts for folder in PARTS[name].tests]
    shares = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        checkout = Checkout(Path(place) / "checkout", tests)
        for name in given.parts:
            mutants = sample(name, given.mutants, given.seed)
            mutants = [m for m in mutants if f"{m.file}:{m.line}:".startswith(given.at)]
            shares.append(try_part(checkout, name, mutants))
    sys.exit(min(shares) < SHARE)


if __name__ == "__main__":
    main()
