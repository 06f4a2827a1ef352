"""The detector's variants and baselines over the same prints, with thresholds that come from others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.methods import (
    ABOUT,
    IDLE,
    OURS,
    WHOLE,
    PrintSet,
    Sense,
    moving_average,
    natural_shares,
    of_model,
    ours,
    unlearned,
    variants,
)
from detector.learning.seen import SeenFrames, nothing, write_seen
from detector.learning.sequences import Filed
from detector.learning.shards import Shard, Told
from detector.model.kinds import KINDS
from ingest.errors import UsageError
from ingest.records import NS_PER_S
from tests.detector.learning.tiny_prints import BEATS, FIRST, ONSET, tiny, write_prints
from tests.detector.small_watch import small_model

LONG = 120
"""Beats: the moving-average rule never alarms in the first five minutes."""


def filed(folder: Path, *shards: Shard, high: float = 4.0) -> list[Filed]:
    """Prints whose frames score low, and ``high`` while they fail."""
    found = []
    for path, shard in zip(write_prints(folder, shards), shards, strict=True):
        seen = path.with_suffix(".seen")
        failing = np.where(shard.labels > 0, high, -4.0).astype(np.float16)
        write_seen(seen, SeenFrames(*nothing(len(shard.beats))[:2], failing))
        found.append(Filed(path, seen))
    return found


def some(folder: Path, seed: int, beats: int = BEATS) -> PrintSet:
    kinds = (None, None, None, Kind.BLOB, Kind.STALL)
    prints = [
        tiny(f"{seed}-{number}", kind, seed=seed + number, beats=beats, onset=beats // 2)
        for number, kind in enumerate(kinds)
    ]
    return PrintSet(small_model(), filed(folder, *prints))


def test_every_variant_and_baseline_tells_of_the_same_prints(tmp_path: Path) -> None:
    own, others = some(tmp_path / "a", 0), some(tmp_path / "b", 10)
    found = {**variants(own, others), **unlearned(own), "moving average": moving_average(own, others)}
    names = [one.name for one in ours(own)]
    assert all([one.name for one in outcomes] == names for outcomes in found.values())
    assert {OURS, *found} == ABOUT.keys()
    assert {one.kind for one in ours(own)} == {None, "blob", "stall"}


def test_each_way_of_looking_is_judged_once(tmp_path: Path) -> None:
    own = some(tmp_path, 0)
    assert own.judged(WHOLE) is own.judged(Sense(rules=False))
    blind, deaf = (own.judged(sense)[0].logits for sense in (Sense(blind=True), Sense(deaf=True)))
    assert not np.allclose(blind, deaf)
    assert not np.allclose(own.judged(Sense(alone=True))[0].logits, own.judged(WHOLE)[0].logits)


def test_the_network_is_not_asked_while_no_print_runs(tmp_path: Path) -> None:
    shard = tiny("p", Kind.BLOB)
    sensors = shard.sensors.copy()
    sensors[:6, IDLE] = 1.0
    (known,) = PrintSet(small_model(), filed(tmp_path, shard._replace(sensors=sensors))).judged(WHOLE)
    assert known.beats.tolist() == list(range(FIRST + 6, FIRST + BEATS))
    assert len(known.logits) == len(known.onset_s) == len(known.labels) == BEATS - 6


def test_rules_are_told_beside_the_network_where_a_variant_has_them(tmp_path: Path) -> None:
    windows = [5 * FIRST + 60 + second for second in range(4)]
    told = [Told(window, "stall", 1.0, window * NS_PER_S, "stopped") for window in windows]
    quiet = small_model(threshold=0.999999, temperatures=(1.0,) * (1 + len(KINDS)))
    own = PrintSet(quiet, filed(tmp_path, tiny("p", Kind.STALL)._replace(told=told)))
    assert [one.kind for one in ours(own)[0].told] == ["stall"]
    assert ours(own, Sense(rules=False))[0].told == ()
    rules = unlearned(own)["rules alone"][0]
    assert rules.delay_s == pytest.approx(61.0 - 5 * (ONSET + 0.5))


def test_the_moving_average_takes_its_threshold_from_other_prints(tmp_path: Path) -> None:
    own, others = some(tmp_path / "a", 0, LONG), some(tmp_path / "b", 10, LONG)
    outcomes = moving_average(own, others)
    assert [one.is_mistaken for one in outcomes] == [False] * 5
    assert [one.found is not None for one in outcomes] == [False, False, False, True, True]


def test_shares_are_those_of_the_simulator_and_of_all_kinds() -> None:
    shares = natural_shares()
    assert set(shares) == set(KINDS)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["spaghetti"] > shares["sensor_fault"]


def test_a_calibration_of_another_sort_is_refused() -> None:
    model = small_model()
    calibration, limits = of_model(model)
    assert (calibration.temperature, limits.threshold, limits.min_beats) == (0.05, 0.7, 2)
    uneven = replace(model.about, temperatures=(1.0, *[2.0] * len(KINDS)))
    with pytest.raises(UsageError, match="one temperature"):
        of_model(model._replace(about=uneven))
