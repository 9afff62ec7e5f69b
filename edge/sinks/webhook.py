"""http:// and https://: a webhook, signed as standardwebhooks.com specifies it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import edge
from edge.errors import UsageError
from edge.events.event import Event
from edge.sinks.sink import (
    SINKS,
    EventRefused,
    Sink,
    SinkError,
    Site,
    Table,
    check_keys,
    secret,
    text,
)

KEYS = ("url", "name", "secret", "secret_file", "ca")
ANSWER_S = 10.0
"""Seconds in which a receiver must have answered, from connecting to its last header."""
REFUSED = (400, 410, 413, 415, 422)
"""Answers that mean this event, not the receiver: the same event is never taken later."""
SECRET = "whsec_"
LEAST, MOST = 24, 64
"""Bytes of a secret."""


@dataclass(frozen=True)
class WebhookSink:
    """Posts each event as JSON; any 2xx is its acknowledgement. Redirections are not followed.

    Attributes:
        name: of the sink.
        place: the address as it may be printed: what follows the host is often a secret.
        host, port, path: of the address.
        tls: None for http.
        account: `user:password`, or None.
        key: that signs, or None.
    """

    name: str
    place: str
    host: str
    port: int
    path: str = field(repr=False)
    tls: ssl.SSLContext | None
    account: str | None = field(repr=False)
    key: bytes | None = field(repr=False)

    def send(self, event: Event) -> None:
        """Post an event."""
        body = event.as_json().encode()
        connection, late = self._connection(), threading.Event()
        # The timeout of a socket begins anew with every byte: this one does not.
        watch = threading.Timer(ANSWER_S, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            connection.request("POST", self.path, body, self.headers(event.id, body))
            status = connection.getresponse().status
            if late.is_set():
                raise TimeoutError
        except (OSError, http.client.HTTPException) as error:
            raise SinkError(f"{self.place} {self._reason(error, late.is_set())}") from None
        finally:
            watch.cancel()
            connection.close()
        if status in REFUSED:
            raise EventRefused(f"{self.place} answers {_named(status)}")
        if not 200 <= status < 300:
            raise SinkError(f"{self.place} answers {_named(status)}")

    def close(self) -> None:
        """Nothing is left open."""

    def headers(self, identity: str, body: bytes, now: float | None = None) -> dict[str, str]:
        """The headers of a request, with its signature."""
        seconds = str(int(time.time() if now is None else now))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"edge/{edge.__version__}",
            "webhook-id": identity,
            "webhook-timestamp": seconds,
        }
        if self.key is not None:
            signed = b".".join((identity.encode(), seconds.encode(), body))
            digest = base64.b64encode(hmac.digest(self.key, signed, hashlib.sha256)).decode()
            headers["webhook-signature"] = f"v1,{digest}"
        if self.account is not None:
            basic = base64.b64encode(self.account.encode()).decode()
            headers["Authorization"] = f"Basic {basic}"
        return headers

    def _connection(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_S)
        return http.client.HTTPSConnection(self.host, self.port, timeout=ANSWER_S, context=self.tls)

    def _reason(self, error: Exception, late: bool) -> str:
        if late or isinstance(error, TimeoutError):
            return f"does not answer within {ANSWER_S:g} s"
        if isinstance(error, http.client.RemoteDisconnected):
            return "cuts the connection"
        if isinstance(error, http.client.HTTPException):
            return "does not speak HTTP"
        return f"cannot be reached: {getattr(error, 'strerror', None) or error}"


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _named(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}".strip()


def open_webhook(table: Table, site: Site) -> Sink:
    """Open `http://HOST/PATH` or `https://HOST/PATH`."""
    check_keys(table, KEYS, "webhook")
    url = text(table, "url") or ""
    scheme = url.partition("://")[0].lower()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or "@" in parts.path or any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError(
            f"the address of a webhook at {scheme}:// cannot be read", "https://HOST/PATH"
        )
    place = f"{scheme}://{parts.netloc.rpartition('@')[2]}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise UsageError(f"the path of {place} is not ASCII", "write other characters as %XX")
    tls, ca = None, text(table, "ca")
    if scheme == "https":
        try:
            tls = ssl.create_default_context(cafile=ca)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{place}: cannot read `ca` {ca}: {reason}") from None
    elif ca is not None:
        raise UsageError(f"{place}: `ca` has no effect without https://")
    account = None
    if parts.username is not None:
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return WebhookSink(
        name=text(table, "name") or "webhook",
        place=place,
        host=host,
        port=port or (443 if tls else 80),
        path=path,
        tls=tls,
        account=account,
        key=_key(secret(table, "secret"), place),
    )


def _key(given: str | None, place: str) -> bytes | None:
    """The bytes of `whsec_BASE64`."""
    if given is None:
        return None
    key = b""
    if given.startswith(SECRET):
        with suppress(binascii.Error, ValueError):
            key = base64.b64decode(given.removeprefix(SECRET), validate=True)
    if not LEAST <= len(key) <= MOST:
        raise UsageError(
            f"`secret` of {place} is none, expected {SECRET} and {LEAST} to {MOST} bytes in base64",
            f'echo "{SECRET}$(openssl rand -base64 32)"',
        )
    return key


for _scheme in ("http", "https"):
    SINKS[_scheme] = open_webhook
