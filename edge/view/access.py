"""Who may use the view: by token, host and origin; and what a browser may do with its answers."""

from __future__ import annotations

import asyncio
import hmac
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "edge-view"
WRONG_S = 1.0
"""Seconds that a wrong token takes."""
PUBLIC = ("/login", "/view.css", "/icon.svg")
"""What is shown before the token is given."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer a browser would hide the origin of the login form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    # One request for each connection, so that the time for one is that of the other.
    "Connection": "close",
}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Tokens:
    """Checks the token, in constant time.

    Args:
        token: None: everybody may.
    """

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else token.encode()

    @property
    def needed(self) -> bool:
        """Whether there is a token."""
        return self._token is not None

    def right(self, given: str) -> bool:
        """Whether a token is the right one."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token)

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the token; the same after a restart."""
        return hmac.new(self._token or b"", b"edge view", "sha256").hexdigest()

    def admits(self, headers: Headers) -> bool:
        """Whether a request may be answered: by cookie, or by `Authorization: Bearer TOKEN`."""
        if self._token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.right(given.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(
            morsel.value.encode(), self.cookie.encode()
        )


class Access:
    """Refuses what may not be, before anything of it is read.

    Args:
        app: answers the rest.
        tokens: checks the token.
        login: the page that asks for it.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, login: Response) -> None:
        self._app, self._tokens, self._login = app, tokens, login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None and refusal.status_code == 401 and _gives_token(scope):
            await asyncio.sleep(WRONG_S)
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # Without a token a page of another name that resolves to this machine would be let in.
        if not self._tokens.needed and not is_loopback(_name(host)):
            return PlainTextResponse("this host is not served\n", 403)
        writes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if writes and (not host or _place(headers.get("origin", "")) != host):
            return PlainTextResponse("requests from other origins are refused\n", 403)
        if scope["path"] not in PUBLIC and not self._tokens.admits(headers):
            if scope["type"] == "http" and scope["path"] == "/":
                return self._login
            return PlainTextResponse("the token is missing or wrong\n", 401)
        return None


def _gives_token(scope: Scope) -> bool:
    return "authorization" in Headers(scope=scope)


def _place(origin: str) -> str:
    """Host and port of an Origin header."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _name(host: str) -> str:
    """The name of a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
