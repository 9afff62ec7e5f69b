"""The outbox: every event reaches every sink, whatever sinks and processes do."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.errors import UsageError
from edge.events.event import Event
from edge.sinks import outbox as outboxes
from edge.sinks.outbox import Outbox
from edge.sinks.sink import EventRefused, SinkError

from .broker import wait_for
from .events import event
from .receiver import CUT, CUT_AFTER, OK, Receiver, listening

ROOT = Path(__file__).parents[3]


class Memory:
    """A sink that keeps what it gets, and fails as it is told."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.taken: list[str] = []
        self.tries = 0
        self.fail: Callable[[Event], BaseException | None] = lambda event: None
        self.closed = False

    def send(self, event: Event) -> None:
        self.tries += 1
        error = self.fail(event)
        if error is not None:
            raise error
        self.taken.append(event.id)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outbox]:
    monkeypatch.setattr(outboxes, "GRACE_S", 60.0)  # the disk may be slow

    def outbox(*sinks: Any, **options: Any) -> Outbox:
        options = {"say": said.append, "first_wait_s": 0.01, **options}
        return Outbox(tmp_path, sinks, **options)

    return outbox


def test_every_sink_gets_every_event_in_order(make: Callable[..., Outbox]) -> None:
    sinks = [Memory("a"), Memory("b")]
    events = [event() for _ in range(50)]
    with make(*sinks) as outbox:
        for each in events:
            outbox.put(each)
    for sink in sinks:
        assert sink.taken == [e.id for e in events]
        assert sink.closed


def test_an_event_is_on_the_disk_before_a_sink_sees_it(
    make: Callable[..., Outbox], tmp_path: Path
) -> None:
    stored: list[bool] = []
    sink = Memory()
    given = event()

    def look(_: Event) -> None:
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        stored.append(f'"id": "{given.id}"'.encode() in content)

    sink.fail = look
    with make(sink) as outbox:
        outbox.put(given)
    assert stored == [True]


def test_a_sink_that_fails_stops_nobody_and_loses_and_doubles_nothing(
    make: Callable[..., Outbox], said: list[str]
) -> None:
    broken, well = Memory("broken"), Memory("well")
    failing = threading.Event()
    failing.set()
    broken.fail = lambda _: SinkError("it is away") if failing.is_set() else None
    events = [event() for _ in range(20)]
    with make(broken, well) as outbox:
        for each in events:
            outbox.put(each)
        wait_for(lambda: len(well.taken) == 20 and broken.tries > 3)
        wait_for(lambda: outbox.spool.waiting() == {"broken": 20, "well": 0})
        failing.clear()
        wait_for(lambda: len(broken.taken) == 20)
    assert broken.taken == [e.id for e in events]
    assert said == [
        "broken: it is away; events wait until it takes them",
        "broken takes events again",
    ]


def test_what_was_not_taken_comes_after_a_restart(make: Callable[..., Outbox]) -> None:
    sink = Memory()
    sink.fail = lambda e: SinkError("away") if sink.taken else None
    events = [event() for _ in range(5)]
    with make(sink) as outbox:
        for each in events:
            outbox.put(each)
        wait_for(lambda: sink.tries > 2)
    assert sink.taken == [events[0].id]
    again = Memory()
    make(again).close()
    assert again.taken == [e.id for e in events[1:]]


def test_an_event_that_is_refused_is_passed_over_after_three_tries_and_told(
    make: Callable[..., Outbox], said: list[str]
) -> None:
    sink = Memory()
    first, poison, last = event(), event(), event()
    sink.fail = lambda e: EventRefused("too large") if e.id == poison.id else None
    with make(sink) as outbox:
        for each in (first, poison, last):
            outbox.put(each)
        wait_for(lambda: len(sink.taken) == 2)
        assert outbox.refused == {"memory": 1}
    assert sink.taken == [first.id, last.id]
    assert sink.tries == 5
    assert any(poison.id in line and "too large" in line for line in said)


