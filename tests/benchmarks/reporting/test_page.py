"""The report's page, as text and in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge.benchmarks.measuring.run import Outcome
from edge.benchmarks.reporting.page import _spread, page
from edge.benchmarks.reporting.table import folded, headline

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
LOOK = """<script>
const errors = []; addEventListener("error", e => errors.push(e.message));
addEventListener("load", () => { document.title =
  [innerWidth, document.documentElement.scrollWidth, errors.length,
   getComputedStyle(document.body).backgroundColor, document.images[0].naturalWidth].join("|"); });
</script>"""


SENSITIVITY = {
    "claim": {"count": 8, "samples": "rendered:8", "target": "openvino"},
    "lost": {
        **{f"layer {n}": {"iou": n / 1000, "delta1": 0.0} for n in range(30)},
        "gains": {"iou": -0.002, "delta1": -0.001},
    },
}


@pytest.fixture(scope="module")
def text(outcome: Outcome) -> str:
    report = outcome.report | {"sensitivity": SENSITIVITY}
    return page(report, outcome.samples, outcome.picture, "edge bench <build>")


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


def test_the_page_is_whole_and_loads_nothing(text: str, outcome: Outcome) -> None:
    parser = Balance()
    # Self-closed shapes of SVG are elements of their own.
    parser.feed(re.sub(r"<(path|circle|polyline)([^>]*)/>", r"<\1\2></\1>", text))
    assert parser.open == []
    assert "://" not in re.sub(r"data:[^\"]*", "", text)
    assert headline(outcome.report) in text
    assert "edge bench &lt;build&gt;" in text
    for entry in folded(outcome.report):
        assert text.count(f">{entry['name']}</text>") == 2  # in both plots


def test_layers_are_bars_the_costliest_first(text: str) -> None:
    widths = [float(width) for width in re.findall(r'<span style="width:([\d.]+)%">', text)]
    assert widths[0] == 100
    assert widths == sorted(widths, reverse=True)
    assert len(widths) == 24
    assert text.index("layer 29") < text.index("layer 28")
    assert "+0.02900" in text
    assert "7 layers that cost less are left out" in text


def test_labels_do_not_cover_each_other() -> None:
    found = _spread([50.0, 51.0, 10.0, 52.0])
    assert found[2] == 10
    assert sorted(found)[1:] == [50, 64, 78]


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
@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_real_browser(width: int, text: str, tmp_path: Path) -> None:
    """No error, nothing wider than the window, pictures there; headless windows are 500 at least,
    so a phone is a frame inside."""
    inner, outer = tmp_path / "report.html", tmp_path / "outer.html"
    inner.write_text(text.replace("</head>", f"{LOOK}</head>"))
    outer.write_text(
        f'<title></title><iframe src="report.html" width="{width}" height="900"></iframe><script>'
        "addEventListener('load', () => setTimeout(() => { document.title ="
        " document.querySelector('iframe').contentDocument.title; }, 300));</script>"
    )
    options = ("--allow-file-access-from-files", "--virtual-time-budget=3000")
    inside, needed, errors, _, picture = looked_at(outer, *options)
    assert int(needed) <= int(inside) <= width
    assert errors == "0"
    assert int(picture) > 100


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
