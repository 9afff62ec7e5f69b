"""The view as browsers, scripts and strangers meet it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from edge.cli.watch import VIEW, WithView
from edge.errors import EdgeError, UsageError
from edge.view import access, machine, requests
from edge.view import feed as feeds
from edge.view import server as module
from edge.view.feed import Feed
from edge.view.server import ViewServer, check_place
from edge.view.state import State
from edge.watch.outputs import RECORDINGS
from edge.zones.file import as_json, read_zones
from edge.zones.zone import Zone

from ..sinks.events import event
from .site import PERSON, Site, parts, seen, state, wait_for

ALL = Zone("all", "restricted", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
TOKEN = "correct horse battery"
Json = dict[str, Any]


def save(site: Site, content: Any, version: str | None = None, **headers: str) -> Any:
    """Save zones as the page does."""
    version = version or state(site)["cameras"][0].get("version", "")
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    match = {"If-Match": f'"{version}"', **headers}
    return site.ask("/cameras/door/zones", "PUT", body, match)


def test_a_page_gets_state_pictures_and_events(site: Callable[..., Site]) -> None:
    running = site("door", "yard-bare", zones=[ALL])
    with running.live() as page:
        page.send('{"state": 0}')
        found = json.loads(page.recv(20))
        door, yard = found["cameras"]
        assert (door["name"], door["size"], door["sure"], door["dropped"]) == (
            "door", [120, 160], 1.0, 3,
        )  # fmt: skip
        assert door["zones"] == as_json([ALL])["zones"]
        assert yard["zones"] is None
        assert "secret" not in json.dumps(found)
        wait_for(lambda: "zone_entered all" in running.told)
        page.send('{"camera": "door", "number": 0}')
        header, frame, depth = parts(page.recv(20))
        assert header["size"] == [120, 160]
        (followed,) = header["tracks"]
        left, top, wide, tall = (round(side * frame.shape[1] / 160) for side in followed["box"])
        inside = frame[top + 30 : top + tall - 30, left + 24 : left + wide - 24]
        assert np.abs(np.median(inside, (0, 1)) - PERSON).max() < 20
        green = (frame[..., 1].astype(int) - frame[..., 2] > 80).sum()
        assert green > 100  # the outline of the mask
        assert depth[-1].mean() > depth[0].mean()  # near is yellow
        page.send('{"state": 0}')
        found = json.loads(page.recv(20))
        event = next(each for each in found["events"] if each["kind"] == "zone_entered")
        assert event["picture"]
    answer = running.ask(f"/events/{event['id']}/snapshot")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.body[:2] == b"\xff\xd8"
    assert running.ask("/cameras/door/background").body[:2] == b"\xff\xd8"


def test_a_page_gets_what_is_new_when_it_is_new(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two frames of a camera, not when a clock says so."""
    monkeypatch.setattr(module, "STATE_S", 60.0)
    running = site()
    with running.live() as page:
        for number in range(1, 4):
            page.send(json.dumps({"camera": "door", "number": number - 1}))
            header, *_ = parts(page.recv(20))
            assert header["number"] >= number
        page.send('{"state": 0}')
        last = json.loads(page.recv(20))["last"]
        page.send(json.dumps({"state": last}))
        running.feed.event(event(id="new"))
        found = json.loads(page.recv(20))
        assert [each["id"] for each in found["events"]] == ["new"]


def test_nothing_is_handed_over_while_nobody_looks(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "WANTED_S", 0.3)
    running = site()
    slot, camera = running.feed.slot("door"), running.cameras["door"]
    begin = camera.number
    wait_for(lambda: camera.number > begin + 10)
    assert slot.look is None
    with running.live() as page:  # asks once, and never reads
        page.send('{"camera": "door", "number": 0}')
        wait_for(lambda: slot.look is not None)
        wait_for(lambda: not slot.due and camera.number > begin + 40)
        number = slot.look.number
        begin = camera.number
        wait_for(lambda: camera.number > begin + 10)
        assert slot.look.number == number


def test_cameras_wait_less_for_the_interpreter_while_there_is_a_view(
    site: Callable[..., Site],
) -> None:
    before = sys.getswitchinterval()
    running = site()
    assert sys.getswitchinterval() == pytest.approx(module.SWITCH_S)
    running.hide()
    assert sys.getswitchinterval() == pytest.approx(before)
    running.show()


