"""Options of `edge bench` that would have no effect are refused before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cli.app import app
from edge.errors import UsageError

REFUSED = {
    "an age without a gate": (["--max-age-ms", "5"], "--max-age-ms has no effect without --gate"),
    "a rate without cameras": (["--camera-fps", "5"], "--camera-fps has no effect without --camer"),
    "a build for the self-test": (["--self-test", "build/x"], "builds has no effect with --self"),
    "samples for the self-test": (["--self-test", "--samples", "x"], "--samples has no effect"),
    "threads to find and given": (["--tune-threads", "--threads", "1"], "leave --threads out"),
    "threads of two builds": (["a", "b", "--tune-threads"], "is for one build, 2 were given"),
}


def test_a_gpus_library_has_no_effect_on_builds_for_a_cpu(
    builds: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, message in (
        ("pycuda", "--cuda-backend has no effect on builds that run on a CPU"),
        ("foo", "unknown --cuda-backend 'foo'; known: auto, cuda-python, pycuda"),
    ):
        words = ["bench", str(builds("openvino", "fp32")), "--cuda-backend", name]
        with pytest.raises(UsageError) as caught:
            app(words, standalone_mode=False)
        assert message in str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_effect_is_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        app(["bench", *words], standalone_mode=False)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []
