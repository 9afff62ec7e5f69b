"""The registry of targets, and the one that `auto` takes."""

from __future__ import annotations

import pytest

from edge import targets
from edge.calibrate.pipeline import BuildRequest, resolve
from edge.calibrate.qdq import SCHEMES
from edge.errors import BuildMismatch, UsageError
from edge.targets.target import Target


def installed(monkeypatch: pytest.MonkeyPatch, *names: str, gpu: bool = False) -> None:
    """Stand-ins: only these targets are installed, and a GPU answers or not."""

    def driver(name: str = "auto") -> object:
        if not gpu:
            raise BuildMismatch("no usable GPU on this machine (none)", "use a CPU")
        return object()

    monkeypatch.setattr(Target, "installed", lambda target: target.name in names)
    monkeypatch.setattr("edge.runtime.cuda.driver", driver)


def test_every_target_is_complete() -> None:
    for name, target in targets.targets().items():
        assert name == target.name
        assert target.scheme in SCHEMES
        assert set(target.precisions) <= set(targets.PRECISIONS)
        assert "int8" in target.precisions
        assert target.upsample in targets.UPSAMPLE_OPS


ALL = ("openvino", "onnxruntime", "tensorrt-rtx", "tensorrt")


@pytest.mark.parametrize(
    ("names", "gpu", "expected"),
    [
        (ALL, True, "tensorrt"),
        (("tensorrt",), True, "tensorrt"),
        (("tensorrt-rtx", "openvino"), True, "tensorrt-rtx"),
        (ALL, False, "openvino"),
        (("tensorrt", "onnxruntime"), False, "onnxruntime"),
        (("openvino", "onnxruntime"), True, "openvino"),
    ],
)
def test_auto_takes_the_fastest_that_runs_here(
    names: tuple[str, ...],
    gpu: bool,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    installed(monkeypatch, *names, gpu=gpu)
    assert targets.choose("auto").name == expected
    assert f"target {expected}, the fastest that runs here" in capsys.readouterr().err
    assert targets.running()[0].name == expected


def test_auto_says_why_a_gpu_was_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, "tensorrt", "openvino")
    targets.choose("auto")
    said = capsys.readouterr().err.replace("\n", " ")
    assert "tensorrt: no usable GPU on this machine" in said
    assert "tensorrt-rtx: not installed" in said


def test_nothing_installed_has_the_command_that_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with pytest.raises(UsageError, match=r"no runtime is installed; .*pip install"):
        targets.choose("auto")


def test_the_bindings_alone_are_enough_for_tensorrt_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = object()
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: spec if name == "tensorrt_rtx_bindings" else None
    )
    assert targets.get("tensorrt-rtx").installed()
    assert not targets.get("tensorrt").installed()


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown target 'tpu'; known: auto, onnxruntime"):
        targets.choose("tpu")
    with pytest.raises(UsageError, match="unknown precision 'int4'"):
        resolve(BuildRequest(target="openvino", precision="int4"))
    with pytest.raises(UsageError, match=r"onnxruntime has no bf16 engine.* built by: openvino"):
        resolve(BuildRequest(target="onnxruntime", precision="bf16"))
