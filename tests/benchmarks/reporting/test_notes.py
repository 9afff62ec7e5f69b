"""The sentences of a report whose figures are known."""

from __future__ import annotations

from dataclasses import replace

from edge.benchmarks.reporting.notes import headline, notes
from edge.benchmarks.reporting.report import DepthScores, LatencySummary, Report, Scores

from .by_hand import BUILDS, FP32, INT8, REPORT, latency


def with_int8(**values: object) -> Report:
    return replace(REPORT, builds=(BUILDS[0], replace(BUILDS[1], **values)))  # type: ignore[arg-type]


def having(report: Report, words: str) -> list[str]:
    return [line for line in notes(report) if words in line]


def test_the_headline_names_speed_and_loss() -> None:
    assert headline(REPORT) == (
        f"{INT8} runs 2.50x as fast as FP32 and loses 2.00 points of IoU and gains 0.50 points of"
        " delta1."
    )
    lost = Scores(BUILDS[1].drop.mask, DepthScores(0.0, 0.0, 0.01))
    assert "loses 2.00 points of IoU and 1.00 points of delta1." in headline(with_int8(drop=lost))
    assert headline(with_int8(drop=Scores())).endswith("; its accuracy could not be scored.")
    assert headline(replace(REPORT, builds=BUILDS[:1])) == f"{FP32} runs at 200 fps."
    own = replace(REPORT, samples=replace(REPORT.samples, depth="fp32"))
    assert "points of delta1 against FP32's own depth" in headline(own)


def test_what_was_measured_and_on_what() -> None:
    first, second, *_ = notes(REPORT)
    assert first == "6 frames of 1 scene (rendered:6); a processor, 1 of 4 cores."
    assert "native frame to mask and depth. Not folded" in second  # FP32 was not paced
    paced = replace(BUILDS[0], paced=BUILDS[1].paced)
    assert having(replace(REPORT, builds=(paced,)), "a frame every 33 ms")
    two = replace(REPORT, samples=replace(REPORT.samples, sequences=2))
    assert notes(two)[0].startswith("6 frames of 2 scenes (")


def test_what_lacks_is_said_and_only_then() -> None:
    words = ("Disturbed: dust", "no depth, so depth has no score", "no foreground", "2 samples")
    assert not any(having(REPORT, each) for each in words)
    samples = replace(
        REPORT.samples, depth="fp32", with_foreground=0, skipped={"a": "damaged", "b": "damaged"}
    )
    watch = replace(REPORT.watch, disturbed="dust")
    lacking = replace(REPORT, samples=samples, watch=watch)
    assert [len(having(lacking, each)) for each in words] == [1, 1, 1, 1]
    without = replace(lacking, builds=tuple(replace(e, drop=Scores()) for e in BUILDS))
    assert not having(without, words[1])


def test_a_build_that_is_int8_in_name_only_is_named() -> None:
    assert not having(REPORT, "int8 in name")
    assert not having(with_int8(int8_layers=5), "int8 in name")
    named = f"{INT8} is int8 in name: 6 of 10 layers run in float."
    assert named in notes(with_int8(int8_layers=4))
    assert f"{INT8} is int8 in name: 10 of 10" in " ".join(notes(with_int8(int8_layers=None)))
    assert not having(with_int8(int8_layers=4, precision="fp16"), "int8 in name")
    assert not having(with_int8(int8_layers=None, layers=None), "int8 in name")


def test_a_frames_time_is_split_for_the_builds_that_were_asked_about() -> None:
    (line,) = having(REPORT, "trtexec-comparable")
    assert line.startswith(
        f"trtexec-comparable, {INT8}: 1.000 ms of compute alone, 1000 per second. Split of a frame,"
        " ms: decode 0.750, resize 0.500, compute 1.000, blobs 0.250 (decode:"
    )
    assert "of compute, by the GPU's clock" not in line
    stages: dict[str, LatencySummary] = {"h2d_ms": latency(0.125), "gpu_compute_ms": latency(0.5)}
    assert having(with_int8(**stages), "by the GPU's clock: h2d 0.125, gpu_compute 0.500)")
    cost = BUILDS[1].overhead
    both = replace(REPORT, builds=(replace(BUILDS[0], overhead=cost), BUILDS[1]))
    assert len(having(both, "trtexec-comparable")) == 1
    assert len(having(replace(both, builds=both.builds[:1]), "trtexec-comparable")) == 1


def test_meters_paces_starts_gates_and_cameras() -> None:
    said = notes(REPORT)
    for line in (
        f"{INT8}: package counted 12.00 mJ per frame, 6.0 W, including everything else that it"
        " feeds.",
        f"{INT8} at 30 fps: 3 frames late, 2 dropped, 29 fps reached.",
        f"{INT8} opens in 30 ms, takes 20 ms for a background and 3.00 ms for its first frame.",
        f"{INT8} behind a gate of 4 grey levels skips 25.0 % of the frames, F-measure 0.9000"
        " instead of 0.9400.",
        f"{INT8}, 3 cameras of 640x480 at 5 fps, image to blobs: 1 of 15 frames late, 12 % of 2"
        " cores busy (resize 0.50, infer 2.00 ms per frame), 100 MB.",
    ):
        assert line in said
    assert not any("overhead of" in line for line in said)
    asked = replace(REPORT, method=replace(REPORT.method, overhead=True))
    assert having(asked, "an overhead of 100 us or 10.0 % (medians of 2000, interleaved).")
    tuned = replace(REPORT, method=replace(REPORT.method, threads_tried_ms={"1": 2.0, "2": 1.5}))
    assert "Threads tried: 1: 2.000 ms, 2: 1.500 ms; 1 taken." in notes(tuned)
