from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from edge import doctor
from edge.errors import EdgeError
from edge.runtime import nvidia
from edge.targets import Target
from edge.targets import targets as all_targets

ORIN = {
    "proc/cpuinfo": "processor : 0\nFeatures : fp asimd asimddp\nModel : ARMv8 rev 1\n",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64"
    "  540.4.0  Release Build\n",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}',
    "var/lib/nvpmodel/status": "pmode:0002 fmode:cool\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
}
OLD = {
    "proc/cpuinfo": "model name : Pentium\nflags : sse2\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
}


def seen(
    files: dict[str, str],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    cuda: tuple[int, int] | None = None,
    bindings: str = "",
) -> dict[str, doctor.Finding]:
    """What doctor finds; cuda: of the driver, bindings: version of the installed cuda-bindings."""
    monkeypatch.setattr(nvidia, "driver_cuda", lambda: cuda)
    monkeypatch.setattr(nvidia, "bindings_version", lambda: bindings)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(doctor, "ROOT", root)
    return {finding.subject: finding for finding in doctor.machine()}


def test_a_jetson_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = seen(ORIN, tmp_path, monkeypatch, (12, 6), "12.9.10")
    assert found["Jetson"].text == ("NVIDIA Jetson Orin Nano Developer Kit, L4T 36.4.3 (JetPack 6)")
    told = [found[about].text for about in ("driver", "CUDA", "power mode")]
    assert told == [
        "NVIDIA 540.4.0, CUDA 12.6",
        "toolkit 12.6.11, cuda-bindings 12.9.10",
        "nvpmodel 2",
    ]
    assert found["CUDA"].ok
    assert found["int8 on it"].ok
    assert "dot product" in found["int8 on it"].text
    assert found["power"].ok


@pytest.mark.parametrize(
    ("cuda", "bindings", "text", "extra"),
    [
        ((12, 6), "13.5.0", "needs a driver of CUDA 13, this machine's speaks CUDA 12.6", "cuda12"),
        ((12, 6), "", "cuda-bindings is not installed", "cuda12"),
        ((13, 2), "", "cuda-bindings is not installed", "cuda13"),
        ((13, 2), "12.9.10", "", ""),
        ((13, 0), "13.5.0", "", ""),
    ],
)
def test_bindings_that_do_not_fit_the_driver_have_their_cure(
    cuda: tuple[int, int],
    bindings: str,
    text: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = seen(ORIN, tmp_path, monkeypatch, cuda, bindings)["CUDA"]
    assert found.ok == (not extra)
    assert "toolkit 12.6.11" in found.text
    assert text in found.text
    assert found.hint.endswith(f"pip install -c constraints.txt '.[{extra}]'" if extra else "")


def test_a_machine_without_nvidia_says_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = seen(OLD, tmp_path, monkeypatch, None, "13.5.0")
    assert not {"driver", "CUDA", "power mode"} & found.keys()


def test_a_slow_machine_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = seen(OLD, tmp_path, monkeypatch)
    assert not {"Jetson", "driver", "CUDA", "power mode"} & found.keys()
    assert not found["int8 on it"].ok
    assert not found["power"].ok
    assert "cpupower frequency-set" in found["power"].hint


ZEN3 = "model name : AMD Ryzen 7 5800X\nflags : sse2 avx avx2 fma\n"
ICE_LAKE = "model name : Xeon\nflags : avx2 avx512f avx512_vnni\n"


def test_int8_without_dot_products_is_no_bad_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But old builds, whose sums saturate there, are announced as refused."""
    found = seen({"proc/cpuinfo": ZEN3}, tmp_path / "a", monkeypatch)["int8 on it"]
    assert (found.ok, found.text) == (True, "AVX2")
    assert "still faster than FP32" in found.hint
    assert "builds of earlier versions are refused" in found.hint
    found = seen({"proc/cpuinfo": ICE_LAKE}, tmp_path / "b", monkeypatch)["int8 on it"]
    assert (found.ok, found.hint) == (True, "")
    assert "AVX512-VNNI (int8)" in found.text


def test_nothing_to_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen({}, tmp_path / "none", monkeypatch)["processor"].ok


def test_a_core_that_is_off_line_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for core, file in (("cpu0", True), ("cpu1", False)):
        place = tmp_path / "sys/devices/system/cpu" / core / "cpufreq" / "scaling_governor"
        place.parent.mkdir(parents=True)
        place.write_text("powersave\n") if file else place.mkdir()  # reading it is an error
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert doctor._governors() == "powersave"


def test_the_gpu_and_its_absence() -> None:
    gpu = doctor.gpu(lambda: SimpleNamespace(capability=87, integrated=True))
    assert (gpu.ok, gpu.text) == (True, "compute capability 8.7, shares the host's memory")

    def none() -> None:
        raise EdgeError("no usable GPU on this machine (why)", "builds for openvino need none")

    assert doctor.gpu(none).text == "no usable GPU on this machine (why)"


def test_a_missing_part_has_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Target, "installed", lambda target: False)
    for finding in doctor.targets():
        assert not finding.ok
        assert finding.hint
    monkeypatch.setattr(Target, "installed", lambda target: True)
    monkeypatch.setattr("edge.targets.tensorrt.why_not_on_gpu", lambda packages: "no GPU")
    monkeypatch.setattr("edge.targets.tensorrt_rtx.why_not_on_gpu", lambda packages: "no GPU")
    by = {finding.subject: finding for finding in doctor.targets()}
    assert set(by) == set(all_targets())
    assert by["openvino"].ok
    assert "runs where a GPU is" in by["tensorrt-rtx"].text
    assert not by["tensorrt"].ok
    monkeypatch.setattr("edge.targets.tensorrt.why_not_on_gpu", lambda packages: "")
    assert {f.subject: f for f in doctor.targets()}["tensorrt"].ok


def test_opencv_and_pyav_are_looked_at() -> None:
    pyav, opencv = doctor.video()
    assert pyav.ok and opencv.ok
    assert "FFmpeg" in pyav.text
    assert opencv.text.startswith(cv2.__version__)
    assert re.search("with(out)? GStreamer, with(out)? FFmpeg", opencv.text)


OPENCVS = {
    "JetPack's": ("FFMPEG: YES\n  GStreamer: YES (1.20.3)\n", True, "with GStreamer, with FFmpeg"),
    "without either": ("FFMPEG: NO\n  GStreamer: NO\n", True, "without GStreamer, without FFmpeg"),
    "for numpy 1": (
        "numpy.core.multiarray failed to import",
        False,
        "cannot be loaded: numpy.core",
    ),
    "without libGL": ("libGL.so.1: cannot open shared object file", False, "loaded: libGL.so.1"),
    "none": ("No module named 'cv2'", False, "not installed"),
}


@pytest.mark.parametrize("kind", OPENCVS)
def test_an_opencv_of_the_system(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, ok, text = OPENCVS[kind]
    program = f"__version__ = '4.8.0'\ndef getBuildInformation(): return {said!r}\n"
    (tmp_path / "cv2.py").write_text(program if ok else f"raise ImportError({said!r})")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(doctor, "_version", lambda *names: "2.4" if names == ("numpy",) else "")
    opencv = doctor.video()[1]
    assert opencv.ok == ok
    assert text in opencv.text
    assert bool(opencv.hint) != ok
    if ok:  # none of pip's: where it lies is said
        assert str(tmp_path) in opencv.text
