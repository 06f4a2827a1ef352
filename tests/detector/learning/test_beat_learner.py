"""Single beats of many prints, before whole prints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.anomaly import Kind
from detector.learning.beat_learner import BEATS_EACH, BeatLearner, apart, drawn, with_senses_lost
from detector.learning.sequences import Filed, batch_of
from detector.model.temporal import build_temporal
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker
from ingest.errors import UsageError
from tests.detector.learning.test_temporal_learner import ALONE, SHAPE
from tests.detector.learning.tiny_model import unseen
from tests.detector.learning.tiny_prints import tiny


def test_half_of_the_beats_of_a_failing_print_show_its_failure() -> None:
    failing, fine = unseen(tiny("one", Kind.BLOB)), unseen(tiny("two", None))
    rng = np.random.default_rng(0)
    assert int((~np.isnan(drawn(failing, rng).since_s)).sum()) == BEATS_EACH // 2
    assert np.isnan(drawn(fine, rng).since_s).all()
    assert len(drawn(fine, rng).beats) == BEATS_EACH


def test_each_beat_stands_alone_with_what_belongs_to_it() -> None:
    prints = [drawn(unseen(tiny(name, Kind.STALL)), np.random.default_rng(1)) for name in ("one", "two")]
    whole = batch_of(prints)
    parted = apart(whole)
    assert parted.tokens.sensors.shape == (2 * BEATS_EACH, 1, whole.tokens.sensors.shape[2])
    assert torch.equal(parted.tokens.sensors[BEATS_EACH + 3, 0], whole.tokens.sensors[1, 3])
    assert torch.equal(parted.labels[:BEATS_EACH, 0], whole.labels[0])


def test_no_beat_loses_both_senses() -> None:
    print_ = unseen(tiny("one", None))._replace(seen=np.ones(len(tiny("one", None).beats), np.bool_))
    rng = np.random.default_rng(2)
    lost = [with_senses_lost(print_, rng) for _ in range(50)]
    assert not any((~one.seen & ~one.heard).any() for one in lost)
    assert any((~one.seen).any() for one in lost)
    assert any((~one.heard).any() for one in lost)


def test_it_learns_to_read_a_stall_from_single_beats(filed: list[Filed]) -> None:
    network = build_temporal(SHAPE)
    learner = BeatLearner(network, filed, filed, ALONE, seed=0)
    with torch.no_grad():
        before = learner.validate()["loss"]
    recipe = Recipe(epochs=30, rate=3e-3)
    fitted = fit(learner, Options(recipe=recipe, quiet=True), ALONE, NoTracker())
    assert fitted.best is not None
    assert fitted.best.metrics["loss"] < 0.7 * before


def test_without_prints_it_says_so() -> None:
    with pytest.raises(UsageError, match="found 0 prints to learn from"):
        BeatLearner(build_temporal(SHAPE), [], [], ALONE, seed=0)
