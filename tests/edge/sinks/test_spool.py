"""The spool: what is on disk survives, what waits is bounded, and nothing is dropped silently."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import EdgeError
from edge.files import NotWritten
from edge.sinks import spool as spools
from edge.sinks.spool import FILE, Spool, read_event

from .events import event

ROOT = Path(__file__).parents[3]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Callable[..., Spool]:
    def spool(*sinks: str, limit: int = 1000) -> Spool:
        return Spool(tmp_path / "spool", sinks or ("a",), limit, said.append)

    return spool


def taken(spool: Spool, sink: str) -> list[str]:
    """Ids of all that a sink takes."""
    ids = []
    while (row := spool.take(sink)) is not None:
        ids.append(read_event(row[1]).id)
        spool.done(sink, row[0])
    return ids


def test_every_sink_gets_every_event_in_order_across_a_restart(make: Callable[..., Spool]) -> None:
    spool = make("a", "b")
    events = [event() for _ in range(5)]
    spool.append(events[:3])
    row = spool.take("a")
    assert row is not None
    spool.done("a", row[0])
    assert spool.waiting() == {"a": 2, "b": 3}
    spool.close()
    spool = make("a", "b")
    spool.append(events[3:])
    assert spool.waiting() == {"a": 4, "b": 5}
    assert taken(spool, "a") == [e.id for e in events[1:]]
    assert taken(spool, "b") == [e.id for e in events]
    assert spool.waiting() == {"a": 0, "b": 0}
    spool.close()


def test_an_event_comes_back_as_it_was(make: Callable[..., Spool]) -> None:
    given = event(
        kind="zone_entered", phase="begin", track=7, zone="Höfe außen", box=(1, 2, 3, 4),
        foot=(2.5, 6.0), depth=0.25, size=(480, 640), snapshot="door/a.jpg",
    )  # fmt: skip
    spool = make()
    spool.append([given])
    row = spool.take("a")
    assert row is not None
    assert read_event(row[1]) == given
    spool.close()


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"id": "x"}', "null", "3"])
def test_what_is_no_event_is_a_value_error(body: str) -> None:
    with pytest.raises(ValueError):
        read_event(body)


def test_an_event_of_a_later_version_is_read() -> None:
    body = event(id="x").as_json()[:-1] + ', "temperature": 3}'
    assert read_event(body).id == "x"


def test_delivered_events_leave_the_disk(make: Callable[..., Spool], tmp_path: Path) -> None:
    spool = make(limit=10_000)
    for _ in range(20):
        spool.append([event(text="x" * 1000) for _ in range(100)])
        taken(spool, "a")
    spool.close()
    size = sum(file.stat().st_size for file in (tmp_path / "spool").iterdir())
    assert size < 2_000_000  # 2 MB went through it


def test_above_the_limit_the_oldest_are_dropped_and_it_is_said(
    make: Callable[..., Spool], said: list[str]
) -> None:
    spool = make("away", "fast", limit=100)
    events = [event() for _ in range(130)]
    for each in events:
        spool.append([each])
        taken(spool, "fast")
        assert spool.waiting()["away"] <= 100
    got = taken(spool, "away")
    assert got == [e.id for e in events[-len(got) :]]
    assert spool.dropped == {"away": 130 - len(got), "fast": 0}
    assert len(said) == 3
    assert all("oldest were dropped" in line and "away" in line for line in said)
    assert sum(int(line.split("dropped, ")[1].split()[0]) for line in said) == 130 - len(got)
    spool.close()


def test_a_batch_larger_than_the_limit(make: Callable[..., Spool]) -> None:
    spool = make(limit=10)
    events = [event() for _ in range(35)]
    spool.append(events)
    assert taken(spool, "a") == [e.id for e in events[-9:]]
    assert spool.dropped["a"] == 26
    spool.close()


def test_a_new_sink_begins_now_and_one_that_is_gone_is_told(
    make: Callable[..., Spool], said: list[str]
) -> None:
    spool = make("old")
    spool.append([event(), event()])
    spool.close()
    spool = make("new")
    assert said == ["2 events that waited for old are dropped: it is gone"]
    assert spool.waiting() == {"new": 0}
    later = event()
    spool.append([later])
    assert taken(spool, "new") == [later.id]
    spool.close()


def test_without_sinks_nothing_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path, ())
    spool.append([event()])
    assert spool.waiting() == {}
    spool.close()


def test_another_process_is_refused(make: Callable[..., Spool], tmp_path: Path) -> None:
    spool = make()
    code = f"""
        from pathlib import Path
        from edge.errors import EdgeError
        from edge.sinks.spool import Spool
        try:
            Spool(Path({str(tmp_path / "spool")!r}), ["a"])
        except EdgeError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT
    )
    assert "is in use by another process" in done.stdout
    spool.close()
    spool.close()
    make().close()