def test_a_view_that_hangs_stops_no_camera(site: Callable[..., Site]) -> None:
    running, free = site(zones=[ALL]), threading.Event()
    running.feed.pool.submit(free.wait, 30)
    try:
        running.feed.slot("door").want()
        result, event = seen(1), running.feed
        for number in range(3 * feeds.WAITING):
            event.frame("door", result, [running_event(number)])
            event.event(running_event(number))
        begin = running.cameras["door"].number
        wait_for(lambda: running.cameras["door"].number > begin + 10)
        told = [each for each in event.told(0) if each.event.kind == "line_crossed"]
        assert len(told) == 3 * feeds.WAITING
        assert sum(each.evidence is not None for each in told) <= feeds.WAITING
    finally:
        free.set()


def running_event(number: int) -> Any:
    return event(id=f"many-{number}", incident=f"many-{number}")


def test_each_camera_has_its_share_of_the_machine(site: Callable[..., Site]) -> None:
    running = site("door", "yard")
    door, yard = running.feed.slot("door"), running.feed.slot("yard")
    for slot, busy_ms in ((door, 30.0), (yard, 10.0)):
        slot.count = lambda _: None  # type: ignore[method-assign]
        slot._frames.clear()
        now = time.monotonic()
        slot._frames.extend((now - 5 + each / 2, 1.0, busy_ms) for each in range(10))
    shown: Any = State(running.feed, "run")
    assert [each["machine"] for each in shown.json(0)["cameras"]] == [None, None]
    shown._machine = SimpleNamespace(share=0.4)
    assert [each["machine"] for each in shown.json(0)["cameras"]] == pytest.approx(
        [0.3, 0.1], abs=0.002
    )


def test_the_processor_time_of_all_threads_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now, spent = [100.0], [5.0]
    monkeypatch.setattr(machine.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(machine.time, "process_time", lambda: spent[0])
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    measured = machine.Machine()
    assert measured.share is None
    now[0], spent[0] = 104.0, 13.0  # two of four cores
    assert measured.share == 0.5
    now[0] += 0.1  # too soon for another one
    assert measured.share == 0.5


def test_drift_is_shown_where_a_shadow_looks(site: Callable[..., Site]) -> None:
    running = site()
    assert state(running)["cameras"][0]["drift"] is None
    watched: Any = running.watching.watched["door"]
    watched.shadow = SimpleNamespace(drift=SimpleNamespace(mask=0.01234))
    assert state(running)["cameras"][0]["drift"] == 0.0123


def test_a_camera_that_was_moved_is_confirmed(site: Callable[..., Site]) -> None:
    running, confirmed = site(), []
    running.watching.confirm = confirmed.append  # type: ignore[assignment]
    assert running.ask("/cameras/none/confirm", "POST").status == 404
    assert running.ask("/cameras/door/confirm").status == 405
    origin = {"Origin": "http://evil.example"}
    assert running.ask("/cameras/door/confirm", "POST", headers=origin).status == 403
    assert confirmed == []
    assert running.ask("/cameras/door/confirm", "POST").status == 202
    assert confirmed == ["door"]


def test_a_recording_that_has_ended_is_not_being_opened(site: Callable[..., Site]) -> None:
    running = site("door", "yard")
    assert [(c["open"], c["ended"]) for c in state(running)["cameras"]] == 2 * [(True, None)]
    running.cameras["door"].ended = True
    wait_for(lambda: not state(running)["cameras"][0]["open"])
    assert [c["ended"] for c in state(running)["cameras"]] == ["", None]
    running.watching.ended["door"] = "rtsp://***@door/stream ended early"
    assert state(running)["cameras"][0]["ended"] == "door ended early"


def test_a_zone_outside_its_hours_rests(site: Callable[..., Site]) -> None:
    later = (time.localtime().tm_hour + 2) % 24
    hours = {"later": f"{later:02}:00-{later:02}:30", "always": "00:00-24:00"}
    zones = [replace(ALL, name=name, hours=(text,)) for name, text in hours.items()]
    assert state(site(zones=zones))["cameras"][0]["resting"] == ["later"]


def test_redaction_holds_for_the_view(site: Callable[..., Site]) -> None:
    running = site(redact="fill")
    with running.live() as page:
        page.send('{"camera": "door", "number": 0}')
        _, frame, _ = parts(page.recv(20))
    assert ((frame[..., 2].astype(int) - frame[..., 0]) > 100).sum() == 0


# Zones -------------------------------------------------------------------------------------------


def test_zones_that_are_saved_are_watched(site: Callable[..., Site]) -> None:
    running = site()
    assert save(running, as_json([ALL])).status == 200
    assert read_zones(running.zones) == [ALL]
    wait_for(lambda: "zone_entered all" in running.told)
    assert state(running)["cameras"][0]["zones"] == as_json([ALL])["zones"]


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"{", 400, "JSON object"),
        (b"[" * 5000, 400, "JSON object"),
        ({"schema": 2, "zones": []}, 422, "expected 1"),
        ({"schema": 1, "zones": [{"name": "a", "kind": "moat", "points": []}]}, 422, "restricted"),
        ({"schema": 1, "zones": [{"name": "../a", "kind": "line", "points": []}]}, 422, "letters"),
        (
            {"schema": 1, "zones": [{**as_json([ALL])["zones"][0], "distance_m": [0, 5]}]},
            422,
            "no metres",
        ),
    ],
)
def test_wrong_zones_change_nothing(
    content: Any, status: int, told: str, site: Callable[..., Site]
) -> None:
    running = site(zones=[ALL])
    answer = save(running, content)
    assert (answer.status, told in answer.json["error"]) == (status, True)
    assert read_zones(running.zones) == [ALL]


