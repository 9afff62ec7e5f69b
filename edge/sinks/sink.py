"""What a sink is, and the registry of those that can be opened by an address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from edge.errors import EdgeError, UsageError
from edge.events.event import Event
from edge.zones.zone import Zone

Table = Mapping[str, object]
"""A sink as cameras.toml holds it: `url`, and what its kind needs besides."""


class SinkError(EdgeError):
    """An event could not be handed over now; it is tried again until it can."""


class EventRefused(SinkError):
    """The receiver will never take this event; it is passed over after a few tries."""


class Sink(Protocol):
    """Takes events, one after another, in a thread of its own.

    Attributes:
        name: unique among the sinks of a program; its position in the spool is kept under it.
    """

    @property
    def name(self) -> str: ...

    def send(self, event: Event) -> None:
        """Hand an event over; it returns when the receiver has acknowledged it.

        Raises:
            SinkError: it did not; the same event comes again, after a wait.
            EventRefused: it will never take this one.
            OSError: the sink is gone for good, as the reader of a pipe, and the program ends.
        """

    def close(self) -> None:
        """Say goodbye; a second call does nothing."""


@runtime_checkable
class Observer(Protocol):
    """A sink that is told of every event at once as well: for a state whose newest value counts."""

    def observe(self, event: Event) -> None:
        """Take an event, in the camera's thread and before it is on disk; it does not wait."""


CONFIRM = "CONFIRM"
"""Value of a `Switch` by which somebody confirms that a camera stands where it is to."""


@runtime_checkable
class Resident(Protocol):
    """A sink that knows the site: it is told when that changes, and need not be opened anew."""

    def set_site(self, site: Site) -> None:
        """Take over other zones and profiles; it does not wait."""


@dataclass(frozen=True)
class Switch:
    """Somebody turned a zone of a camera on or off, chose a profile, or confirmed a camera.

    Attributes:
        camera, zone: the zone; None for a profile, and no zone for a camera.
        value: `ON` or `OFF`; the name of a profile; CONFIRM.
    """

    camera: str | None
    zone: str | None
    value: str


@dataclass(frozen=True)
class Site:
    """What a sink may know of the program that it serves.

    Attributes:
        cameras: the zones of each camera.
        profiles: names of the profiles that can be chosen, the present one first.
        switch: called when somebody turns something, in a thread of the sink; raises EdgeError to
            refuse. None: nothing can be turned.
        recordings: folder to which `snapshot` and `clip` of an event are relative.
        off: cameras and their zones that are switched off at present.
        begun: events that have begun and not ended.
    """

    cameras: Mapping[str, Sequence[Zone]] = field(default_factory=dict)
    profiles: Sequence[str] = ()
    switch: Callable[[Switch], None] | None = None
    recordings: Path | None = None
    off: Collection[tuple[str | None, str | None]] = ()
    begun: Collection[Event] = ()


Opener = Callable[[Table, Site], Sink]
"""Opens a sink; raises UsageError for a table that cannot be right. It does not wait for a receiver
that is away."""
SINKS: dict[str, Opener] = {}
"""Openers by what stands before `://` in `url`, or by all of it. A module registers its own."""


def open_sink(table: Table, site: Site) -> Sink:
    """Open the sink of a table of cameras.toml, or of `{"url": ADDRESS}`.

    Raises:
        UsageError: the table cannot be right; the message holds no secret.
    """
    from edge import sinks

    sinks.load()
    url = text(table, "url")
    if url is None:
        raise UsageError("a sink has no `url`", f"known: {', '.join(addresses())}")
    opener = SINKS.get(url.partition("://")[0].lower())
    if opener is None:
        # What follows is often a secret, also where the kind is mistyped.
        kind = f"{url.partition('://')[0]}://..." if "://" in url else "an address without ://"
        raise UsageError(f"{kind}: unknown kind of sink", f"known: {', '.join(addresses())}")
    return opener(table, site)


def addresses() -> list[str]:
    """The kinds of addresses that `open_sink` takes."""
    return [name if name == "stdout" else f"{name}://" for name in sorted(SINKS)]


def check_keys(table: Table, known: Sequence[str], kind: str) -> None:
    """Refuse keys that a kind of sink does not have."""
    for key in table:
        if key not in known:
            raise UsageError(
                f"a sink of kind {kind} has no key `{key}`", f"known: {', '.join(known)}"
            )


def text(table: Table, key: str) -> str | None:
    """The text of a key, or None."""
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise UsageError(f"`{key}` of a sink is {type(value).__name__}, expected a text")
    return value


def secret(table: Table, key: str) -> str | None:
    """The secret of a key, or of the file that `KEY_file` names; it is never part of a message."""
    path = text(table, f"{key}_file")
    if path is None:
        return text(table, key)
    if key in table:
        raise UsageError(f"a sink has both `{key}` and `{key}_file`", "remove one of them")
    try:
        value = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"cannot read `{key}_file` {path}: {reason}") from None
    if not value:
        raise UsageError(f"`{key}_file` {path} is empty")
    return value
