"""The table of a report whose figures are known."""

from __future__ import annotations

from dataclasses import replace

from edge.benchmarks.reporting.markdown import markdown_table
from edge.benchmarks.reporting.report import DepthScores, Scores
from edge.benchmarks.reporting.table import loss, peer_rows, plain, rows

from .by_hand import BUILDS, FP32, INT8, PEER, REPORT


def test_every_figure_stands_beside_that_of_fp32() -> None:
    table = {name: cells for name, *cells in rows(REPORT)}
    assert table == {
        "": [FP32, INT8],
        "size, MB": ["1.23", "1.23"],
        "layers in int8": ["-", "9 of 10"],
        "fps": ["200", "500 (2.50x)"],
        "p50, ms": ["4.00", "1.00 (4.00x)"],
        "p90, ms": ["-", "-"],
        "p99, ms": ["-", "-"],
        "p50 paced, ms": ["-", "1.50"],
        "p50 not folded, ms": ["8.00", "3.00"],
        "mask IoU": ["0.9000", "0.8800 (lost 0.0200)"],
        "mask F-measure": ["0.9500", "0.9400 (lost 0.0100)"],
        "mask flicker, %": ["0.0500", "-"],
        "depth AbsRel": ["0.1000", "0.1000 (lost 0.0000)"],
        "depth delta1": ["0.8000", "0.8050 (lost -0.0050)"],
    }


def test_without_a_true_depth_that_of_fp32_is_what_depth_is_compared_with() -> None:
    off = Scores(depth=DepthScores(0.03, 0.01, 0.1))
    builds = (BUILDS[0], replace(BUILDS[1], depth=None, drop=off))
    samples = replace(REPORT.samples, depth="fp32")
    table = {name: cells for name, *cells in rows(replace(REPORT, builds=builds, samples=samples))}
    assert table["depth off FP32's, AbsRel"] == ["-", "0.0300"]
    assert table["depth off FP32's, delta1"] == ["-", "0.9000"]
    assert "depth off FP32's, delta1" not in {name for name, *_ in rows(REPORT)}


def test_peers_stand_by_their_speed_and_builds_beside_them() -> None:
    slow = replace(PEER, name="slow", latency_ms=replace(PEER.latency_ms, p50=None, mean=99.0))
    lines = peer_rows(replace(REPORT, peers=(slow, PEER)))
    assert lines == [
        ["", "p50, ms", "mask F-measure", f"{INT8} is"],
        ["mog2", "10.00", "0.6000", "10.00x as fast"],
        ["slow", "-", "0.6000", "-"],
    ]
    text = plain(replace(REPORT, peers=(PEER,)))
    assert text.count("\n\n") == 1
    assert text.splitlines()[1] == "size, MB" + 12 * " " + "1.23" + 15 * " " + "1.23"


def test_markdown_has_a_rule_below_its_heads() -> None:
    assert markdown_table([["", "a"], ["b", "1"]]) == ["|  | a |", "| --- | --- |", "| b | 1 |"]
    assert loss(-1e-9, 2) == "0.00"