def test_nobody_overwrites_what_another_drew(site: Callable[..., Site]) -> None:
    running = site()
    version = state(running)["cameras"][0]["version"]
    assert save(running, as_json([ALL]), version).status == 200
    answer = save(running, as_json([]), version)
    assert (answer.status, read_zones(running.zones)) == (412, [ALL])
    # Nor what somebody is in the middle of writing.
    version = state(running)["cameras"][0]["version"]
    running.zones.write_text('{"schema": 1, "zones": [')
    answer = save(running, as_json([]), version)
    assert (answer.status, "mend it first" in answer.json["error"]) == (412, True)
    door = state(running)["cameras"][0]
    assert "expected JSON" in door["zones_error"]
    assert [zone["name"] for zone in door["zones"]] == ["all"]
    assert running.zones.read_text() == '{"schema": 1, "zones": ['


def test_a_camera_without_a_file_of_zones_says_so(site: Callable[..., Site]) -> None:
    running = site("yard-bare")
    answer = running.ask("/cameras/yard-bare/zones", "PUT", b"{}")
    assert (answer.status, "--zones FILE" in answer.json["error"]) == (409, True)


# Strangers ---------------------------------------------------------------------------------------


def test_the_page_and_how_it_is_guarded(site: Callable[..., Site]) -> None:
    running = site()
    for path in ("/", "/view.js", "/stage.js", "/editor.js", "/view.css", "/icon.svg"):
        answer = running.ask(path)
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"http://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/%2e%2e/server.py",
        "/..%2fserver.py",
        "//etc/passwd",
        "/page/../../server.py",
        "/cameras/..%2f..%2fdoor/background",
        "/cameras/%2e%2e/background",
        "/events/..%2f..%2fdoor.json/clip",
        "/events/%00/snapshot",
    ],
)
def test_no_path_leads_out_of_the_page(path: str, site: Callable[..., Site]) -> None:
    answer = site().ask(path)
    assert answer.status == 404
    assert len(answer.body) < 100


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "http://127.0.0.1:1"])
def test_other_origins_may_not_write_nor_look(origin: str, site: Callable[..., Site]) -> None:
    running = site(zones=[ALL])
    assert save(running, as_json([]), Origin=origin).status == 403
    assert read_zones(running.zones) == [ALL]
    with pytest.raises(InvalidStatus) as refused:
        running.live(origin or "http://evil.example")
    assert refused.value.response.status_code == 403


def test_a_name_that_was_made_to_lead_here_is_refused(site: Callable[..., Site]) -> None:
    """Of DNS rebinding: its origin is its own, and its host as well."""
    running, evil = site(), {"Host": "evil.example:80", "Origin": "http://evil.example:80"}
    assert running.ask("/", headers=evil).status == 403
    assert running.ask("/cameras/door/zones", "PUT", b"", evil).status == 403


