"""What a commit is made of: windows that were delivered, and records in which every field says something."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import redis

from detector import novelty
from detector.anomaly import Anomaly, Evidence, Kind, Scores, State
from detector.episodes import Episode, Phase
from detector.state import HORIZON, Context, PrinterState
from ingest.records import Window, encode
from ingest.stream import DATA, DETECTOR, Entry, Reader, key
from tests.detector.windows import FIRST, printing

SHARD = 3
WINDOWS = key("windows", SHARD)
PRINTS = {"p": printing(2 * HORIZON), "q": printing(2 * HORIZON)}


def window(number: int, printer: str = "p") -> Window:
    return msgspec.structs.replace(PRINTS[printer][number], printer=printer)


def delivered(events: redis.Redis, windows: Sequence[Window]) -> list[Entry]:
    """The windows as entries that were read and not acknowledged."""
    for one in windows:
        events.xadd(WINDOWS, {DATA: encode(one)})
    return Reader(events, [WINDOWS], DETECTOR).read(len(windows), 1)


def context(number: int, printer: str = "p") -> Context:
    return Context(window=window(number, printer), embedding=bytes([number % 256] * 4))


def state(number: int, printer: str = "p") -> PrinterState:
    """A state in which every field says something."""
    index = FIRST + number
    return PrinterState(
        printer=printer,
        job="j",
        last_index=index,
        episodes={
            Kind.STALL: Episode(
                phase=Phase.OPEN, printer=printer, job="j", kind=Kind.STALL, span_ns=10**9, seen_index=index
            )
        },
        novelty=novelty.advance(None, np.full(8, number / 1000, np.float16), index * 10**9)[0],
    )


def scores(number: int) -> Scores:
    return Scores(
        printer="p",
        job="j",
        index=FIRST + number,
        span_ns=10**9,
        probabilities={Kind.STALL: 1.0},
        novelty=None,
        frame=None,
        frame_lost=False,
        marks=0,
        model="m",
    )


def anomaly() -> Anomaly:
    return Anomaly(
        id="a",
        printer="p",
        job="j",
        kind=Kind.STALL,
        state=State.OPENED,
        revision=1,
        severity=1.0,
        score=1.0,
        onset_ns=1,
        detected_ns=2,
        at_ns=2,
        text="",
        evidence=Evidence(),
    )
