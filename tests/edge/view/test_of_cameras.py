"""What the view answers about a camera: its background, and its metres."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from edge.camera.source import CameraEvent
from edge.scene.background import certain
from edge.things.calibrate_scene import calibrate_scene
from edge.things.metres import read_metres

from .site import GROUND, HEIGHT, SCENE, WIDTH, Site, state, wait_for

AREA = {"area": [0.1, 0.2, 0.3, 0.6]}
POINTS = [[0.5, 0.9, 2.0], [0.5, 0.62, 4.0]]
EVIL = {"Origin": "http://evil.example"}


def send(site: Site, path: str, content: Any, method: str = "POST", **headers: str) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return site.ask(path, method, body, headers)


def pipeline(site: Site) -> Any:
    return site.watching.watched["door"].channel.pipeline


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def test_the_background_is_shown_beside_its_confidence(site: Callable[..., Site]) -> None:
    running = site()
    confidence = np.full((HEIGHT, WIDTH), 255, np.uint8)
    confidence[:, : WIDTH // 4] = 0
    pipeline(running).background = replace(SCENE, confidence=confidence)
    door = state(running)["cameras"][0]
    assert door["sure"] == 0.75
    assert (door["learns"], door["learning"], door["painting"], door["painted"]) == (
        True, False, False, 0,
    )  # fmt: skip
    assert 0 <= door["background_s"] < 60
    assert decoded(running.ask("/cameras/door/background").body).shape == (HEIGHT, WIDTH, 3)
    shown = decoded(running.ask("/cameras/door/confidence").body).astype(int)
    assert (shown[:, : WIDTH // 5].mean((0, 1)) < (160, 30, 40)).all()  # violet
    assert (shown[:, WIDTH // 3 :].mean((0, 1))[1:] > 200).all()  # yellow
    for kind in ("background", "confidence", "ground"):
        assert running.ask(f"/cameras/none/{kind}").status == 404


def test_with_redaction_who_was_learned_into_it_is_hidden(site: Callable[..., Site]) -> None:
    running = site(redact="fill")
    image = SCENE.image.copy()
    image[40:80, 40:80] = (20, 60, 240)
    confidence = np.full((HEIGHT, WIDTH), 255, np.uint8)
    confidence[40:80, 40:80] = 10
    pipeline(running).background = replace(certain(image), confidence=confidence)
    shown = decoded(running.ask("/cameras/door/background").body).astype(int)
    assert (shown[..., 2] - shown[..., 0]).max() < 40


def test_an_area_is_painted_and_taken_back(site: Callable[..., Site]) -> None:
    running = site()
    assert send(running, "/cameras/door/repaint", AREA).status == 202
    repaint = pipeline(running).repaint
    assert list(repaint._asked) == [(16, 24, 32, 48)]
    assert state(running)["cameras"][0]["painting"]
    assert send(running, "/cameras/door/repaint", AREA).status == 409  # one at a time
    repaint._asked.clear()
    assert running.ask("/cameras/door/repaint", "DELETE").status == 409  # nothing to take back
    repaint._former.append(None)
    assert running.ask("/cameras/door/repaint", "DELETE").status == 202
    assert list(repaint._asked) == [None]


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"{", 400, "JSON object"),
        ([], 400, "JSON object"),
        ({}, 422, "[left, top, right, bottom]"),
        ({"area": [0, 0, 1]}, 422, "[left, top, right, bottom]"),
        ({"area": [0, 0, 0.1, 0.1, 0.1]}, 422, "[left, top, right, bottom]"),
        ({"area": [0, 0, 0.1, "0.1"]}, 422, "[left, top, right, bottom]"),
        ({"area": [0, 0, True, 0.1]}, 422, "[left, top, right, bottom]"),
        ({"area": [-0.1, 0, 0.1, 0.1]}, 422, "[left, top, right, bottom]"),
        (b'{"area": [NaN, 0, 0.1, 0.1]}', 422, "[left, top, right, bottom]"),
        ({"area": [0, 0, 1e300, 0.1]}, 422, "[left, top, right, bottom]"),
        ({"area": [0.5, 0.5, 0.4, 0.6]}, 422, "it is empty"),
        ({"area": [0.5, 0.5, 0.5, 0.5]}, 422, "it is empty"),
        ({"area": [0, 0, 0.9, 0.9]}, 422, "81 % of the frame, expected at most 25 %"),
    ],
)
def test_areas_that_cannot_be_painted(
    content: Any, status: int, told: str, site: Callable[..., Site]
) -> None:
    running = site()
    answer = send(running, "/cameras/door/repaint", content)
    assert (answer.status, told in answer.json["error"]) == (status, True)
    assert not pipeline(running).repaint.busy


def test_nothing_is_painted_while_the_scene_is_learned(site: Callable[..., Site]) -> None:
    running = site()
    pipeline(running).learning = True
    answer = send(running, "/cameras/door/repaint", AREA)
    assert (answer.status, "learned anew" in answer.json["error"]) == (409, True)


def test_nothing_is_painted_while_the_background_does_not_fit(site: Callable[..., Site]) -> None:
    running = site()
    states = running.watching.watched["door"].watcher.states
    states.of_scene([CameraEvent("camera_moved", 1.0, "it was moved")])
    answer = send(running, "/cameras/door/repaint", AREA)
    assert (answer.status, "does not fit" in answer.json["error"]) == (409, True)
    assert not pipeline(running).repaint.busy


def test_a_video_is_not_learned_anew(site: Callable[..., Site]) -> None:
    running = site()
    pipeline(running).learns = False
    answer = running.ask("/cameras/door/confirm", "POST")
    assert (answer.status, "no live camera" in answer.json["error"]) == (409, True)


@pytest.mark.parametrize(
    ("path", "method"),
    [("repaint", "POST"), ("repaint", "DELETE"), ("metres", "PUT"), ("confirm", "POST")],
)
def test_strangers_change_nothing(path: str, method: str, site: Callable[..., Site]) -> None:
    running = site(metres=True)
    pipeline(running).repaint._former.append(None)
    body = json.dumps({**AREA, "points": POINTS}).encode()
    for origin in ("http://evil.example", "null", ""):
        answer = running.ask(f"/cameras/door/{path}", method, body, {"Origin": origin})
        assert answer.status == 403
    assert running.ask(f"/cameras/door/{path}").status == 405
    assert running.ask(f"/cameras/..%2fdoor/{path}", method, body).status == 404
    assert running.ask(f"/cameras/door/{path}", method, b" " * 300_000).status in (202, 409, 413)
    pipeline(running).repaint._asked.clear()
    assert not running.metres.exists()


def test_a_scene_is_calibrated_and_taken_over(site: Callable[..., Site]) -> None:
    running = site(metres=True)
    assert state(running)["cameras"][0]["metres"] is False
    answer = send(running, "/cameras/door/metres", {"points": POINTS, "fov": 70}, "PUT")
    assert answer.status == 200
    assert answer.json["median_error"] is None  # nothing checks two points
    assert "m above the floor" in answer.json["camera"]
    found = read_metres(running.metres)
    known = [(x * WIDTH, y * HEIGHT, far) for x, y, far in POINTS]
    assert found == calibrate_scene(known, [], (HEIGHT, WIDTH), GROUND, 70.0)[0]
    wait_for(lambda: state(running)["cameras"][0]["metres"])

    def measured() -> bool:
        tracks = running.watching.watched["door"].watcher.tracks
        return any(track.position is not None for track in tracks)

    wait_for(measured)  # without a restart
    x, y = WIDTH / 2, 0.75 * HEIGHT
    third = found.distance((x, y), GROUND.depth_at(x / 2, y / 2))
    answer = send(running, "/cameras/door/metres", {"points": [*POINTS, [0.5, 0.75, third]]}, "PUT")
    assert (answer.status, answer.json["median_error"] < 0.25) == (200, True)
    assert "error" not in answer.json  # that is what a refusal has


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "key `points`"),
        ({"points": "x"}, "key `points`"),
        ({"points": []}, "0 known points, expected two or more"),
        ({"points": POINTS[:1]}, "1 known points, expected two or more"),
        ({"points": POINTS * 30}, "at most 50"),
        ({"points": [[0.5, 0.9]]}, "all numbers"),
        ({"points": [[0.5, 0.9, "2"]]}, "all numbers"),
        ({"points": [[0.5, 0.9, 0]]}, "metres above 0"),
        ({"points": [[0.5, 1.0, 2]]}, "from 0 to below 1"),
        (b'{"points": [[0.5, 0.9, NaN]]}', "metres above 0"),
        (b'{"points": [[0.5, 0.9, 1' + b"0" * 400 + b"]]}", "metres above 0"),
        ({"points": POINTS, "fov": 171}, "key `fov`"),
        ({"points": POINTS, "fov": None}, "key `fov`"),
        ({"points": [[0.1, 0.96, 9], [0.1, 0.42, 2]]}, "no camera over a flat floor"),
        ({"points": [[0.5, 0.92, 9], [0.5, 0.34, 2]]}, "only a camera tilted by"),
        ({"points": [[0.1, 0.85, 8], [0.9, 0.6, 7]]}, "mean an unusual camera"),
    ],
)
def test_points_that_say_nothing_write_nothing(
    content: Any, told: str, site: Callable[..., Site]
) -> None:
    running = site(metres=True)
    answer = send(running, "/cameras/door/metres", content, "PUT")
    assert (answer.status, told in answer.json["error"]) == (422, True), answer.json
    assert "--point" not in answer.json["error"]
    assert not running.metres.exists()


def test_a_camera_without_a_file_of_metres_says_so(site: Callable[..., Site]) -> None:
    running = site()
    assert state(running)["cameras"][0]["metres"] is None
    answer = send(running, "/cameras/door/metres", {"points": POINTS}, "PUT")
    assert (answer.status, "--metres FILE" in answer.json["error"]) == (409, True)


def test_a_file_that_cannot_be_written_is_said(site: Callable[..., Site]) -> None:
    running = site(metres=True)
    running.metres.mkdir()
    answer = send(running, "/cameras/door/metres", {"points": POINTS}, "PUT")
    assert (answer.status, "cannot write" in answer.json["error"]) == (500, True)


def test_with_redaction_nothing_is_painted_that_may_be_somebody(site: Callable[..., Site]) -> None:
    running = site(redact="fill")
    answer = send(running, "/cameras/door/repaint", AREA)
    assert (answer.status, "whoever stands there" in answer.json["error"]) == (409, True)
    assert not pipeline(running).repaint.busy


def test_an_area_that_arrives_when_the_scene_is_learned_is_refused(
    site: Callable[..., Site],
) -> None:
    running, body = site(), json.dumps(AREA).encode()
    head = (
        f"POST /cameras/door/repaint HTTP/1.1\r\nHost: {running.place}\r\nOrigin:"
        f" http://{running.place}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connections = running.server._server.server_state.connections
    with contextlib.closing(socket.create_connection(running.place.split(":"), 20)) as late:
        late.sendall(head.encode())
        wait_for(lambda: any(getattr(each, "cycle", None) for each in connections))
        pipeline(running).learning = True
        late.sendall(body)
        assert late.recv(12) == b"HTTP/1.1 409"
    assert not pipeline(running).repaint.busy
