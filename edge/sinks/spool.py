"""The spool: events on disk until every sink has them.

A database of SQLite, not a file of our own: a commit that is cut off by a kill or by the power is
undone when it is opened again, space of delivered events is used again, and the position of every
sink is changed together with what it allows to be deleted.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from edge import strict_json
from edge.errors import EdgeError
from edge.events.event import Event
from edge.files import NotWritten, claimed
from edge.progress import note

FILE = "events.sqlite"
LIMIT = 100_000
"""Events that wait at most; about 80 MB."""
UNSAVED = 10_000
"""Events that wait in memory at most, while the disk cannot be written."""
TABLES = """
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sinks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);
"""


class Spool:
    """Events in the order in which they came, and how far each sink has taken them.

    Every method may be called from any thread.

    Args:
        folder: of this spool alone; made where it is missing.
        sinks: names of the sinks. One that is new gets what comes from now on.
        limit: events; the oldest are dropped above it, a tenth at a time, and this is said.
        say: told sentences for the user.

    Attributes:
        dropped: for each sink the events that were dropped before it had them.

    Raises:
        NotWritten: the folder cannot be written.
        EdgeError: another process uses it.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[str],
        limit: int = LIMIT,
        say: Callable[[str], None] = note,
    ) -> None:
        self.folder, self.limit, self._say = folder, limit, say
        self.dropped = dict.fromkeys(sinks, 0)
        # Numbered one after another: what waits is counted without looking at it.
        self._first = self._next = 1
        self._positions: dict[str, int] = {}
        self._unsaved: list[tuple[int, str]] = []
        self._failing = False
        self._lock = threading.Lock()
        with ExitStack() as stack:
            busy = f"the spool {folder} is in use by another process, expected one for each"
            stack.enter_context(claimed(folder, busy))
            self._db = self._opened()
            stack.callback(self._db.close)
            try:
                self._begin(sinks)
            except sqlite3.Error as error:
                raise _not_written(folder, error) from None
            self._release = stack.pop_all()

    def set_sinks(self, sinks: Sequence[str]) -> None:
        """Take other sinks: one that is new gets what comes from now on, one that is gone is
        forgotten, and the others keep their positions."""
        with self._lock:
            last, before = self._next - 1, self._positions
            for name in before.keys() - set(sinks):
                self._say_gone(name, last - max(before[name], self._first - 1))
            self._positions = {name: before.get(name, last) for name in sinks}
            self.dropped = {name: self.dropped.get(name, 0) for name in sinks}
            with suppress(sqlite3.Error), self._writing(durable=True):
                self._store_positions()

    def append(self, events: Sequence[Event]) -> None:
        """Store events; they survive a kill and a loss of power when this returns.

        Where the disk cannot be written they wait in memory, sinks get them from there, and this
        is said: an alarm is worth more than the promise to keep it.
        """
        if not self.dropped:
            return  # no sink
        with self._lock:
            for event in events:
                self._unsaved.append((self._next, event.as_json()))
                self._next += 1
            lowest = 0
            if self._next - self._first > self.limit:
                lowest = self._next - 1 - int(0.9 * self.limit)
            try:
                with self._writing(durable=True):
                    self._db.executemany("INSERT INTO events VALUES (?, ?)", self._unsaved)
                    self._db.execute("DELETE FROM events WHERE seq <= ?", (lowest,))
            except sqlite3.Error as error:
                self._tell_failing(error)
                self._keep_in_memory()
                return
            self._unsaved.clear()
            if self._failing:
                self._failing = False
                self._say(f"the spool {self.folder} can be used again")
            self._dropped_to(lowest, f"more than {self.limit} events waited")

    def take(self, sink: str) -> tuple[int, str] | None:
        """The next event of a sink, as its number and its JSON; None: it has them all."""
        with self._lock:
            position = self._positions.get(sink)
            if position is None:
                return None  # it is gone
            row = None
            try:
                row = self._db.execute(
                    "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (position,)
                ).fetchone()
            except sqlite3.Error as error:
                self._tell_failing(error)
            return row or next((row for row in self._unsaved if row[0] > position), None)

    def done(self, sink: str, seq: int) -> None:
        """A sink has the event of this number; it survives a kill when this returns.

        It is not flushed to the disk: after a loss of power some events may come twice.
        """
        with self._lock:
            if sink not in self._positions:
                return
            seq = self._positions[sink] = max(seq, self._positions[sink])
            lowest = min(self._positions.values())
            self._unsaved = [row for row in self._unsaved if row[0] > lowest]
            # An error is told where the next event cannot be written.
            with suppress(sqlite3.Error), self._writing(durable=False):
                self._db.execute("UPDATE sinks SET seq = ? WHERE name = ?", (seq, sink))
                self._db.execute("DELETE FROM events WHERE seq <= ?", (lowest,))
            self._first = max(self._first, lowest + 1)

    def waiting(self) -> dict[str, int]:
        """For each sink the events that it does not have yet."""
        with self._lock:
            return {
                name: self._next - max(position + 1, self._first)
                for name, position in self._positions.items()
            }

    def close(self) -> None:
        """Release the folder; a second call does nothing."""
        with self._lock:
            self._release.close()

    def _opened(self) -> sqlite3.Connection:
        """The database; one that is damaged is put aside, because alarms must go on."""
        path = self.folder / FILE
        try:
            try:
                return _connect(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                aside = f"{FILE}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
                for suffix in ("", "-wal"):
                    with suppress(FileNotFoundError):
                        os.replace(f"{path}{suffix}", self.folder / f"{aside}{suffix}")
                self._say(
                    f"{path} is damaged ({error}): it is now {aside}, and the events that waited"
                    " in it are not sent"
                )
                return _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise _not_written(self.folder, error) from None

    def _begin(self, sinks: Sequence[str]) -> None:
        """Read the positions, and forget sinks that are configured no more."""
        stored = dict(self._db.execute("SELECT name, seq FROM sinks"))
        first, last = self._db.execute("SELECT min(seq), max(seq) FROM events").fetchone()
        self._next = max([last or 0, *stored.values()]) + 1
        self._first = first or self._next
        self._positions = {name: stored.get(name, self._next - 1) for name in sinks}
        for name in stored.keys() - self._positions.keys():
            self._say_gone(name, self._next - max(stored[name] + 1, self._first))
        with self._writing(durable=True):
            self._store_positions()

    def _say_gone(self, name: str, left: int) -> None:
        if left:
            self._say(f"{left} events that waited for {name} are dropped: it is gone")

    def _store_positions(self) -> None:
        """Write the positions of all sinks, and drop what all of them have."""
        lowest = min(self._positions.values(), default=self._next - 1)
        self._db.execute("DELETE FROM sinks")
        self._db.executemany("INSERT INTO sinks VALUES (?, ?)", self._positions.items())
        self._db.execute("DELETE FROM events WHERE seq <= ?", (lowest,))
        self._first = max(self._first, lowest + 1)

    @contextmanager
    def _writing(self, durable: bool) -> Iterator[None]:
        """A transaction; a durable one is on the disk when it ends."""
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise

    def _tell_failing(self, error: sqlite3.Error) -> None:
        if not self._failing:
            self._failing = True
            self._say(
                f"the spool {self.folder} cannot be used ({error}): events are sent all the same,"
                f" up to {UNSAVED} wait in memory, and a restart loses those"
            )

    def _keep_in_memory(self) -> None:
        if len(self._unsaved) > UNSAVED:
            lowest = self._unsaved[-int(0.9 * UNSAVED)][0] - 1
            self._unsaved = [row for row in self._unsaved if row[0] > lowest]
            self._dropped_to(lowest, f"more than {UNSAVED} events waited in memory")

    def _dropped_to(self, lowest: int, why: str) -> None:
        """Count and tell what was dropped up to a number."""
        lost = {
            name: lowest + 1 - max(position + 1, self._first)
            for name, position in self._positions.items()
            if lowest > max(position, self._first - 1)
        }
        for name, count in lost.items():
            self.dropped[name] += count
            self._positions[name] = lowest
        self._first = max(self._first, lowest + 1)
        if lost:
            each = ", ".join(f"{count} for {name}" for name, count in lost.items())
            self._say(f"{why}: the oldest were dropped, {each}")


def read_event(body: str) -> Event:
    """The event of its JSON, whatever version of this program wrote it.

    Raises:
        ValueError: it is none.
    """
    given = strict_json.parse(body)
    if not isinstance(given, dict):
        raise ValueError(f"{body[:40]!r} is no event")
    known = {field.name: field for field in fields(Event)}
    missing = [n for n, f in known.items() if f.default is MISSING and n not in given]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if name in known
    }
    event = Event(**values)
    texts = (event.id, event.incident, event.kind, event.camera, event.time, event.phase)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{body[:40]!r} is no event")
    try:
        event.as_json()
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{body[:40]!r} holds values that no event has") from error
    return event


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        # One process and one connection: no shared memory, which network drives do not have.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)
        db.executescript(TABLES)
    except BaseException:
        db.close()
        raise
    return db


def _not_written(folder: Path, error: Exception) -> EdgeError:
    return NotWritten(f"cannot write the spool {folder}: {error}")
