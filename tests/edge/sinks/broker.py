"""A real mosquitto on loopback that can be killed and brought back, and a client that listens."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The value of a condition, once it is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


class Mosquitto:
    """A broker with persistence, as people run it: retained messages survive a restart."""

    def __init__(self, folder: Path, *lines: str, port: int | None = None) -> None:
        if PROGRAM is None:
            pytest.skip("no mosquitto on this machine: apt-get install mosquitto")
        self.port = port or free_port()
        self._config = folder / "mosquitto.conf"
        base = ["persistence true", f"persistence_location {folder}/", "autosave_on_changes true",
                "autosave_interval 1", "user root"]  # fmt: skip
        given = lines or (f"listener {self.port} 127.0.0.1", "allow_anonymous true")
        self._config.write_text("\n".join([*base, *given]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers)

    def kill(self) -> None:
        """As a power failure of the broker. What it has sent arrives before its connections are
        reset, because a listener would lose what it has not read and the broker has on no disk."""
        if self._process is not None:
            self.hang()
            time.sleep(0.1)
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """It keeps its connections and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """Keeps every message of a broker; its session outlives a restart of the broker.

    Attributes:
        messages: (topic, payload, retained) in the order of arrival.
    """

    def __init__(self, port: int, topics: str = "#", **account: str) -> None:
        from paho.mqtt.client import CallbackAPIVersion, Client

        self.messages: list[tuple[str, str, bool]] = []
        self._subscribed = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2, f"listener-{free_port()}", clean_session=False
        )
        if account:
            self.client.username_pw_set(**account)
        self.client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(10)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, _: Any, __: Any, given: Any) -> None:
        message = given.topic, given.payload.decode(errors="replace"), given.retain
        # A broker that comes back sends again (DUP) what it had not seen acknowledged.
        if not (given.dup and message in self.messages):
            self.messages.append(message)

    def of(self, end: str) -> list[str]:
        """Payloads of the topics that end so."""
        return [payload for topic, payload, _ in self.messages if topic.endswith(end)]

    def last(self, topic: str) -> str | None:
        return next((p for t, p, _ in reversed(self.messages) if t == topic), None)


def retained(port: int, topics: str = "#") -> dict[str, str]:
    """What the broker keeps, as somebody sees it who comes now."""
    with Listener(port, topics) as listener:
        time.sleep(0.3)
        return {topic: payload for topic, payload, kept in listener.messages if kept}
