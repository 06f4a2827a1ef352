"""The temporal network learns from what is known of each beat; its goal are mistakes per 100 prints."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from detector.anomaly import Kind
from detector.learning.alarms import insisting
from detector.learning.sequences import Filed, batch_of
from detector.learning.shards import ANY, UNKNOWN
from detector.learning.temporal_learner import (
    TemporalLearner,
    fewest_mistakes,
    loss_of,
)
from detector.model.kinds import FINE, KINDS
from detector.model.temporal import Judged, build_temporal
from detector.training.distributed import Place
from ingest.errors import UsageError
from tests.detector.learning.tiny_model import SHAPE, unseen
from tests.detector.learning.tiny_prints import BEATS, tiny

ALONE = Place(0, 1, torch.device("cpu"))
CLASSES = 1 + len(KINDS)


def learner(filed: list[Filed], **changed: object) -> TemporalLearner:
    usual = {"batch_size": 4, "seed": 0}
    return TemporalLearner(build_temporal(SHAPE), filed, filed, ALONE, **{**usual, **changed})  # type: ignore[arg-type]


def said(label: int, sure: float = 8.0, onset_log_s: float = 0.0) -> Judged:
    """The same of every beat of one print."""
    logits = torch.zeros(1, BEATS, CLASSES)
    logits[..., label] = sure
    return Judged(logits, torch.full((1, BEATS), onset_log_s))


def test_it_learns_what_the_prints_are(filed: list[Filed]) -> None:
    taught = learner(filed)
    optimizer = torch.optim.AdamW(taught.network.parameters(), 5e-3)
    for epoch in range(1, 41):
        for batch in taught.batches(epoch):
            optimizer.zero_grad()
            taught.loss(batch).mean.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    taught.network.eval()
    with torch.no_grad():
        figures = taught.validate()
    assert figures["auc"] > 0.95
    assert figures["mistakes"] < 5
    assert figures["goal"] == pytest.approx(figures["mistakes"] + figures["loss"])


def test_an_epoch_is_the_same_each_time_and_shows_every_print(filed: list[Filed]) -> None:
    one, other = (list(learner(filed).batches(2)) for _ in range(2))
    assert sum(len(batch.labels) for batch in one) == len(filed)
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(one, other, strict=True))


def test_beats_that_nobody_can_label_cost_nothing() -> None:
    batch = batch_of([unseen(tiny("one"))])
    unknown = batch._replace(labels=torch.full_like(batch.labels, UNKNOWN))
    assert loss_of(said(3), unknown) == 0
    half = batch._replace(labels=torch.where(torch.arange(BEATS) < BEATS // 2, FINE, UNKNOWN)[None])
    assert loss_of(said(FINE), half) == pytest.approx(float(loss_of(said(FINE), batch)), rel=1e-5)


def test_of_a_failure_without_a_name_any_kind_is_right() -> None:
    batch = batch_of([unseen(tiny("one", Kind.STALL))])
    batch = batch._replace(labels=torch.full_like(batch.labels, ANY), since_s=torch.zeros_like(batch.since_s))
    assert loss_of(said(3), batch) < 0.1
    assert loss_of(said(7), batch) == pytest.approx(float(loss_of(said(3), batch)))
    assert loss_of(said(FINE), batch) > 5


def test_the_onset_is_dated_where_something_fails() -> None:
    batch = batch_of([unseen(tiny("one", Kind.STALL))])
    batch = batch._replace(since_s=batch.since_s.where(batch.since_s.isnan(), 30.0))
    label = 1 + KINDS.index(Kind.STALL)
    right, wrong = (loss_of(said(label, onset_log_s=at), batch) for at in (math.log1p(30.0), 0.0))
    assert wrong > right + 0.5
    fine = batch_of([unseen(tiny("fine"))])
    assert loss_of(said(FINE, onset_log_s=9.0), fine) == loss_of(said(FINE), fine)


def test_one_odd_beat_is_no_alarm() -> None:
    scores = np.array([0.9, 0.1, 0.8, 0.9, 0.7, 0.2], np.float32)
    assert insisting(scores, 3, 3).tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.7, 0.2])


def test_mistakes_are_those_of_a_farm_on_which_a_tenth_fails() -> None:
    """One of two sound prints is as loud as a failing one: every alarm costs 45, every miss 5."""
    failing = np.array([True, True, False, False])
    before, after = np.array([0.1, 0.1, 0.9, 0.1]), np.array([0.8, 0.95, 0.0, 0.0])
    mistakes, threshold = fewest_mistakes(failing, before, after)
    assert mistakes == pytest.approx(5)
    assert 0.9 < threshold <= 0.95


def test_comparisons_hide_a_sense_and_weigh_prints(filed: list[Filed]) -> None:
    batch = next(iter(learner(filed).batches(1)))
    plain, deaf = learner(filed), learner(filed, deaf=True)
    deaf.network.load_state_dict(plain.network.state_dict())
    assert float(plain.loss(batch).mean.detach()) != float(deaf.loss(batch).mean.detach())
    lighter = learner(filed, weight_of=lambda print_: 0.5 if print_.facts.kind else 1.0)
    both = zip(plain.batches(1), lighter.batches(1), strict=True)
    shares = torch.cat([(light.weights.sum(1) / full.weights.sum(1)) for full, light in both])
    assert sorted({round(share, 2) for share in shares.tolist()}) == [0.5, 1.0]


def test_without_prints_it_says_so(filed: list[Filed]) -> None:
    with pytest.raises(UsageError, match="found 0 prints to learn from and 12 to validate with"):
        TemporalLearner(build_temporal(SHAPE), [], filed, ALONE, batch_size=4, seed=0)
