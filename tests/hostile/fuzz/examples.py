"""How many examples a test of a parser tries, and what each must end in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings

from edge.errors import EdgeError

NIGHT = float(os.environ.get("EDGE_FUZZ") or 0)
"""Share of the examples of a night, 1 for all, as `make fuzz` asks; 0 for the few of `make test`,
which are the same in every run."""
LONGEST_S = 10.0
"""CPU seconds of one example, far more than any takes: what takes longer hangs."""
LONGEST_SENTENCE = 1500
Parsed = TypeVar("Parsed")


@dataclass
class Tally:
    """What the tests of this process tried."""

    inputs: int = 0
    refused: int = 0


TALLY = Tally()


def examples(share: int, night: int) -> settings:
    """Settings of a test. share: examples in `make test`; night: in `make fuzz`."""
    return settings(
        max_examples=max(1, round(night * NIGHT)) if NIGHT else share,
        derandomize=not NIGHT,
        database=None,
        deadline=None,
        # What a run of a share finds is made small in the run of the night.
        phases=tuple(Phase) if NIGHT else (Phase.explicit, Phase.generate),
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def outcome(parse: Callable[[], Parsed]) -> Parsed | None:
    """What was parsed; None where it was refused with one clear sentence.

    Any other exception passes through, and so fails the test.
    """
    TALLY.inputs += 1
    began = time.process_time()
    try:
        return parse()
    except EdgeError as error:
        TALLY.refused += 1
        check_sentence(error)
        return None
    finally:
        assert time.process_time() - began < LONGEST_S


def check_sentence(error: EdgeError) -> None:
    """One line that any terminal can print and a person can read."""
    text = str(error)
    assert text.strip() and text.isprintable(), repr(text)
    assert len(text) <= LONGEST_SENTENCE, text
    assert "Traceback" not in text
    assert error.exit_code in (1, 2, 5)
