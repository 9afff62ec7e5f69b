"""Webhooks: the signature that receivers know, and receivers that fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from edge.errors import UsageError
from edge.sinks import webhook
from edge.sinks.sink import EventRefused, Sink, SinkError, Site, open_sink

from .broker import free_port
from .events import event
from .receiver import CUT, CUT_AFTER, DRIP, GARBAGE, HANG, REDIRECT, Receiver, listening

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def opened(url: str, **table: Any) -> Sink:
    return open_sink({"url": url, **table}, Site())


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example that the libraries of standardwebhooks.com test with."""
    sink = opened("https://example.org/hook", secret=SECRET)
    assert isinstance(sink, webhook.WebhookSink)
    headers = sink.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330.9)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_an_event_arrives_signed() -> None:
    receiver, given = Receiver(), event(text="Tür")
    with listening(receiver) as port:
        opened(f"http://127.0.0.1:{port}/hook?token=abc", secret=SECRET).send(given)
    ((path, headers, body),) = receiver.requests
    assert path == "/hook?token=abc"
    assert json.loads(body) == json.loads(given.as_json())
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == given.id
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{given.id}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_user_and_password_of_the_address_are_sent_as_such() -> None:
    receiver = Receiver()
    with listening(receiver) as port:
        opened(f"http://me:p%40ss@127.0.0.1:{port}").send(event())
    ((path, headers, _),) = receiver.requests
    assert path == "/"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:p@ss"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (500, "answers 500 Internal Server Error"),
        (404, "answers 404 Not Found"),
        (REDIRECT, "answers 302 Found"),
        (CUT, "cuts the connection"),
        (CUT_AFTER, "cuts the connection"),
        (GARBAGE, "does not speak HTTP"),
        (HANG, "does not answer within 0.5 s"),
        (DRIP, "does not answer within 0.5 s"),
    ],
)
def test_a_receiver_that_fails_is_tried_again(
    answer: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "ANSWER_S", 0.5 if answer in (HANG, DRIP) else 60)
    receiver = Receiver(lambda: answer)
    with listening(receiver) as port:
        sink = opened(f"http://127.0.0.1:{port}/secret-path")
        with pytest.raises(SinkError, match=expected) as caught:
            sink.send(event())
        receiver.stop.set()
    assert not isinstance(caught.value, EventRefused)
    assert f"http://127.0.0.1:{port} " in str(caught.value)
    assert "secret-path" not in str(caught.value)
    assert len(receiver.requests) <= 1  # no redirection is followed


@pytest.mark.parametrize("status", [400, 410, 413, 422])
def test_an_event_that_is_refused_is_told_apart(status: int) -> None:
    with (
        listening(Receiver(lambda: status)) as port,
        pytest.raises(EventRefused, match=str(status)),
    ):
        opened(f"http://127.0.0.1:{port}").send(event())


def test_nobody_there() -> None:
    with pytest.raises(SinkError, match="cannot be reached: Connection refused"):
        opened(f"http://127.0.0.1:{free_port()}").send(event())


def test_a_server_that_takes_connections_and_reads_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "ANSWER_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sink = opened(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(SinkError, match="within"):
            sink.send(event(text="x" * 10_000_000))


def test_https_needs_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    receiver = Receiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with listening(receiver, tls=context) as port:
        with pytest.raises(SinkError, match="certificate verify failed"):
            opened(f"https://localhost:{port}").send(event())
        opened(f"https://localhost:{port}", ca=str(certificate)).send(event())
    assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    ("url", "table"),
    [
        ("https://", {}),
        ("http://user:pa/ss@host/x", {}),
        ("http://host:port/x", {}),
        ("http://host/a b", {}),
        ("http://host/a\r\nX: y", {}),
        ("http://host/ä", {}),
        ("http://host/x", {"ca": "ca.pem"}),
        ("https://host/x", {"ca": "/nowhere/ca.pem"}),
        ("https://host/x", {"secret": "pa-ss"}),
        ("https://host/x", {"secret": "whsec_cGEtc3M="}),
        ("https://host/x", {"secret": "whsec_pa-ss!"}),
        ("https://host/x", {"secret": 7}),
        ("https://host/x", {"secret_file": "/nowhere/pa-ss"}),
        ("https://host/x", {"timeout": 3}),
    ],
)
def test_what_cannot_be_right_is_refused_without_its_secret(
    url: str, table: dict[str, Any]
) -> None:
    with pytest.raises(UsageError) as caught:
        opened(url, **table)
    assert "pa-ss" not in str(caught.value) or "file" in str(caught.value)
    assert "pa/ss" not in str(caught.value)


def test_a_secret_may_be_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    sink = opened("https://u:word@host/token", secret_file=str(file))
    assert isinstance(sink, webhook.WebhookSink)
    assert sink.key is not None
    assert not any(word in repr(sink) for word in ("word", "token", repr(sink.key)))
    with pytest.raises(UsageError, match="both"):
        opened("https://host", secret=SECRET, secret_file=str(file))
