"""Probabilities mean what they say on a farm, and the alarm's rule makes few mistakes without waiting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from detector.anomaly import Kind
from detector.learning.calibrate import (
    LEAST_SURE,
    RULES,
    AlarmRule,
    Calibration,
    JudgedPrint,
    choose_rule,
    fit_calibration,
)
from detector.learning.shards import UNKNOWN
from detector.model.kinds import FINE, KINDS
from tests.detector.learning.tiny_prints import BEATS, ONSET, tiny

STALL = 1 + KINDS.index(Kind.STALL)
CLASSES = 1 + len(KINDS)


def judged(name: str, lift: npt.NDArray[np.float64], kind: Kind | None = None) -> JudgedPrint:
    """A print of which every beat's logit of a stall is ``lift`` above that of fine, all others far below."""
    shard = tiny(name, kind)
    logits = np.full((BEATS, CLASSES), -99.0, np.float32)
    logits[:, FINE], logits[:, STALL] = 0.0, lift
    nothing = np.zeros(BEATS, np.float32)
    return JudgedPrint(shard.facts, logits, nothing, shard.labels, shard.since_s(), shard.beats)


def noisy(seed: int, wide: float) -> list[JudgedPrint]:
    """Prints with logits ``wide`` times too sure: labels are drawn from what they should have said."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(60):
        true = rng.normal(0, 1.5, BEATS)
        one = judged(f"{number}", wide * true, Kind.STALL if number % 2 else None)
        labels = np.where(rng.uniform(size=BEATS) < 1 / (1 + np.exp(-true)), STALL, FINE)
        found.append(one._replace(labels=labels.astype(np.int16)))
    return found


def test_overconfidence_is_taken_back() -> None:
    assert fit_calibration(noisy(0, wide=3.0)).temperature == pytest.approx(3.0, rel=0.3)
    assert fit_calibration(noisy(1, wide=1.0)).temperature == pytest.approx(1.0, rel=0.3)


def test_where_a_tenth_fails_a_beat_that_could_be_either_is_fine() -> None:
    """Half of the prints fail here, a tenth on a farm: what says nothing should say a tenth."""
    half = [judged(f"{n}", np.zeros(BEATS), Kind.STALL if n % 2 else None) for n in range(20)]
    whole = [one._replace(labels=np.full(BEATS, STALL if one.facts.kind else FINE, np.int16)) for one in half]
    calibration = fit_calibration(whole)
    shares = calibration.probabilities(whole[0].logits)
    assert shares[:, STALL] == pytest.approx(np.full(BEATS, 0.1), abs=0.01)
    assert shares.sum(1) == pytest.approx(np.ones(BEATS))


def test_beats_that_nobody_can_label_do_not_count() -> None:
    prints = noisy(0, wide=2.0)
    spoiled = [
        one._replace(
            logits=np.concatenate([one.logits, np.full_like(one.logits, 50.0)]),
            labels=np.concatenate([one.labels, np.full(BEATS, UNKNOWN, np.int16)]),
        )
        for one in prints
    ]
    assert fit_calibration(spoiled).temperature == pytest.approx(
        fit_calibration(prints).temperature, rel=1e-2
    )


def test_the_threshold_lies_between_the_loudest_sound_print_and_the_failing_ones() -> None:
    rising = np.where(np.arange(BEATS) >= ONSET, 3.0, -3.0)
    prints = [judged(f"f{n}", rising, Kind.STALL) for n in range(5)]
    prints += [judged(f"s{n}", np.full(BEATS, -1.0)) for n in range(5)]
    rule = choose_rule(prints, Calibration(1.0, 0.0))
    assert (rule.least, rule.within) == RULES[0]  # nothing is gained by waiting
    loudest, failing = 1 / (1 + np.exp(1.0)), 1 / (1 + np.exp(-3.0))
    assert loudest < LEAST_SURE < failing
    assert rule.threshold == pytest.approx((LEAST_SURE + failing) / 2, abs=0.05)


def test_it_waits_for_more_beats_where_sound_prints_flicker() -> None:
    rising = np.where(np.arange(BEATS) >= ONSET, 3.0, -3.0)
    flicker = np.where(np.isin(np.arange(BEATS), (6, 7)), 6.0, -3.0)
    prints = [judged(f"f{n}", rising, Kind.STALL) for n in range(5)]
    prints += [judged(f"s{n}", flicker) for n in range(5)]
    rule = choose_rule(prints, Calibration(1.0, 0.0))
    assert rule.least >= 3
    assert isinstance(rule, AlarmRule)


def test_of_nearly_equal_rules_it_takes_the_one_with_the_fewest_false_alarms() -> None:
    """One sound print of a thousand is a mistake of 0.09 in 100: no reason to wait, but for the alarm."""
    rising = np.where(np.arange(BEATS) >= ONSET, 3.0, -3.0)
    flicker = np.where(np.isin(np.arange(BEATS), (3, 4)), 3.0, -3.0)
    prints = [judged(f"f{n}", rising, Kind.STALL) for n in range(5)]
    prints += [judged(f"s{n}", np.full(BEATS, -3.0)) for n in range(999)]
    calm = choose_rule(prints, Calibration(1.0, 0.0))
    rule = choose_rule([*prints, judged("flickering", flicker)], Calibration(1.0, 0.0))
    assert (calm.least, calm.within) == RULES[0]
    assert (rule.least, rule.within) == (3, 3)