def test_a_fault_of_a_sink_does_not_end_it_silently(
    make: Callable[..., Outbox], said: list[str]
) -> None:
    sink = Memory()
    sink.fail = lambda _: ZeroDivisionError("secret") if sink.tries < 3 else None
    given = event()
    with make(sink) as outbox:
        outbox.put(given)
        wait_for(lambda: sink.taken)
    assert sink.taken == [given.id]
    assert "ZeroDivisionError" in said[0]
    assert "secret" not in said[0]


def test_a_reader_that_is_gone_ends_the_program(make: Callable[..., Outbox]) -> None:
    sink, other = Memory("stdout"), Memory("other")
    sink.fail = lambda _: BrokenPipeError()
    outbox = make(sink, other)
    outbox.check()
    outbox.put(event())

    def gone() -> bool:
        try:
            outbox.check()
        except BrokenPipeError:
            return True
        return False

    wait_for(gone)
    with pytest.raises(BrokenPipeError):
        outbox.put(event())
    outbox.close()
    assert len(other.taken) == 1


def test_a_sink_gets_the_events_of_its_cameras(make: Callable[..., Outbox]) -> None:
    some, every = Memory("some"), Memory("every")
    with make(some, every, cameras={"some": {"door"}}) as outbox:
        outbox.put(event(camera="door", id="1"))
        outbox.put(event(camera="yard", id="2"))
        outbox.put(event(camera="door", id="3"))
        wait_for(lambda: len(every.taken) == 3 and not any(outbox.spool.waiting().values()))
    assert some.taken == ["1", "3"]


def test_an_observer_is_told_at_once_and_of_its_cameras(make: Callable[..., Outbox]) -> None:
    class Observing(Memory):
        seen: tuple[str, ...] = ()

        def observe(self, event: Event) -> None:
            self.seen += (event.id,)

    sink = Observing("some")
    sink.fail = lambda _: SinkError("away")
    with make(sink, cameras={"some": {"door"}}) as outbox:
        outbox.put(event(id="1", camera="door"))
        outbox.put(event(id="2", camera="yard"))
        assert sink.seen == ("1",)


def test_two_sinks_of_one_name_are_refused(make: Callable[..., Outbox]) -> None:
    with pytest.raises(UsageError, match="one name"):
        make(Memory("webhook"), Memory("webhook"))


def test_a_disk_that_hangs_stops_no_camera(
    make: Callable[..., Outbox], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "QUEUED", 10)
    sink = Memory()
    outbox = make(sink)
    hang, append = threading.Event(), outbox.spool.append

    def slow(events: list[Event]) -> None:
        hang.wait(20)
        append(events)

    monkeypatch.setattr(outbox.spool, "append", slow)
    outbox.put(event())
    wait_for(lambda: not outbox._queue)
    start = time.monotonic()
    for _ in range(30):
        outbox.put(event())
    assert time.monotonic() - start < 15
    assert outbox.lost == 20
    assert len(said) == 1
    assert "hangs" in said[0]
    hang.set()
    wait_for(lambda: len(sink.taken) == 11)
    outbox.close()


def test_the_end_does_not_wait_for_a_sink_that_hangs(
    make: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "GRACE_S", 0.2)
    hang, sink, well = threading.Event(), Memory("hangs"), Memory("well")
    sink.fail = lambda _: hang.wait(20) and None
    outbox = make(sink, well)
    given = event()
    outbox.put(given)
    wait_for(lambda: well.taken)
    outbox.close()
    hang.set()
    again = Memory("hangs")
    make(again, Memory("well")).close()
    assert again.taken == [given.id]


