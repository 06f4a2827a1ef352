"""Whether the printer stands halted: then its readings mean nothing new, and silence is to be expected."""

from __future__ import annotations

from features.sequence import History
from ingest.records import EventKind

WHOLE_HISTORY_S = 1e6


def stands_halted(history: History) -> bool:
    """Whether the firmware halted within the history and has not booted since."""
    return history.once("stands_halted", lambda: _stands_halted(history))


def _stands_halted(history: History) -> bool:
    told = history.events(WHOLE_HISTORY_S, EventKind.HALTED, EventKind.START)
    return bool(told) and told[-1].kind is EventKind.HALTED
