"""The server of the view, in a thread of its own beside the loop."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from edge import strict_json
from edge.errors import EdgeError, UsageError
from edge.sinks.metrics import parse_place
from edge.view import access, requests
from edge.view.access import COOKIE, Access, Tokens, is_loopback
from edge.view.feed import Feed, Look
from edge.view.of_cameras import OfCameras
from edge.view.of_events import OfEvents
from edge.view.pictures import message
from edge.view.requests import body_of
from edge.view.state import State

PAGE = Path(__file__).parent / "page"
FILES = {
    "": "text/html",
    "view.css": "text/css",
    "view.js": "text/javascript",
    "stage.js": "text/javascript",
    "editor.js": "text/javascript",
    "interval.js": "text/javascript",
    "background.js": "text/javascript",
    "dom.js": "text/javascript",
    "events.js": "text/javascript",
    "marks.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The files of the page, by their path, with their type: nothing else is ever read for a path."""
TOKEN_LETTERS = 12
"""Letters of a token at least."""
LARGEST_MESSAGE = 4096
"""Bytes of a message of a browser at most."""
CONNECTIONS, VIEWERS = 64, 16
"""Connections, and pages that are open, at most."""
STATE_S = 1.0
"""Seconds between two states without an event."""
SWITCH_S = 0.0005
"""Seconds after which a thread of the view gives the interpreter's lock to a camera that waits for
it; Python's own 5 ms are half of a frame's time."""
CLOSING_S = 3
"""Seconds for what is being sent at the end."""


