"""Where pictures beyond their own past make an alarm is chosen on held-out prints, by their mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detector.anomaly import Kind
from detector.evaluation.outcome import PrintOutcome, Told
from detector.learning.methods import Outline, PrintSet, Sense, natural_shares, ours, outline
from detector.learning.own_past import (
    LEAST_BEYOND,
    LEAST_SOUND,
    LEVELS,
    choose_beyond,
    heights,
    mistakes_beside,
    reached,
)
from detector.learning.seen import nothing, peaks_of
from detector.model.kinds import KINDS
from tests.detector.learning.looks import filed
from tests.detector.small_watch import small_model

TOLD = Told(at_s=300.0, kind=Kind.SPAGHETTI, onset_s=300.0, score=1.0)


def some(folder: Path, count: int, high: float, kind: Kind | None = None) -> list[Outline]:
    """Prints whose pictures reach ``high`` in their last part, from the onset on where they fail."""
    called = f"{kind or 'sound'} {high}"
    return [outline(filed(folder, kind, high, f"{called} {number}")) for number in range(count)]


def silent(prints: Sequence[Outline]) -> list[PrintOutcome]:
    """What else is told of them: nothing."""
    return [
        PrintOutcome(name=one.name, kind=one.kind, onset_s=one.onset_s, ends_s=one.ends_s, hours=0.1)
        for one in (each.facts for each in prints)
    ]


def chosen(prints: Sequence[Outline], told: Sequence[PrintOutcome] | None = None) -> float | None:
    return choose_beyond(told or silent(prints), prints, natural_shares())


def height(high: float, folder: Path) -> float:
    """How far beyond their past the pictures of such a print are."""
    return reached(*some(folder, 1, high)).before


def test_what_fails_reaches_it_after_its_onset_alone(tmp_path: Path) -> None:
    (failing,) = some(tmp_path, 1, 5.0, Kind.SPAGHETTI)
    before, after = reached(failing)
    assert before < 0 < after == np.nanmax(heights(failing))
    (sound,) = some(tmp_path, 1, 5.0)
    assert reached(sound) == (after, -np.inf)


def test_the_limit_lies_in_the_middle_between_what_is_sound_and_what_fails(tmp_path: Path) -> None:
    prints = [*some(tmp_path, LEAST_SOUND, 1.0), *some(tmp_path, 5, 4.0, Kind.SPAGHETTI)]
    low, high = height(1.0, tmp_path), height(4.0, tmp_path)
    assert LEAST_BEYOND < low < high
    assert chosen(prints) == pytest.approx((low + high) / 2, abs=0.15)


@pytest.mark.parametrize(("lookalikes", "worth_it"), [(1, True), (2, True), (3, False)])
def test_a_false_alarm_weighs_as_much_as_on_a_farm(tmp_path: Path, lookalikes: int, worth_it: bool) -> None:
    """Of 20 sound prints each stands for 4.5 of a hundred; failing ones are ten of a hundred together."""
    sound = [*some(tmp_path, LEAST_SOUND - lookalikes, -1.0), *some(tmp_path, lookalikes, 3.0)]
    limit = chosen([*sound, *some(tmp_path, 5, 2.0, Kind.SPAGHETTI)])
    assert (limit is not None) is worth_it
    assert limit is None or limit < height(2.0, tmp_path)


def test_what_is_told_anyway_is_no_reason_for_a_low_limit(tmp_path: Path) -> None:
    prints = [
        *some(tmp_path, LEAST_SOUND - 1, -1.0), *some(tmp_path, 1, 3.0),
        *some(tmp_path, 5, 2.0, Kind.SPAGHETTI), *some(tmp_path, 5, 4.0, Kind.BLOB),
    ]  # fmt: skip
    told = [
        msgspec.structs.replace(one, told=(TOLD,)) if one.kind == Kind.SPAGHETTI else one
        for one in silent(prints)
    ]
    low, high = chosen(prints), chosen(prints, told)
    assert low is not None and high is not None
    assert low < height(2.0, tmp_path) < height(3.0, tmp_path) < high < height(4.0, tmp_path)
    mistakes = mistakes_beside(told, [reached(one) for one in prints], natural_shares(), LEVELS)
    assert mistakes[0] == pytest.approx(4.5) and mistakes[-1] < 10.0, "spaghetti is told whatever the limit"
    assert mistakes[np.searchsorted(LEVELS, high)] == 0.0


@pytest.mark.parametrize(("hours", "bears"), [(100, True), (60, False), (40, True)])
def test_more_false_alarms_than_a_farm_bears_are_no_price_for_what_is_found(
    tmp_path: Path, hours: float, bears: bool
) -> None:
    """In 100 h the false alarm that was seen and the next to come are just borne, in 60 h they are one too
    many; 40 h do not tell."""
    prints = [
        *some(tmp_path, LEAST_SOUND - 1, -1.0), *some(tmp_path, 1, 3.0),
        *some(tmp_path, 5, 2.0, Kind.SPAGHETTI), *some(tmp_path, 1, 4.0, Kind.BLOB),
    ]  # fmt: skip
    told = [
        one if one.fails else msgspec.structs.replace(one, hours=hours / LEAST_SOUND)
        for one in silent(prints)
    ]
    limit = chosen(prints, told)
    assert limit is not None
    assert (limit < height(2.0, tmp_path)) is bears


def test_of_few_prints_nobody_knows(tmp_path: Path) -> None:
    failing = some(tmp_path, 5, 4.0, Kind.SPAGHETTI)
    sound = some(tmp_path, LEAST_SOUND, -1.0)
    assert chosen([*sound, *failing]) is not None
    assert chosen([*sound[1:], *failing]) is None
    assert chosen(sound) is None, "nothing fails"


def test_a_kind_that_no_farm_has_a_share_of_says_nothing(tmp_path: Path) -> None:
    """As where people have labelled what no network tells: hours of training are not to end in an error."""
    known = [*some(tmp_path, LEAST_SOUND, 1.0), *some(tmp_path, 5, 4.0, Kind.SPAGHETTI)]
    prints = [*known, *some(tmp_path, 5, 3.0, Kind.BLOB)]
    assert choose_beyond(silent(prints), prints, {"spaghetti": 1.0}) == chosen(known)


def test_beats_without_a_picture_have_no_peak(tmp_path: Path) -> None:
    clear = np.array([True, False, True])
    assert np.isnan(peaks_of(nothing(3), clear)).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("sense", "found"),
    [(Sense(), True), (Sense(deaf=True), True), (Sense(blind=True), False), (Sense(alone=True), False)],
)
def test_evaluation_tells_what_they_show_where_there_is_a_camera_and_a_past(
    tmp_path: Path, sense: Sense, found: bool
) -> None:
    quiet = small_model(threshold=0.999999, temperatures=(1.0,) * (1 + len(KINDS)), beyond=2.5)
    prints = PrintSet(quiet, [filed(tmp_path, Kind.SPAGHETTI, 3.0)])
    (told,) = ours(prints, sense)
    assert (told.found is not None) is found
