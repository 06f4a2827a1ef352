"""The detector with a small network at work on prints, and what its pictures show."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector import worker
from detector.judge import Judge
from detector.watch import Watch
from ingest.records import Window
from ingest.store import Stores
from tests.detector.at_work import scene_jpeg, session
from tests.detector.small_watch import watch
from tests.detector.windows import FIRST

SECONDS = 100
CHANGED_AT_S, NEXT_JOB_S = 40, 70


def as_job(windows: Sequence[Window], job: str, from_s: int) -> list[Window]:
    """The windows from a second on are of another print."""
    return [
        msgspec.structs.replace(window, job=job) if window.index - FIRST >= from_s else window
        for window in windows
    ]


def picture(second: int) -> bytes:
    return scene_jpeg(second, lit=second >= CHANGED_AT_S)


def judging(stores: Stores, watching: Watch | None = None) -> worker.Session:
    return session(stores, Judge("tiny-1"), watch=watching or watch())


def in_one_session(stores: Stores) -> None:
    one = judging(stores)
    while one.step(1):
        pass
