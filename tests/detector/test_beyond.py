"""Pictures against the print's own past: what is beyond it, what its past is, and when nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from detector.alarms import BeatSeries, alarms_of
from detector.anomaly import Anomaly, Kind, State
from detector.beyond import LEAST, LEAST_PAST, OWN, SPAN, Looks, beyond, follow, peak_of
from detector.senses import CAMERA
from detector.verdict import OPEN_AT, PICTURES, SUREST, Evidence, Limits, Verdict, weigh
from tests.detector.test_verdict import shares

QUIET, LOUD = -2.0, 3.0
GAP = float("nan")
KNOWN = 2 * SPAN + LEAST_PAST - 1
"""After so many pictures without a gap it is known first what is beyond."""
LIMITS = Limits(threshold=0.9, min_beats=2, within_beats=3, beyond=2.5)
FIRST = 100


def heights(peaks: Sequence[float]) -> list[float | None]:
    looks, found = Looks(), []
    for beat, peak in enumerate(peaks):
        looks = follow(looks, beat, None if np.isnan(peak) else peak)
        found.append(beyond(looks))
    return found


def test_a_minute_of_pictures_is_held_against_half_of_the_prints_own_past() -> None:
    assert heights([QUIET] * 60)[-1] == pytest.approx(QUIET - OWN * QUIET)
    assert heights([QUIET] * 60 + [LOUD] * SPAN)[-1] == pytest.approx(LOUD - OWN * QUIET)
    assert heights([LOUD] * 60)[-1] == pytest.approx(LOUD - OWN * LOUD), "a scene that always looks bad"


def test_what_begins_is_no_past_within_a_minute_and_becomes_past_later() -> None:
    said = heights([QUIET] * 60 + [LOUD] * 120)
    assert said[60 + SPAN - 1] == pytest.approx(LOUD - OWN * QUIET)
    assert said[-1] == pytest.approx(LOUD - OWN * (60 * QUIET + 108 * LOUD) / 168, abs=0.1)


def test_single_pictures_are_beyond_nothing() -> None:
    assert max(filter(None, heights([QUIET] * 60 + [LOUD] + [QUIET] * 20))) < 0


def test_nothing_is_known_before_there_is_a_past_and_a_minute() -> None:
    said = heights([QUIET] * KNOWN)
    assert [each is None for each in said] == [True] * (KNOWN - 1) + [False]
    few = [QUIET] * 60 + [GAP] * (SPAN - LEAST + 1) + [LOUD] * (LEAST - 1)
    assert heights(few)[-1] is None, "too few pictures in the last minute"
    assert heights([*few, LOUD])[-1] == pytest.approx(LOUD - OWN * QUIET)


def test_what_is_remembered_does_not_grow_and_survives_a_restart() -> None:
    rng, looks, restored = np.random.default_rng(0), Looks(), Looks()
    for beat in range(500):
        peak = float(rng.normal())
        looks, restored = follow(looks, beat, peak), follow(restored, beat, peak)
        restored = msgspec.msgpack.decode(msgspec.msgpack.encode(restored), type=Looks)
        assert len(looks.newest) <= SPAN
        assert (looks, beyond(looks)) == (restored, beyond(restored))


def test_a_beat_that_comes_again_counts_once() -> None:
    looks = follow(follow(Looks(), 7, QUIET), 7, LOUD)
    assert [each.peak for each in looks.newest] == [LOUD]


def test_the_peak_of_a_map_is_its_highest_cell_as_a_logit() -> None:
    where = np.zeros((13, 13), np.uint8)
    assert peak_of(where) == pytest.approx(-6.23, abs=0.01)
    where[3, 4] = 204
    assert peak_of(where) == pytest.approx(np.log(204 / 51))
    where[0, 0] = 255
    assert peak_of(where) == pytest.approx(6.23, abs=0.01)


def weighed(
    peaks: Sequence[float], limits: Limits = LIMITS, taken: Sequence[Kind] = (), **named: float
) -> list[Verdict]:
    evidence, said = Evidence(), []
    for beat, peak in enumerate(peaks, FIRST):
        given = None if np.isnan(peak) else peak
        evidence, verdict = weigh(evidence, beat, shares(**named), limits, taken, given)
        assert verdict is not None
        said.append(verdict)
    return said


def test_pictures_beyond_their_past_are_enough_where_the_network_is_unsure() -> None:
    said = weighed([QUIET] * 60 + [LOUD] * SPAN, blob=0.2, stall=0.3)
    assert not any(one.enough for one in said[:60])
    last = said[-1]
    assert (last.enough, last.beyond, last.kind) == (True, True, Kind.BLOB), "what a picture can show"
    assert OPEN_AT <= last.probability <= SUREST
    assert last.beats == tuple(range(FIRST + 60 + SPAN - PICTURES, FIRST + 60 + SPAN))


def test_without_a_limit_pictures_by_themselves_say_nothing() -> None:
    off = msgspec.structs.replace(LIMITS, beyond=None)
    assert not any(one.beyond for one in weighed([QUIET] * 60 + [LOUD] * SPAN, off, blob=0.2))


def test_where_no_kind_is_switched_on_that_pictures_show_they_say_nothing() -> None:
    blind = msgspec.structs.replace(LIMITS, kinds=(Kind.STALL,))
    assert not any(one.beyond for one in weighed([QUIET] * 60 + [LOUD] * SPAN, blind, blob=0.2))


def test_what_is_open_already_keeps_its_name() -> None:
    said = weighed([QUIET] * 60 + [LOUD] * SPAN, taken=[Kind.WARPING], blob=0.2, warping=0.1)
    assert (said[-1].enough, said[-1].kind) == (True, Kind.WARPING)


def test_a_network_that_is_sure_by_itself_is_told_as_such() -> None:
    said = weighed([QUIET] * 60, blob=0.95)
    assert (said[-1].enough, said[-1].beyond) == (True, False)


def alarms(peaks: Sequence[float]) -> list[Anomaly]:
    count = len(peaks)
    said = np.stack([shares(spaghetti=0.1)] * count)
    beats = np.arange(FIRST, FIRST + count)
    return alarms_of(BeatSeries(beats, said, np.full(count, 30.0), np.array(peaks)), LIMITS)


def test_an_alarm_opens_once_rests_on_the_camera_and_closes_when_it_is_over() -> None:
    said = alarms([QUIET] * 60 + [LOUD] * SPAN + [QUIET] * 30)
    assert [(one.kind, one.state) for one in said if one.state is not State.UPDATED] == [
        (Kind.SPAGHETTI, State.OPENED),
        (Kind.SPAGHETTI, State.CLOSED),
    ]
    assert said[0].evidence.channels == {CAMERA: 1.0}
    assert alarms([QUIET] * 60 + [GAP] * SPAN + [QUIET] * 30) == []
