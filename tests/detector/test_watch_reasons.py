"""What is told of a verdict: what it looks like, how sure that is, and what it rests on."""

from __future__ import annotations

import numpy as np
import pytest

from detector.anomaly import Kind
from detector.beats import Because
from detector.model.kinds import KINDS
from detector.verdict import Verdict
from detector.watch import WORDS, reason_of
from tests.detector.small_watch import FIRST_BEAT, token


def verdict(kind: Kind = Kind.BLOB, beats: tuple[int, ...] = (FIRST_BEAT, FIRST_BEAT + 2)) -> Verdict:
    return Verdict(kind, score=0.93, own=0.71, probability=0.8, enough=True, beats=beats)


def test_a_reason_tells_what_it_looks_like_and_bears_frames_boxes_and_channels() -> None:
    where = np.zeros((13, 13), np.uint8)
    where[0:2, 11:13] = 200
    tokens = [token(0), token(1), token(2, where=where.tobytes()), token(3, where=None, frame=None)]
    because = Because(
        kind=Kind.BLOB, text="seen in the picture of 12:00:00 UTC (100 %)", channels={"camera": 1}
    )
    reason = reason_of(verdict(), because, tokens, 5)
    assert reason.text == (
        "it looks as if a blob of filament sticks to the part or the nozzle "
        "(71 %; that anything fails 93 %): seen in the picture of 12:00:00 UTC (100 %)"
    )
    assert (reason.earlier, reason.frame) == ((tokens[0].frame,), tokens[2].frame)
    ((x, y, width, height),) = reason.boxes
    assert (x, y, width, height) == pytest.approx((11 / 13, 0, 2 / 13, 2 / 13))
    assert (reason.weighed, reason.since_ns, reason.channels) == (True, 5, {"camera": 1})


def test_what_was_explained_of_another_kind_is_not_told_and_telemetry_has_no_place_in_the_picture() -> None:
    where = np.full((13, 13), 255, np.uint8).tobytes()
    because = Because(kind=Kind.BLOB, text="seen", channels={"camera": 1})
    reason = reason_of(verdict(Kind.STALL), because, [token(0, where=where)], 5)
    assert (reason.channels, reason.boxes) == ({}, ())
    assert reason.text.endswith("(71 %; that anything fails 93 %)")


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(KINDS)