def test_without_the_token_there_is_the_question_for_it_alone(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "WRONG_S", 0.0)
    running = site(token=TOKEN)
    assert running.ask("/").status == 401
    assert b"password" in running.ask("/").body
    for path in ("/view.js", "/cameras/door/background", f"/?token={TOKEN.replace(' ', '+')}"):
        assert running.ask(path).status == 401
    for path in ("/cameras/door/confidence", "/events/e1/explained", "/events/e1/mask"):
        assert running.ask(path).status == 401
    for path, method in (
        ("/cameras/door/zones", "PUT"),
        ("/cameras/door/metres", "PUT"),
        ("/cameras/door/confirm", "POST"),
        ("/cameras/door/repaint", "POST"),
        ("/cameras/door/repaint", "DELETE"),
        ("/events/e1/wrong", "POST"),
    ):
        assert running.ask(path, method, b"{}").status == 401
    with pytest.raises(InvalidStatus):
        running.live()
    for wrong in (b"token=wrong", b"token=", b"", b"token=%ff"):
        answer = running.ask("/login", "POST", wrong)
        assert (answer.status, "set-cookie" in answer.headers) == (401, False)
        assert b"That is not the token." in answer.body
    for cookie in ("edge-view=", f"edge-view={TOKEN}", 'edge-view="', "edge-view=\u00e9"):
        assert running.ask("/", headers={"Cookie": cookie}).status == 401
    for given in ("Bearer wrong", "Bearer", f"Basic {TOKEN}"):
        assert running.ask("/view.js", headers={"Authorization": given}).status == 401