class ViewServer:
    """Shows cameras at http://HOST:PORT/ until it is closed.

    Args:
        feed: what the loop hands over; closed with the server.
        place: HOST:PORT.
        token: that a browser must give; needed at any other place than a loopback address.

    Attributes:
        feed: what the loop hands over.
        url: where it listens.

    Raises:
        UsageError: the place cannot be read, or there is no good token for it.
        EdgeError: it cannot listen there.
    """

    def __init__(self, feed: Feed, place: str, token: str | None = None) -> None:
        host, port = check_place(place, token)
        self._socket = _listening(host, port, place)
        shown = host or socket.gethostname()
        self.url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
        config = uvicorn.Config(
            application(feed, token),
            http=_Impatient,
            ws=_Live,
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=CLOSING_S,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
        )
        for name in ("uvicorn.error", "uvicorn.access"):
            # What a browser does wrong is no news.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self.feed, self._server = feed, uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="view", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise EdgeError(f"--view {place}: the server did not start")
            time.sleep(0.01)
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(min(SWITCH_S, self._switch_s))

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def close(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self.feed.close()
        sys.setswitchinterval(self._switch_s)


def check_place(place: str, token: str | None) -> tuple[str, int]:
    """HOST:PORT as a host and a number.

    Raises:
        UsageError: it cannot be read, or the token for it is missing or too short.
    """
    host, port = parse_place(place, "--view", "127.0.0.1:8700")
    if token is None and not is_loopback(host):
        raise UsageError(
            f"--view {place}: others can reach this address, expected a --view-token",
            "EDGE_VIEW_TOKEN=... in the environment, or --view 127.0.0.1:8700",
        )
    if token is not None and not re.fullmatch("[!-~]([ -~]*[!-~])?|", token):
        raise UsageError(
            "--view-token begins or ends with a blank, or holds other letters than those of ASCII",
            'python3 -c "import secrets; print(secrets.token_urlsafe())"',
        )
    if token is not None and len(token) < TOKEN_LETTERS:
        raise UsageError(
            f"--view-token has {len(token)} letters, expected {TOKEN_LETTERS} or more",
            'python3 -c "import secrets; print(secrets.token_urlsafe())"',
        )
    return host, port


def _listening(host: str, port: int, place: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise EdgeError(f"--view {place}: {error.strerror or error}", "give another port") from None
    return listener


def application(feed: Feed, token: str | None) -> Access:
    """The application, with everything that guards it."""
    tokens, view = Tokens(token), _View(feed)
    view.tokens = tokens
    routes = [
        *(Route(f"/{name}", _file(name)) for name in FILES),
        Route("/login", view.login, methods=["GET", "POST"]),
        *OfCameras(feed, view.state).routes(),
        *OfEvents(feed).routes(),
        WebSocketRoute("/live", view.live),
    ]
    return Access(Starlette(routes=routes), tokens, _login_page())


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    content = (PAGE / (name or "index.html")).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, media_type=FILES[name])

    return answer


def _login_page(wrong: bool = False) -> Response:
    text = (PAGE / "login.html").read_text()
    if not wrong:
        text = text.replace('<p role="alert">That is not the token.</p>', "")
    return Response(text, 401, media_type="text/html")


class _HangsUp:
    """A protocol that gives a browser PATIENCE_S to take the next part of what it is sent.

    `close`, which uvicorn calls where a ping has no answer, waits for that too, for ever.
    """

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _stuck: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc]
        self._stuck = self.loop.call_later(requests.PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()  # type: ignore[misc]
        if self._stuck is not None:
            self._stuck.cancel()


class _Live(_HangsUp, WebSocketsSansIOProtocol):  # type: ignore[misc]
    """WebSocket."""


class _Impatient(_HangsUp, H11Protocol):  # type: ignore[misc]
    """HTTP that gives a connection PATIENCE_S for the head of its request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = self.loop.call_later(requests.PATIENCE_S, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.close()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._patience.cancel()
        super().handle_websocket_upgrade(event)


@dataclass(eq=False)
class _Viewer:
    """What one page has asked for.

    Attributes:
        cameras: the number of the last picture that it has, of each camera that it asked for.
        events: the number of the last event that it has; None: it did not ask for the state.
        told: when it got the last state.
        news: there may be something to send.
    """

    cameras: dict[str, int] = field(default_factory=dict)
    events: int | None = None
    told: float = float("-inf")
    news: asyncio.Event = field(default_factory=asyncio.Event)


class _View:
    """Answers requests."""

    tokens: Tokens

    def __init__(self, feed: Feed) -> None:
        self._feed, self.state = feed, State(feed, secrets.token_hex(8))
        self._drawn: dict[str, tuple[Look, asyncio.Future[bytes]]] = {}
        self._viewers: set[_Viewer] = set()

    async def login(self, request: Request) -> Response:
        """Take the token of the form, and give a cookie for it."""
        if request.method == "GET":
            return _login_page()
        body = await body_of(request, LARGEST_MESSAGE)
        if isinstance(body, Response):
            return body
        given = parse_qs(body.decode(errors="replace")).get("token", [""])[0]
        if not self.tokens.right(given):
            await asyncio.sleep(access.WRONG_S)
            return _login_page(wrong=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, self.tokens.cookie, max_age=30 * 86_400, httponly=True, samesite="strict"
        )
        return answer

    async def live(self, socket: WebSocket) -> None:
        """Send a page what it asks for, once for every time it asks: one that is slow or does not
        read asks for nothing more."""
        if len(self._viewers) >= VIEWERS:
            await socket.accept()
            await socket.close(1013, f"{VIEWERS} pages are open already")
            return
        viewer = _Viewer()
        self._viewers.add(viewer)
        self._listen_to_feed()
        try:
            await socket.accept()
            asking = asyncio.create_task(self._listen(socket, viewer))
            asking.add_done_callback(lambda _: viewer.news.set())
            try:
                while not asking.done():
                    viewer.news.clear()
                    await self._answer(socket, viewer)
                    with suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(viewer.news.wait(), STATE_S)
            finally:
                asking.cancel()
            if asking.exception() is not None and socket.client_state == WebSocketState.CONNECTED:
                await socket.close(1008)
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # it went away while something was sent
        finally:
            self._viewers.discard(viewer)

    def _listen_to_feed(self) -> None:
        """Wake pages when the loop has something for them, and not in between: drawing and
        sending then fall between two frames of a camera."""
        loop = asyncio.get_running_loop()

        def wake(camera: str) -> None:
            for viewer in self._viewers:
                if camera in viewer.cameras or viewer.events is not None:
                    viewer.news.set()

        def woken(camera: str) -> None:
            with suppress(RuntimeError):  # the view was closed a moment ago
                loop.call_soon_threadsafe(wake, camera)

        self._feed.woken = woken

    async def _listen(self, socket: WebSocket, viewer: _Viewer) -> None:
        """Take what a page asks for, until it goes away.

        {"state": NUMBER}: the state, with the events after the one of that number.
        {"camera": NAME, "number": NUMBER}: the picture after the one of that number.
        """
        while True:
            try:
                text = await socket.receive_text()
            except WebSocketDisconnect:
                return
            ask = strict_json.parse(text)
            if not isinstance(ask, dict):
                raise ValueError
            if isinstance(ask.get("state"), int):
                viewer.events = ask["state"]
            elif ask.get("camera") in self._cameras():
                viewer.cameras[ask["camera"]] = ask.get("number", 0)
            viewer.news.set()

    def _cameras(self) -> list[str]:
        return [camera.name for camera in self._feed.watching.config.cameras]

    async def _answer(self, socket: WebSocket, viewer: _Viewer) -> None:
        after = viewer.events
        if after is not None and (
            time.monotonic() - viewer.told >= STATE_S or self._feed.told(after)
        ):
            viewer.events, viewer.told = None, time.monotonic()
            await socket.send_text(json.dumps(self.state.json(after)))
        known = self._cameras()
        for name, number in list(viewer.cameras.items()):
            if name not in known:
                del viewer.cameras[name]
                continue
            slot = self._feed.slot(name)
            slot.want()
            look = slot.look
            if look is not None and look.number != number:
                del viewer.cameras[name]
                await socket.send_bytes(await self._picture(name, look))

    async def _picture(self, name: str, look: Look) -> bytes:
        """The message of a look, drawn once for all pages."""
        known = self._drawn.get(name)
        if known is None or known[0] is not look:
            redact = self._feed.redact
            drawing = self._draw(
                lambda: message(name, look.number, look.result, look.tracks, redact)
            )
            known = self._drawn[name] = look, drawing
        # One page that goes away must not end the drawing for the others.
        return await asyncio.shield(known[1])

    def _draw(self, step: Callable[[], bytes]) -> asyncio.Future[bytes]:
        return asyncio.get_running_loop().run_in_executor(self._feed.pool, step)
