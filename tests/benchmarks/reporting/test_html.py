"""The report's page, as text and in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge.benchmarks.measuring.bench import Outcome
from edge.benchmarks.reporting.html import page
from edge.benchmarks.reporting.notes import headline
from edge.benchmarks.reporting.plots import Axes, pareto, separated, trade_off
from edge.benchmarks.reporting.report import Sensitivity

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
LOOK = """<script>
const errors = []; addEventListener("error", e => errors.push(e.message));
addEventListener("load", () => {
  const heads = [...document.querySelector("table").querySelectorAll("thead th")].slice(1);
  const seen = heads.map(h => h.getBoundingClientRect().right <= innerWidth);
  document.title =
  [innerWidth, document.documentElement.scrollWidth, errors.length,
   getComputedStyle(document.body).backgroundColor, document.images[0].naturalWidth,
   [...document.querySelectorAll(".wide")].every(w => {
     w.scrollLeft = 1e6;
     return w.firstElementChild.getBoundingClientRect().right <=
       w.getBoundingClientRect().right + 1 && getComputedStyle(w).overflowX == "auto"; }),
   [...document.images].every(i => i.getBoundingClientRect().right <= innerWidth &&
     i.getBoundingClientRect().width >= 100),
   heads.filter((h, number) => seen[number]).map(h => h.textContent).join(",")
  ].join("|"); });
</script>"""


SENSITIVITY = Sensitivity(
    key={"count": 8, "samples": "rendered:8", "target": "openvino"},
    drops={
        **{f"layer {n}": {"iou": n / 1000, "delta1": 0.0} for n in range(30)},
        "gains": {"iou": -0.002, "delta1": -0.001},
    },
)


@pytest.fixture(scope="module")
def text(outcome: Outcome) -> str:
    report = replace(outcome.report, sensitivity=SENSITIVITY)
    return page(report, outcome.frames, outcome.shown, "edge bench <build>")


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(("lost", "told"), [(0.0012, "loses 0.12"), (-0.0012, "gains 0.12")])
def test_the_headline_says_what_is_lost_and_gained(
    lost: float, told: str, outcome: Outcome
) -> None:
    build = outcome.report.folded[-1]
    assert build.drop.mask is not None
    changed = replace(build, drop=replace(build.drop, mask=replace(build.drop.mask, iou=lost)))
    entries = [changed if entry is build else entry for entry in outcome.report.builds]
    assert f"{told} points of IoU" in headline(replace(outcome.report, builds=entries))


def test_the_page_is_whole_and_loads_nothing(text: str, outcome: Outcome) -> None:
    parser = Balance()
    # Self-closed shapes of SVG are elements of their own.
    parser.feed(re.sub(r"<(path|circle|polyline)([^>]*)/>", r"<\1\2></\1>", text))
    assert parser.open == []
    assert "://" not in re.sub(r"data:[^\"]*", "", text)
    assert headline(outcome.report) in text
    assert "edge bench &lt;build&gt;" in text
    for entry in outcome.report.folded:
        assert text.count(f">{entry.name}</text>") == 2  # in both plots


def test_layers_are_bars_the_largest_loss_first(text: str) -> None:
    widths = [float(width) for width in re.findall(r'<span style="width:([\d.]+)%">', text)]
    assert widths[0] == 100
    assert widths == sorted(widths, reverse=True)
    assert len(widths) == 24
    assert text.index("layer 29") < text.index("layer 28")
    assert "+0.02900" in text
    assert "7 layers that lose less are left out" in text


def test_labels_do_not_cover_each_other() -> None:
    heights = separated([50.0, 51.0, 10.0, 52.0])
    assert heights[2] == 10
    assert sorted(heights)[1:] == [50, 64, 78]


def test_a_plot_is_wide_enough_for_its_names() -> None:
    def width(name: str) -> int:
        found = re.search(r'viewBox="0 0 (\d+)', trade_off([(name, 1.0, 0.9)], "IoU"))
        assert found is not None
        return int(found[1])

    assert width("n" * 80) - width("n" * 20) >= 60 * 7


def test_the_pareto_front() -> None:
    points = [("a", 1.0, 0.5), ("b", 2.0, 0.7), ("c", 3.0, 0.6), ("d", 2.0, 0.7), ("e", 9.0, 0.9)]
    assert [name for name, _, _ in pareto(points)] == ["a", "b", "d", "e"]


@pytest.mark.parametrize("times", [[0.37], [1.13], [4.2, 4.4], [2.1, 3.9], [0.2, 80.0], [1e3]])
def test_a_time_axis_has_ticks_however_narrow_it_is(times: list[float]) -> None:
    axes = Axes(times, 0, 1, ["name"])
    ticks = axes.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(min(times) * 0.89 <= tick <= max(times) * 1.11 for tick in ticks)
    plot = trade_off([(f"{time}", time, 0.9) for time in times], "IoU")
    assert plot.count('text-anchor="middle"') == len(ticks) + 1


@pytest.mark.parametrize(
    "values", [[0.046], [0.0], [1.0], [0.946, 0.951], [0.2, 0.9], [0.9, 0.9001]]
)
def test_a_value_axis_has_round_levels_within_its_range(values: list[float]) -> None:
    plot = trade_off([(f"{value}", 1.0 + value, value) for value in values], "IoU")
    found = re.findall(r'text-anchor="end">([-\d.]+)<', plot)
    assert 3 <= len(found) <= 8
    assert all(0 <= float(level) <= 1 and len(level) <= 5 for level in found)
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', plot)]
    assert all(28 <= height <= 270 for height in heights)


def looked_at(file: Path, *options: str) -> list[str]:
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", *options]
    done = subprocess.run(
        [*command, file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    return title[1].split("|")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 768, 1600, 2560])
def test_in_a_real_browser(width: int, text: str, outcome: Outcome, tmp_path: Path) -> None:
    """No error, nothing wider than the window, wide parts scroll to their ends; every image is in
    view, and so is the first INT8 column on a phone, every column on a desk.

    Headless windows are 500 wide at least, so a phone is a frame inside.
    """
    inner, outer = tmp_path / "report.html", tmp_path / "outer.html"
    inner.write_text(text.replace("</head>", f"{LOOK}</head>"))
    outer.write_text(
        f'<title></title><iframe src="report.html" width="{width}" height="900"></iframe><script>'
        "addEventListener('load', () => setTimeout(() => { document.title ="
        " document.querySelector('iframe').contentDocument.title; }, 300));</script>"
    )
    options = ("--allow-file-access-from-files", "--virtual-time-budget=3000")
    inside, needed, errors, _, image, reachable, images, heads = looked_at(outer, *options)
    assert int(needed) <= int(inside) <= width
    assert errors == "0"
    assert int(image) > 100
    assert reachable == images == "true"
    names = [entry.name for entry in outcome.report.folded]
    assert "int8" in names[1]
    assert heads.split(",")[: len(names) if width >= 1600 else 2] == (
        names if width >= 1600 else names[:2]
    )


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium")
def test_it_is_dark_where_the_system_is(text: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(text.replace("</head>", f"{LOOK}</head>"))
    light = looked_at(file, "--virtual-time-budget=2000")[3]
    dark = looked_at(file, "--virtual-time-budget=2000", "--blink-settings=preferredColorScheme=0")[
        3
    ]
    assert light == "rgb(255, 255, 255)"
    assert dark == "rgb(15, 20, 25)"