SENDER = """
    import os, random, signal, sys, threading, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from events import event
    from edge import sinks
    from edge.sinks.outbox import Outbox
    from edge.sinks.sink import Site, open_sink
    sinks.load()
    if "mqtt" in sys.argv[3]:
        import paho.mqtt.client, paho.mqtt.subscribeoptions
    folder, url, log = Path(sys.argv[2]), sys.argv[3], sys.argv[4]

    stored = []

    def started():
        out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        outbox = Outbox(folder, [open_sink({"url": url}, Site())], say=lambda text: None,
                        first_wait_s=0.01)
        append = outbox.spool.append
        def logged(events):
            append(events)
            os.write(out, "".join(f"{each.id}\\n" for each in events).encode())
            stored.extend(events)
        outbox.spool.append = logged
        return outbox

    def killed(seed):
        dice, outbox, number = random.Random(seed), started(), 0
        point, rest = dice.randrange(2, 15), dice.uniform(0, 0.02)
        kill = threading.Timer(rest, lambda: os.kill(os.getpid(), signal.SIGKILL))
        while True:
            outbox.put(event(id=f"{seed}-{number}"))
            number += 1
            time.sleep(0.002)
            if len(stored) >= point and not kill.is_alive():
                kill.start()

    for seed in range(int(sys.argv[5])):
        if (child := os.fork()) == 0:
            killed(seed)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    outbox = started()
    while any(outbox.spool.waiting().values()):
        time.sleep(0.01)
    outbox.close()
"""


def send_and_kill(folder: Path, url: str, seeds: int) -> list[str]:
    """Start senders, kill -9 each at its seeded point, let a last one send the rest.

    Returns:
        The ids that were on the disk.
    """
    log = folder / "log"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SENDER), str(Path(__file__).parent),
         str(folder / "spool"), url, str(log), str(seeds)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return log.read_text().split()


def test_a_sender_killed_at_any_point_loses_nothing(tmp_path: Path) -> None:
    """Its receiver fails one request in five, and cuts some off that it took."""
    dice = random.Random(3)
    receiver = Receiver(lambda: dice.choices([OK, 503, CUT, CUT_AFTER], [80, 8, 6, 6])[0])
    seeds = 10
    with listening(receiver) as port:
        stored = send_and_kill(tmp_path, f"http://127.0.0.1:{port}/events", seeds)
    assert len(stored) > 20
    assert not set(stored) - set(receiver.taken)
    # Doubled is at most the one event that was under way at each kill.
    assert len(receiver.taken) - len(set(receiver.taken)) <= seeds
    order = list(dict.fromkeys(receiver.taken))
    known = [identity for identity in order if identity in set(stored)]
    assert known == stored


def test_sinks_change_while_others_go_on(
    make: Callable[..., Outbox], said: list[str], tmp_path: Path
) -> None:
    """`b` fails and is replaced: what waited for it goes on. `c` goes, and `d` begins now."""
    a, b, c, d, new_b = (Memory(name) for name in ("a", "b", "c", "d", "b"))
    b.fail = c.fail = lambda event: SinkError("away")
    events = [event() for _ in range(6)]
    with make(a, b, c) as outbox:
        for each in events[:3]:
            outbox.put(each)
        wait_for(lambda: len(a.taken) == 3 and b.tries and c.tries)
        outbox.remove(["b"])
        assert b.closed and not a.closed
        outbox.put(events[3])
        wait_for(lambda: len(a.taken) == 4)
        outbox.set_sinks([a, new_b, d], {"d": ["nobody"]})
        assert c.closed and outbox.sinks == [a, new_b, d]
        wait_for(lambda: len(new_b.taken) == 4)
        outbox.set_sinks([a, new_b, d])
        for each in events[4:]:
            outbox.put(each)
    assert a.taken == new_b.taken == [e.id for e in events]
    assert d.taken == [e.id for e in events[4:]]
    assert b.taken == c.taken == []
    assert "4 events that waited for c are dropped: it is gone" in said
    with make(a, new_b, d) as outbox:  # the positions are on the disk
        assert set(outbox.spool.waiting().values()) == {0}


def test_two_sinks_of_one_name_are_refused_later_too(make: Callable[..., Outbox]) -> None:
    with make(Memory("a")) as outbox, pytest.raises(UsageError, match="two sinks have one name"):
        outbox.set_sinks([Memory("a"), Memory("a")])