def test_the_token_opens_the_view_and_stays_out_of_the_cookie(site: Callable[..., Site]) -> None:
    running = site(token=TOKEN)
    answer = running.ask("/login", "POST", f"token={TOKEN.replace(' ', '+')}".encode())
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *rest = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict"} <= set(rest)
    assert TOKEN not in cookie
    assert running.ask("/", headers={"Cookie": cookie}).status == 200
    assert running.ask("/view.js", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
    running.hide()
    running.show()
    with running.live(headers={"Cookie": cookie}) as page:
        page.send('{"state": 0}')
        assert page.recv(20)


@pytest.mark.parametrize(
    ("place", "token", "told"),
    [
        ("0.0.0.0:8700", None, "expected a --view-token"),
        (":8700", None, "expected a --view-token"),
        ("[::]:8700", None, "expected a --view-token"),
        ("door.example:8700", None, "expected a --view-token"),
        (":8700", "short", "5 letters"),
        ("127.0.0.1:8700", "", "0 letters"),
        ("nowhere", None, "expected HOST:PORT; --view 127.0.0.1:8700"),
    ],
)
def test_places_that_cannot_be_right(place: str, token: str | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_place(place, token)


@pytest.mark.parametrize("place", ["127.0.0.1:8700", "localhost:8700", "[::1]:8700"])
def test_this_machine_alone_needs_no_token(place: str) -> None:
    assert check_place(place, None)[1] == 8700


def test_a_place_that_is_taken(site: Callable[..., Site]) -> None:
    running = site()
    with pytest.raises(EdgeError, match="in use"):
        ViewServer(Feed(running.watching), running.place)


def test_huge_requests_are_refused(site: Callable[..., Site]) -> None:
    running = site(zones=[ALL])
    assert save(running, b" " * (requests.LARGEST + 1)).status == 413
    connection = socket.create_connection(running.place.split(":"), 20)
    head = (
        f"PUT /cameras/door/zones HTTP/1.1\r\nHost: {running.place}\r\nOrigin:"
        f" http://{running.place}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with contextlib.closing(connection):
        connection.sendall(head.encode())
        with contextlib.suppress(OSError):
            for _ in range(20):
                connection.sendall(chunk)
        assert b" 413 " in connection.recv(64)
    with contextlib.suppress(ConnectionError):
        assert running.ask("/", headers={"X-Long": "x" * 200_000}).status == 400
    with running.live() as page:
        page.send("x" * (module.LARGEST_MESSAGE + 1))
        with pytest.raises(ConnectionClosed):
            page.recv(20)
    assert read_zones(running.zones) == [ALL]


def test_slow_requests_are_given_up(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PATIENCE_S", 1.0)
    running = site()
    head = (
        f"PUT /cameras/door/zones HTTP/1.1\r\nHost: {running.place}\r\nOrigin:"
        f" http://{running.place}\r\nContent-Length: 100\r\n\r\n"
    ).encode()
    for sent, answer in ((b"", b""), (b"GET / HT", b""), (head, b"HTTP/1.1 408")):
        with contextlib.closing(socket.create_connection(running.place.split(":"), 20)) as stranger:
            stranger.sendall(sent)
            assert stranger.recv(12) == answer


def test_who_does_not_take_an_answer_is_given_up(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(requests, "PATIENCE_S", 1.0)
    running, size = site(), 30_000_000  # more than the system takes for a reader
    clip = tmp_path / RECORDINGS / "long.webm"
    clip.parent.mkdir()
    clip.write_bytes(bytes(size))
    running.feed.event(event(id="long", clip="long.webm"))
    head = f"GET /events/long/clip HTTP/1.1\r\nHost: {running.place}\r\n\r\n".encode()
    assert len(running.ask("/events/long/clip").body) == size
    wait_for(lambda: not running.server._server.server_state.connections)
    with contextlib.closing(socket.create_connection(running.place.split(":"), 20)) as stranger:
        stranger.sendall(head)
        open_now = running.server._server.server_state.connections
        wait_for(lambda: open_now)
        wait_for(lambda: not open_now)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while part := stranger.recv(1_000_000):
                taken += len(part)
        assert taken < size


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"state": "x"}', '{"camera": []}'])
def test_messages_that_mean_nothing(text: str, site: Callable[..., Site]) -> None:
    running = site()
    with running.live() as page:
        page.send(text)
        with contextlib.suppress(ConnectionClosed):
            page.send('{"state": 0}')
            assert json.loads(page.recv(20))["cameras"]
    assert state(running)["cameras"]


def test_pages_beyond_the_most_are_refused(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VIEWERS", 1)
    running = site()
    refused = pytest.raises(ConnectionClosed, match="1 pages are open already")
    with running.live(), running.live() as second, refused:
        second.recv(20)
    wait_for(lambda: state_or_none(running))


def state_or_none(site: Site) -> Json | None:
    try:
        return state(site)
    except ConnectionClosed:
        return None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cam", "--view"], VIEW),
        (["cam", "--view", "--frames", "3"], VIEW),
        (["--view", ":1", "cam"], ":1"),
        (["--view=:1", "cam"], ":1"),
        (["cam"], None),
    ],
)
def test_the_option_may_stand_without_a_place(words: list[str], expected: str | None) -> None:
    import typer.main

    from edge.cli.app import app

    command = typer.main.get_command(app).commands["watch"]  # type: ignore[attr-defined]
    assert isinstance(command, WithView)
    context = command.make_context("watch", list(words))
    assert (context.params["view"], context.params["sources"]) == (expected, ["cam"])


HANDSHAKE = (
    "GET /live HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)


def test_a_page_that_does_not_read_is_hung_up_on(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was sent fills its buffers, so that a polite close would wait for ever."""
    monkeypatch.setattr(requests, "PATIENCE_S", 1.0)
    running = site()
    ask = b'{"camera":"door","number":-1}'  # of every picture, again and again
    framed = bytes((0x81, 0x80 | len(ask))) + bytes(4) + ask
    open_now = running.server._server.server_state.connections
    running.server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    with contextlib.closing(socket.create_connection(running.place.split(":"), 20)) as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        page.sendall(HANDSHAKE.format(running.place).encode())
        assert page.recv(12) == b"HTTP/1.1 101"
        wait_for(lambda: open_now)

        def hung_up() -> bool:
            with contextlib.suppress(OSError):
                page.send(framed)
            return not open_now

        wait_for(hung_up, 60)


def test_a_page_asks_for_cameras_that_there_are(site: Callable[..., Site]) -> None:
    """Names are kept for it while it takes nothing."""
    asked = [{"camera": f"door{'x' * 2000}{number}"} for number in range(50)]
    texts = iter([json.dumps(each) for each in [*asked, {"camera": "door", "number": 3}]])

    class Page:
        async def receive_text(self) -> str:
            try:
                return next(texts)
            except StopIteration:
                raise WebSocketDisconnect from None

    page, viewer = Page(), module._Viewer()
    asyncio.run(module._View(site().feed)._listen(page, viewer))  # type: ignore[arg-type]
    assert viewer.cameras == {"door": 3}


def test_an_origin_that_is_none_is_another_one(site: Callable[..., Site]) -> None:
    assert site().ask("/cameras/door/confirm", "POST", headers={"Origin": "http://["}).status == 403


def test_a_guess_takes_as_long_as_at_the_door(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "WRONG_S", 0.4)
    running = site(token=TOKEN)
    begin = time.monotonic()
    assert running.ask("/view.js", headers={"Authorization": "Bearer guess"}).status == 401
    assert time.monotonic() - begin >= 0.4


@pytest.mark.parametrize(
    "token", [" " * 12, "correct horse ", "gr\u00fcne \u00c4pfel am Baum", "x\udcff" * 8]
)
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="--view-token begins or ends with a blank, or holds"):
        check_place("127.0.0.1:8700", token)
