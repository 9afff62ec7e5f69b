"""The page in a real browser: drawn with the mouse and by keyboard, seen, lost and found again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.view import server
from edge.zones.file import read_zones, write_zones
from edge.zones.zone import LINE, Zone

from ..sinks.events import event
from .browser import BROWSER, Browser
from .site import HEIGHT, Site, wait_for

SCRIPT = "<img src=x onerror=alert(1)>"
FOREIGN = Zone(SCRIPT, "ignored", ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1)))
EVENTS = "[...document.querySelectorAll('#events strong')].map(e => e.textContent).join()"
CAPTION = "document.querySelector('.live figcaption').textContent"
MESSAGE = "document.querySelector('.message').textContent"
STATUS = "document.querySelector('#connection').textContent"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def leave(browser: Browser) -> Iterator[None]:
    """The page of a site that is closed would go on looking for it, into the next test; and a list
    of events under the mouse would wait."""
    browser.mouse("Moved", 1, 1)
    yield
    browser.open("about:blank")


@pytest.mark.parametrize(("width", "height", "dark"), [(1600, 900, False), (390, 844, True)])
def test_a_zone_is_drawn_and_somebody_enters_it(
    width: int, height: int, dark: bool, browser: Browser, site: Callable[..., Site], tmp_path: Path
) -> None:
    running = site(zones=[FOREIGN])
    browser.errors.clear()
    browser.window(width, height, dark)
    browser.open(running.url)
    browser.wait(f"{STATUS} === 'Live'")
    browser.wait("document.querySelector('.tracks rect')")
    shade = browser.run("getComputedStyle(document.body).backgroundColor")
    assert shade == ("rgb(15, 20, 25)" if dark else "rgb(246, 247, 248)")

    browser.click_on(".edit")
    browser.click_on(".polygon")
    for x, y in ((0.5, 0.5), (0.95, 0.5), (0.95, 0.97), (0.5, 0.97)):
        browser.click(*browser.place(".stage svg", x, y))
    browser.click(*browser.place(".stage svg", 0.5, 0.5))  # the first point closes it
    wait_for(lambda: len(read_zones(running.zones)) == 2)
    drawn = read_zones(running.zones)[1]
    assert (drawn.name, drawn.kind, len(drawn.points)) == ("zone 1", "restricted", 4)
    expected = ((0.5, 0.5), (0.95, 0.5), (0.95, 0.97), (0.5, 0.97))
    assert all(
        abs(a - b) < 0.01
        for point, given in zip(drawn.points, expected, strict=True)
        for a, b in zip(point, given, strict=True)
    )

    browser.write("porch")  # its name has the focus and is selected
    browser.press("Tab")
    wait_for(lambda: read_zones(running.zones)[1].name == "porch")
    browser.wait(f"{EVENTS}.includes('zone entered · porch')")

    # Moved as a whole, then bent at a new corner; both undone.
    browser.drag(browser.place(".stage svg", 0.7, 0.7), browser.place(".stage svg", 0.6, 0.7))
    wait_for(lambda: read_zones(running.zones)[1].points[0][0] == pytest.approx(0.4, abs=0.01))
    assert read_zones(running.zones)[1].points[2] == pytest.approx((0.85, 0.97), abs=0.01)
    browser.drag(browser.place(".stage svg", 0.4, 0.735), browser.place(".stage svg", 0.2, 0.7))
    wait_for(lambda: len(read_zones(running.zones)[1].points) == 5)
    assert read_zones(running.zones)[1].points[4] == pytest.approx((0.2, 0.7), abs=0.01)
    browser.picture(tmp_path / "edited.png")
    browser.click_on(".undo")
    browser.click_on(".undo")
    wait_for(lambda: read_zones(running.zones)[1].points == drawn.points)

    browser.click_on("li.restricted button.delete")
    wait_for(lambda: read_zones(running.zones) == [FOREIGN])
    browser.click_on(".edit")

    # The event explains itself; a name is text, whatever it looks like.
    browser.click_on("#events .alarm button")
    browser.wait("document.querySelector('#detail img').naturalWidth > 100")
    assert "porch" in browser.run("document.querySelector('#detail').textContent")
    browser.press("Escape")
    assert browser.run("document.querySelector('.zones text').textContent") == SCRIPT
    assert browser.run("document.querySelectorAll('svg img, .rows img, h2 img').length") == 0

    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.picture(tmp_path / "page.png")
    assert browser.errors == []


def test_a_line_is_drawn_by_keyboard(browser: Browser, site: Callable[..., Site]) -> None:
    running = site()
    browser.errors.clear()
    browser.window(1600, 900)
    browser.open(running.url)
    browser.wait("document.querySelector('.edit:enabled')")
    browser.run("document.querySelector('.edit').focus()")
    browser.press("Enter")
    browser.press("Tab")  # past the zone
    browser.press("Tab")
    browser.press("Enter")
    for _ in range(4):
        browser.press("ArrowDown")
    browser.press(" ")
    for _ in range(10):
        browser.press("ArrowRight")
    browser.press(" ")
    browser.press("Enter")
    (line,) = wait_for(lambda: read_zones(running.zones))
    assert line.kind == LINE
    assert line.points == ((0.5, 0.52), (0.55, 0.52))
    browser.run("document.querySelector('.handle').focus()")
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    wait_for(lambda: read_zones(running.zones)[0].points == ((0.49, 0.52), (0.55, 0.52)))
    # It goes to the right, so that its right side is below it.
    texts = "[...document.querySelectorAll('.zones text')]"
    ways = browser.run(f"{texts}.map(text => [text.textContent, +text.getAttribute('y')])")
    assert dict(ways)["left"] < 0.52 * HEIGHT < dict(ways)["right"]
    browser.press("Delete")
    assert "keeps 2 points" in browser.run(MESSAGE)
    assert read_zones(running.zones) != []
    assert browser.errors == []


def test_a_double_click_ends_a_zone_and_a_line(browser: Browser, site: Callable[..., Site]) -> None:
    running = site()
    browser.errors.clear()
    browser.window(1600, 900)
    browser.open(running.url)
    browser.wait("document.querySelector('.edit:enabled')")
    browser.click_on(".edit")
    browser.click_on(".polygon")
    browser.click(*browser.place(".stage svg", 0.2, 0.2))
    browser.double_click(*browser.place(".stage svg", 0.8, 0.2))
    browser.wait(f"{MESSAGE}.startsWith('2 points')")
    browser.click(*browser.place(".stage svg", 0.8, 0.6))
    browser.wait(f"{MESSAGE}.startsWith('Click the points')")
    browser.double_click(*browser.place(".stage svg", 0.2, 0.6))
    (zone,) = wait_for(lambda: read_zones(running.zones))
    assert len(zone.points) == 4
    browser.wait(f"{MESSAGE} === 'Saved.'")
    browser.click_on("button.line")
    browser.click(*browser.place(".stage svg", 0.2, 0.8))
    browser.double_click(*browser.place(".stage svg", 0.8, 0.8))
    wait_for(lambda: [len(each.points) for each in read_zones(running.zones)] == [4, 2])
    # The point after one that is deleted has the focus.
    browser.click(*browser.place(".stage svg", 0.5, 0.4))
    browser.run("document.querySelector('.handle[data-point=\"3\"]').focus()")
    browser.press("Delete")
    assert browser.run("document.activeElement.dataset.point") == "2"
    wait_for(lambda: len(read_zones(running.zones)[0].points) == 3)
    assert browser.errors == []


def test_a_depth_is_clicked_and_lights_up(browser: Browser, site: Callable[..., Site]) -> None:
    whole = Zone("all", "restricted", ((0.25, 0.0), (1.0, 0.0), (1.0, 1.0), (0.25, 1.0)))
    running = site(zones=[whole])
    browser.errors.clear()
    browser.window(1600, 900)
    browser.open(running.url)
    browser.wait("document.querySelector('.edit:enabled')")
    browser.click_on(".edit")
    browser.click_on(".measure")
    browser.wait("document.querySelector('.measuring')")
    browser.click(*browser.place(".stage svg", 0.5, 0.9))
    assert browser.run("document.querySelectorAll('.draft .handle').length") == 1
    browser.mouse("Moved", *browser.place(".stage svg", 0.5, 0.3))
    shares = [(0.5, 0.6), (0.5, 0.2), (0.5, 0.97), (0.1, 0.6)]  # in it, too far, too near, beside
    lit = browser.run(
        "(() => { const c = document.querySelector('.lit'), { width: w, height: h } = c;"
        " const { data } = c.getContext('2d').getImageData(0, 0, w, h);"
        f" return {[list(each) for each in shares]}.map(([x, y]) =>"
        " data[4 * (Math.floor(y * h) * w + Math.floor(x * w)) + 3] > 0); })()"
    )
    assert lit == [True, False, False, False]
    browser.click(*browser.place(".stage svg", 0.5, 0.3))
    (zone,) = wait_for(lambda: [each for each in read_zones(running.zones) if each.depth])
    assert zone.depth == pytest.approx((0.3, 0.9), abs=0.02)
    assert browser.run("document.querySelector('.lit').hidden")
    browser.click_on(".undo")
    wait_for(lambda: read_zones(running.zones) == [whole])
    browser.run("document.querySelector('[data-key=\"depth 0\"]').focus()")
    browser.write("0.2 - 0.4")
    browser.press("Tab")
    wait_for(lambda: read_zones(running.zones)[0].depth == (0.2, 0.4))
    browser.wait(f"{MESSAGE} === 'Saved.'")
    for wrong in ("abc", "0,2 - 0,4", "0.47-0.6m", "0.6 - 0.47", "0.2 - 1.4", "0.3"):
        browser.run("document.querySelector('.message').textContent = ''")
        browser.run("document.querySelector('[data-key=\"depth 0\"]').focus()")
        browser.run("document.activeElement.select()")
        browser.write(wrong)
        browser.press("Enter")
        browser.wait(f"{MESSAGE}.startsWith('Not saved: Depth is two numbers')")
        field = "document.querySelector('[data-key=\"depth 0\"]').value"
        assert browser.run(field) == "0.2 \N{EN DASH} 0.4"
    assert read_zones(running.zones)[0].depth == (0.2, 0.4)
    assert browser.errors == []


def test_what_the_file_refuses_is_said_and_taken_back(
    browser: Browser, site: Callable[..., Site]
) -> None:
    running = site()
    browser.window(1600, 900)
    browser.open(running.url)
    browser.wait("document.querySelector('.edit:enabled')")
    browser.click_on(".edit")
    browser.click_on(".polygon")
    for x, y in ((0.2, 0.2), (0.8, 0.8), (0.8, 0.2), (0.2, 0.8)):
        browser.click(*browser.place(".stage svg", x, y))
    browser.press("Enter")
    browser.wait("document.querySelector('.message').textContent.includes('crosses itself')")
    assert read_zones(running.zones) == []
    assert browser.run("document.querySelectorAll('.zone').length") == 0
    browser.press("Escape")
    assert browser.run(MESSAGE) == ""
    # What another program writes is said, too.
    later = (time.localtime().tm_hour + 2) % 24
    night = Zone("night", "ignored", FOREIGN.points, hours=(f"{later:02}:00-{later:02}:30",))
    write_zones(running.zones, [night])
    browser.wait("document.querySelector('.zone.resting')")
    assert "outside its hours" in browser.run("document.querySelector('.zones text').textContent")
    running.zones.write_text("[")
    browser.wait("document.querySelector('.broken').textContent.includes('expected')")
    assert browser.run("document.querySelectorAll('.zone').length") == 1
    write_zones(running.zones, [night])
    browser.wait("document.querySelector('.broken').textContent === ''")


def test_it_says_when_the_connection_is_lost_and_comes_back(
    browser: Browser, site: Callable[..., Site]
) -> None:
    running = site("door", "yard")
    browser.window(390, 844)
    browser.open(running.url)
    browser.wait(f"{STATUS} === 'Live'")
    browser.wait(f"{CAPTION} === 'Live, mask outlined'")
    running.cameras["yard"].ended = True
    yard = "document.querySelectorAll('.camera')[1]"
    browser.wait(f"{yard}.querySelector('.phase').textContent === 'ended'")
    assert browser.run(f"{yard}.querySelector('.troubles').textContent") == ""
    assert browser.run(f"{yard}.classList.contains('stale')")
    lost = event(kind="lost", phase="begin")
    running.feed.event(lost)
    browser.wait(f"{CAPTION} === 'The last picture, not of now'")
    browser.wait("document.querySelector('#events img')")
    running.feed.event(replace(lost, id="back", kind="back", phase="end"))
    browser.wait(f"{CAPTION} === 'Live, mask outlined'")
    running.hide()
    browser.wait(f"{STATUS}.includes('is lost')")
    assert browser.run(CAPTION) == "The last picture, not of now"
    browser.run("document.querySelector('aside').scrollIntoView({ block: 'end' })")
    assert browser.run("scrollY") > 100
    assert browser.run("document.querySelector('#connection').getBoundingClientRect().top") >= 0
    browser.run("document.querySelector('#events img').src += '?again'")
    browser.wait("document.querySelector('#events img').hidden")  # no icon of a broken image
    running.show()
    browser.wait(f"{STATUS} === 'Live'")
    browser.wait("document.querySelector('.tracks rect')")
    browser.run("document.querySelector('.tracks').replaceChildren()")
    browser.wait("document.querySelector('.tracks rect')")


def test_a_page_too_many_says_so_and_comes_in_when_there_is_room(
    browser: Browser, site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "VIEWERS", 0)
    browser.open(site().url)
    browser.wait(f"{STATUS} === '0 pages are open already; trying again …'")
    monkeypatch.undo()
    browser.wait(f"{STATUS} === 'Live'")


def test_a_camera_that_was_moved_is_confirmed(browser: Browser, site: Callable[..., Site]) -> None:
    running, confirmed = site(), []
    running.watching.confirm = confirmed.append  # type: ignore[assignment]
    browser.errors.clear()
    browser.window(390, 844)
    browser.open(running.url)
    browser.wait("document.querySelector('.tracks rect')")
    assert browser.run("document.querySelector('.confirm').hidden")
    moved = event(kind="camera_moved", phase="begin")
    running.feed.event(moved)
    browser.wait("document.querySelector('.troubles').textContent === 'camera moved'")
    browser.click_on(".confirm")
    wait_for(lambda: confirmed == ["door"])
    running.feed.event(replace(moved, id="other", phase="end"))
    browser.wait("document.querySelector('.confirm').hidden")
    assert browser.errors == []


def test_the_list_of_events_stays_while_somebody_is_at_it(
    browser: Browser, site: Callable[..., Site]
) -> None:
    running = site()
    browser.errors.clear()
    browser.window(1600, 900)
    browser.open(running.url)
    running.feed.event(event(id="first", kind="standing"))
    browser.wait(f"{EVENTS}.includes('standing')")
    browser.mouse("Moved", *browser.place("#events li"))
    before = browser.run(EVENTS)
    running.feed.event(event(id="second", kind="loitering", zone="porch"))
    browser.wait("!document.querySelector('#new').hidden")
    assert browser.run("document.querySelector('#new').textContent").endswith(" new")
    assert browser.run(EVENTS) == before
    browser.mouse("Moved", 1, 1)
    browser.wait(f"{EVENTS}.includes('loitering')")
    assert browser.run("document.querySelector('#new').hidden")
    # The same with the focus in it, until the events are asked for.
    browser.run("document.querySelector('#events button').focus()")
    running.feed.event(event(id="third", kind="taken_away"))
    browser.wait("!document.querySelector('#new').hidden")
    browser.click_on("#new")
    browser.wait(f"{EVENTS}.includes('taken away')")
    browser.click_on("#alarms")
    shown = "[...document.querySelectorAll('#events li')].filter(e => e.offsetHeight)"
    assert "standing" not in browser.run(f"{shown}.map(e => e.textContent).join()")
    assert "loitering" in browser.run(f"{shown}.map(e => e.textContent).join()")
    assert browser.errors == []


def test_a_ghost_is_painted_out_and_metres_are_measured(
    browser: Browser, site: Callable[..., Site]
) -> None:
    running, confirmed = site(metres=True), []
    running.watching.confirm = confirmed.append  # type: ignore[assignment]
    repaint = running.watching.watched["door"].channel.pipeline.repaint
    told = "document.querySelector('section.background .told').textContent"
    browser.errors.clear()
    browser.window(390, 844, True)
    browser.open(running.url)
    browser.wait("document.querySelector('.tracks rect')")
    browser.click_on("section.background .open")
    browser.wait("document.querySelector('section.background .stage img').naturalWidth > 10")
    browser.wait(f"{told}.includes('Metres are not known yet')")
    # A background that is good is replaced by a second step alone.
    browser.click_on(".renew")
    browser.wait(f"{told}.includes('replaces the whole background')")
    assert browser.run("document.activeElement.className") == "leave"
    browser.press("Enter")
    browser.wait("document.querySelector('.sure').hidden")
    assert confirmed == []
    browser.click_on(".renew")
    browser.click_on(".sure")
    wait_for(lambda: confirmed == ["door"])
    browser.click_on(".paint")
    svg = "section.background svg"
    browser.drag(browser.place(svg, 0.25, 0.5), browser.place(svg, 0.5, 0.75))
    wait_for(lambda: repaint.busy)
    browser.wait(f"{told}.includes('being learned anew')")
    repaint._former.append(None)  # as if it had been done, sooner than the page asks
    assert repaint._asked.popleft() == pytest.approx((40, 60, 40, 30), abs=2)
    browser.wait(f"{told}.includes('The area is painted')")
    # The same by keyboard, from the middle.
    browser.wait("document.querySelector('.paint:enabled')")
    browser.run("document.querySelector('.paint').focus()")
    browser.press("Enter")
    browser.press(" ")
    for _ in range(10):
        browser.press("ArrowRight")
        browser.press("ArrowDown")
    browser.press(" ")
    wait_for(lambda: repaint.busy)
    assert repaint._asked.popleft() == pytest.approx((80, 60, 16, 12), abs=2)
    browser.wait("document.querySelector('.measure:enabled')")
    browser.click_on(".measure")
    for y, metres in ((0.9, "2"), (0.62, "4"), (0.75, "2.8")):
        browser.click(*browser.place(svg, 0.5, y))
        browser.write(metres)
    assert browser.run("document.querySelectorAll('.mark').length") == 3
    browser.press("Enter")
    wait_for(running.metres.is_file)
    browser.wait(f"{told}.includes('m above the floor')")
    assert "off in the median" in browser.run(told)
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.errors == []


def test_an_event_is_explained_and_was_wrong(
    browser: Browser, site: Callable[..., Site], tmp_path: Path
) -> None:
    name = "<b>all<script>alert(1)<"
    whole = Zone(name, "restricted", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    running = site("<b>door<i>", zones=[whole])
    browser.errors.clear()
    browser.window(1600, 900)
    browser.open(running.url)
    browser.wait("document.querySelector('#events .alarm button')")
    assert browser.run("document.querySelector('.camera h2').textContent") == "<b>door<i>"
    browser.run("document.querySelector('#events .alarm button').focus()")
    browser.press("Enter")
    browser.wait("document.querySelector('#detail .trajectory img').naturalWidth > 10")
    browser.wait("document.querySelector('#detail .mask img').naturalWidth > 10")
    assert f"restricted zone “{name}”" in browser.run(
        "document.querySelector('#detail .why').textContent"
    )
    assert browser.run("document.querySelectorAll('b, i, script:not([src])').length") == 0
    assert (
        browser.run("document.querySelectorAll('.trajectory .passed, .trajectory .where').length")
        == 2
    )
    assert browser.run("document.querySelector('#detail .when').textContent").startswith("<b>door")
    box = browser.run("document.querySelector('#detail .frame rect').getAttribute('width')")
    assert float(box) == pytest.approx(20, abs=4)
    said = "document.querySelector('#detail .said').textContent"
    browser.click_on("#detail .nobody")
    browser.wait(f"{said}.startsWith('It was kept')")
    assert len(list((tmp_path / "cases").iterdir())) == 1
    browser.click_on("#detail .back")
    browser.wait(f"{said}.startsWith('It was taken back')")
    assert list((tmp_path / "cases").iterdir()) == []
    browser.click_on("#detail .other")
    browser.wait(f"{said}.includes('save it there as groundtruth/000001.png')")
    assert f"edge dataset show {tmp_path}/cases --out" in browser.run(said)
    close = browser.run("document.querySelector('#detail form').getBoundingClientRect().bottom")
    assert 0 < close < 900  # wherever the dialog was scrolled to
    browser.press("Escape")
    assert not browser.run("document.querySelector('#detail').open")
    assert browser.errors == []


def test_the_token_is_asked_for(browser: Browser, site: Callable[..., Site]) -> None:
    running = site(token="correct horse battery")
    browser.errors.clear()
    browser.window(390, 844)
    browser.open(running.url)
    browser.run("document.querySelector('input').focus()")
    browser.write("correct horse battery")
    browser.press("Enter")
    browser.wait(f"document.querySelector('#connection') && {STATUS} === 'Live'")
    assert browser.run("location.href") == running.url
    assert [each for each in browser.errors if "401" not in each] == []