def test_a_damaged_file_is_put_aside_and_the_spool_goes_on(
    make: Callable[..., Spool], said: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / FILE).write_bytes(b"this is no database" * 1000)
    spool = make()
    given = event()
    spool.append([given])
    assert taken(spool, "a") == [given.id]
    spool.close()
    assert len(said) == 1
    assert "is damaged" in said[0]
    assert len(list(folder.glob(f"{FILE}.damaged-*"))) == 1


def test_a_page_of_zeros_in_the_middle_is_found(
    make: Callable[..., Spool], said: list[str], tmp_path: Path
) -> None:
    spool = make(limit=10_000)
    spool.append([event(text="y" * 500) for _ in range(200)])
    spool.close()
    file = tmp_path / "spool" / FILE
    content = bytearray(file.read_bytes())
    content[4096 * 5 : 4096 * 9] = bytes(4096 * 4)
    file.write_bytes(content)
    make().close()
    assert len(said) == 1
    assert "is damaged" in said[0]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritten, match="cannot write"):
        Spool(tmp_path / "file" / "spool", ["a"])


def test_a_full_disk_stops_no_alarm(
    make: Callable[..., Spool], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a file's size takes the place of a full disk."""
    monkeypatch.setattr(spools, "UNSAVED", 50)
    spool = make("a", "b")
    first = event()
    spool.append([first])
    taken(spool, "b")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        events = [event(text="z" * 2000) for _ in range(40)]
        for each in events:
            spool.append([each])
        assert taken(spool, "b") == [e.id for e in events]
        assert len(said) == 1
        assert "cannot be used" in said[0]
        more = [event() for _ in range(30)]
        spool.append(more)
        assert spool.dropped["a"] > 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, handler)
    last = event()
    spool.append([last])
    assert said[-1].endswith("can be used again")
    assert taken(spool, "b") == [e.id for e in [*more, last]]
    expected = [e.id for e in [first, *events, *more, last]]
    got = taken(spool, "a")
    assert got == expected[-len(got) :]
    assert spool.dropped == {"a": len(expected) - len(got), "b": 0}
    spool.close()


def test_what_was_appended_survives_kill_9_at_any_point(tmp_path: Path) -> None:
    """A process appends and delivers, and is killed at seeded points of time and of its
    statements; what it said to be on disk is there, what it said to be delivered comes no more."""
    code = """
        import os, random, signal, sys, threading
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from events import event
        from edge.sinks.spool import Spool, read_event
        out = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def killed(seed):
            spool, dice = Spool(Path(sys.argv[2]), ["a"]), random.Random(seed)
            kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
            if seed % 2:
                threading.Timer(dice.uniform(0, 0.1), kill).start()
            else:
                left = iter(range(dice.randrange(5, 80)))
                spool._db.set_trace_callback(lambda _: next(left, None) is None and kill())
            for number in range(10**6):
                name = f"{seed}-{number}"
                spool.append([event(id=name)])
                os.write(out, f"+{name}\\n".encode())
                if number % 3 == 2:
                    row = spool.take("a")
                    name = read_event(row[1]).id
                    os.write(out, f"!{name}\\n".encode())
                    spool.done("a", row[0])
                    os.write(out, f"-{name}\\n".encode())

        for seed in range(int(sys.argv[4])):
            if (child := os.fork()) == 0:
                killed(seed)
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
    """
    log, seeds = tmp_path / "log", 30
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(Path(__file__).parent),
         str(tmp_path / "spool"), str(log), str(seeds)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = log.read_text().split()
    appended = [line[1:] for line in lines if line[0] == "+"]
    sent = [line[1:] for line in lines if line[0] == "!"]
    delivered = [line[1:] for line in lines if line[0] == "-"]
    spool = Spool(tmp_path / "spool", ["a"])
    left = taken(spool, "a")
    spool.close()
    assert len(appended) > seeds
    assert delivered
    # Whether one that was sent at a kill comes again depends on how far `done` was.
    assert not set(appended) - set(sent) - set(left)
    assert not set(delivered) & set(left)
    # At most the one that was under way at each kill was never told of.
    assert len(set(left) - set(appended)) <= seeds


def test_two_spools_in_one_process_are_refused(make: Callable[..., Spool]) -> None:
    spool = make()
    with pytest.raises(EdgeError):
        make()
    spool.close()
