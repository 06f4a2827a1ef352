"""Prints become tokens at their own beats, weighed by what can be known, with senses away as on farms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.seen import nothing, write_seen
from detector.learning.sequences import (
    DOUBT_S,
    FAILING_BEATS,
    LATEST_BEGIN,
    SURE_S,
    Filed,
    batch_of,
    read_sequence,
    weights_of,
    with_gaps,
)
from detector.learning.shards import UNKNOWN
from detector.model.past import SIGHT_DIM
from tests.detector.learning.tiny_model import unseen
from tests.detector.learning.tiny_prints import BEATS, ONSET, tiny, write_prints


def test_prints_lie_side_by_side_each_at_its_own_beats() -> None:
    long, short = unseen(tiny("long", Kind.STALL)), unseen(tiny("short", beats=4))
    holed = short._replace(
        **{name: getattr(short, name)[[0, 3]] for name in short._fields if name != "facts"}
    )
    batch = batch_of([long, holed])
    assert batch.tokens.embeddings.shape == (2, BEATS, SIGHT_DIM)
    assert batch.tokens.there.sum(1).tolist() == [BEATS, 2]
    assert batch.tokens.there[1, :4].tolist() == [True, False, False, True]
    assert batch.labels[1, 1:3].tolist() == [UNKNOWN, UNKNOWN]
    assert torch.equal(batch.tokens.sensors[1, 3], torch.from_numpy(short.sensors[3]).float())
    assert batch.weights[1, 4:].sum() == 0
    assert batch.since_s[0, :ONSET].isnan().all()
    assert batch.since_s[0, ONSET] == 2.5


def test_what_only_pictures_show_counts_little_at_first() -> None:
    since_s = np.array([np.nan, DOUBT_S, SURE_S, 1000.0], np.float32)
    facts = replace(tiny("one", Kind.SPAGHETTI).facts, growth_s=100.0)
    assert weights_of(facts, since_s)[:2].tolist() == [1, 0]
    assert 0 < weights_of(facts, since_s)[2] < weights_of(facts, since_s)[3]
    stall = weights_of(tiny("one", Kind.STALL).facts, since_s)
    assert stall[1] == stall[2] == stall[3] > 0


def test_the_failing_beats_of_a_print_count_alike_however_many_there_are() -> None:
    facts = tiny("one", Kind.HEATER_FAULT).facts
    short, long = (np.array([np.nan] * 50 + [5.0 * n for n in range(many)], np.float32) for many in (10, 80))
    for since_s in (short, long):
        weights = weights_of(facts, since_s)
        assert weights[50:].sum() == pytest.approx(FAILING_BEATS)
        assert (weights[:50] == 1).all()


def test_senses_are_away_for_some_prints_and_stretches() -> None:
    rng, print_ = np.random.default_rng(0), unseen(tiny("one", Kind.BLOB))
    shown = [with_gaps(print_, rng) for _ in range(400)]
    blind = np.mean([not one.seen.any() for one in shown])
    deaf = np.mean([not one.heard.any() for one in shown])
    assert 0.06 < blind < 0.2
    assert 0.06 < deaf < 0.2
    assert min(len(one.beats) for one in shown) >= BEATS - LATEST_BEGIN * BEATS - 1
    assert not any((~one.seen & ~one.heard).all() for one in shown)
    assert print_.seen.all()  # what is kept stays whole


def test_a_print_is_read_from_its_files(tmp_path: Path) -> None:
    path = write_prints(tmp_path, [tiny("one", Kind.BLOB)])[0]
    write_seen(tmp_path / "one.seen", nothing(BEATS))
    found, expected = read_sequence(Filed(path, tmp_path / "one.seen")), unseen(tiny("one", Kind.BLOB))
    assert found.facts == expected.facts
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert len(found.part(2, 5).beats) == 3
