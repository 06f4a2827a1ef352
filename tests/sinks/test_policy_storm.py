"""A storm: the cameras of 300 printers flap for ten minutes, and people get two messages."""

from __future__ import annotations

import random

import pytest

from detector.anomaly import Kind
from sinks.message import About, Phase
from tests.sinks.farming import Farm

PRINTERS, STORM_S = 300, 600
FAILING = {60: "p007", 200: "p123", 431: "p299"}
"""Seconds into the storm at which a print truly fails."""


def storm(farm: Farm, failing: dict[int, str], seed: int) -> None:
    """Each camera comes and goes by itself: away for 5 to 60 s, back for 2 to 40 s."""
    chance = random.Random(seed)
    away = dict.fromkeys((f"p{number:03}" for number in range(PRINTERS)), False)
    turns = {name: chance.randint(0, 30) for name in away}
    for second in farm.seconds(STORM_S):
        for name in away:
            if turns[name] <= second:
                (farm.closes if away[name] else farm.opens)(name, Kind.CAMERA_FAULT)
                away[name] = not away[name]
                turns[name] = second + (chance.randint(5, 60) if away[name] else chance.randint(2, 40))
        if second in failing:
            farm.opens(failing[second], Kind.SPAGHETTI)
    for name in away:
        if away[name]:
            farm.closes(name, Kind.CAMERA_FAULT)
    farm.passes(900)


@pytest.mark.parametrize("seed", [0])
def test_a_storm_of_flapping_cameras_is_one_message_and_one_all_clear(seed: int) -> None:
    farm = Farm()
    storm(farm, {}, seed)
    assert [(one.about, one.phase) for one in farm.loud] == [
        (About.BLIND, Phase.OPENED),
        (About.BLIND, Phase.CLOSED),
    ]
    assert len(farm.loud[0].printers) > PRINTERS / 2
    assert len(farm.loud[1].printers) == PRINTERS
    assert len(farm.told) <= STORM_S / 5 + 10, "programs are not flooded either"


@pytest.mark.parametrize("seed", [1])
def test_true_failures_in_the_storm_are_told_at_once(seed: int) -> None:
    farm = Farm()
    storm(farm, FAILING, seed)
    failures = [one for one in farm.loud if one.about is About.FAILURE]
    assert [one.printers for one in failures] == [(name,) for name in FAILING.values()]
    began_ns = farm.now_ns - (STORM_S + 900) * 1_000_000_000
    late_s = [(one.made_ns - began_ns) / 1e9 - second for one, second in zip(failures, FAILING, strict=True)]
    assert max(late_s) <= 1.0
    assert len([one for one in farm.loud if one.about is About.BLIND]) == 2
