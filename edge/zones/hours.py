"""Hours of the week in local time, as `22:00-06:00` or `mon-fri 08:00-18:00`."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache

from edge.errors import UsageError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
PATTERN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True)
class Hours:
    """Minutes of some days; an interval that ends before it begins ends on the next day.

    Attributes:
        days: 0 for Monday to 6; on which the interval begins.
        begin, end: minutes since midnight; begin is in, end is not.
    """

    days: frozenset[int]
    begin: int
    end: int

    def include(self, at: float) -> bool:
        """Whether a Unix time lies in them, by the local clock."""
        now = time.localtime(at)
        minute = 60 * now.tm_hour + now.tm_min
        if self.begin < self.end:
            return now.tm_wday in self.days and self.begin <= minute < self.end
        if minute >= self.begin:
            return now.tm_wday in self.days
        return minute < self.end and (now.tm_wday - 1) % 7 in self.days


@lru_cache(maxsize=256)
def parse_hours(text: str) -> Hours:
    """Read one text of hours.

    Raises:
        UsageError: it is none.
    """
    expected = f"`{text}`: expected hours as in 22:00-06:00, mon-fri 08:00-18:00 or sun 00:00-24:00"
    match = PATTERN.fullmatch(text.strip().lower())
    if not match:
        raise UsageError(expected)
    first, last = match[1], match[2] or match[1]
    begin, end = 60 * int(match[3]) + int(match[4]), 60 * int(match[5]) + int(match[6])
    known = first is None or {first, last} <= set(DAYS)
    minutes = int(match[4]) < 60 and int(match[6]) < 60
    if not known or not minutes or begin >= DAY_MINUTES or end > DAY_MINUTES or begin == end:
        raise UsageError(expected)
    days = range(7)
    if first is not None:
        start = DAYS.index(first)
        days = range(start, start + (DAYS.index(last) - start) % 7 + 1)
    return Hours(frozenset(day % 7 for day in days), begin, end)
