"""A real mosquitto on loopback that can be killed and brought back, and a client that listens."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
PORTS = itertools.count(397 * os.getpid())


def free_port() -> int:
    """One that stays free until it is used: below those that the system gives away by itself, and
    far from those of another process that runs tests."""
    while True:
        port = 10_000 + next(PORTS) % 20_000
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
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
        self._end()

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
            wait_for(self._is_read)
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """It keeps its connections and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def _is_read(self) -> bool:
        """Whether its clients have read what it sent: `/proc/net/tcp` has a queue for each end."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, mine, theirs, _, queues, *_ = line.split()
            sent, received = (int(queue, 16) for queue in queues.split(":"))
            if sent and mine.endswith(f":{self.port:04X}"):
                return False
            if received and theirs.endswith(f":{self.port:04X}"):
                return False
        return True

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """Keeps every message of a broker; its session outlives a restart of the broker.

    Args:
        port: of the broker.
        topics: what it wants.
        once: its session ends with its connection.
        account: a name and a password.

    Attributes:
        messages: (topic, payload, retained) in the order of arrival.
    """

    def __init__(self, port: int, topics: str = "#", once: bool = False, **account: str) -> None:
        from paho.mqtt.client import CallbackAPIVersion, Client

        self.messages: list[tuple[str, str, bool]] = []
        self._subscribed = threading.Event()
        self._id = f"listener-{uuid.uuid4()}"
        self.client = Client(CallbackAPIVersion.VERSION2, self._id, clean_session=once)
        if account:
            self.client.username_pw_set(**account)
        places = [(topics, 1), (self._id, 1)]
        self.client.on_connect = lambda client, *_: client.subscribe(places)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self._asked = self._settled = 0
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(60)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, _: Any, __: Any, given: Any) -> None:
        if given.topic == self._id:
            self._settled = int(given.payload)
            return
        message = given.topic, given.payload.decode(errors="replace"), given.retain
        # A broker that comes back sends again (DUP) what it had not seen acknowledged.
        if not (given.dup and message in self.messages):
            self.messages.append(message)

    def settle(self) -> None:
        """Wait until everything has arrived that the broker took before: it keeps the order."""
        self._asked += 1
        self.client.publish(self._id, str(self._asked), 1)
        wait_for(lambda: self._settled == self._asked)

    def of(self, end: str) -> list[str]:
        """Payloads of the topics that end so."""
        return [payload for topic, payload, _ in self.messages if topic.endswith(end)]

    def last(self, topic: str) -> str | None:
        return next((p for t, p, _ in reversed(self.messages) if t == topic), None)


def retained(port: int, topics: str = "#") -> dict[str, str]:
    """What the broker keeps, as somebody sees it who comes now."""
    with Listener(port, topics, once=True) as listener:
        listener.settle()
        return {topic: payload for topic, payload, kept in listener.messages if kept}
