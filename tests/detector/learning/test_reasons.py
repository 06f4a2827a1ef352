"""What alarms rest on: the network's are explained as when they were told, rules bring their own channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from detector.anomaly import Kind
from detector.learning.methods import PrintSet, ours
from detector.learning.reasons import explained, rests_on, tokens_before
from detector.learning.seen import nothing, write_seen
from detector.learning.sequences import Filed
from detector.learning.shards import SUFFIX, Shard, Told
from detector.model.kinds import KINDS
from detector.model.temporal import Tokens
from detector.model.watch_model import WatchModel
from features.channels import SOURCES
from ingest.records import NS_PER_S
from tests.detector.learning.tiny_model import tiny_model
from tests.detector.learning.tiny_prints import FIRST, ONSET, tiny, write_prints

COLUMN = KINDS.index(Kind.STALL)
"""The number that a tiny print's stall lifts."""


def set_of(folder: Path, model: WatchModel, shards: Sequence[Shard]) -> PrintSet:
    filed = []
    for path, shard in zip(write_prints(folder, shards), shards, strict=True):
        seen = path.with_name(path.name.replace(SUFFIX, ".seen"))
        write_seen(seen, nothing(len(shard.beats)))
        filed.append(Filed(path, seen))
    return PrintSet(model, filed)


@pytest.fixture(name="model", scope="module")
def _model() -> WatchModel:
    """A network that has learned what a stall lifts, from that number alone."""
    model = tiny_model()
    network = model.temporal.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    chance = torch.Generator().manual_seed(0)
    there = torch.ones((32, 8), dtype=torch.bool)
    for _ in range(80):
        sensors = 0.1 * torch.randn(32, 8, len(SOURCES), generator=chance)
        failing = (torch.arange(32) % 2)[:, None] * (torch.arange(8) >= 4)[None]
        sensors[..., COLUMN] += 3.0 * failing
        blind = torch.zeros(32, 8, network.shape.embedding)
        known = torch.ones_like(sensors, dtype=torch.bool)
        logits = network(Tokens(blind, ~there, sensors, known, there, there)).logits
        wanted = failing * (1 + COLUMN)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    return model


def test_the_networks_alarm_says_what_it_rests_on(tmp_path: Path, model: WatchModel) -> None:
    shards = [tiny("fine", blind=True), tiny("stalls", Kind.STALL, blind=True)]
    prints = set_of(tmp_path, model, shards)
    outcomes = ours(prints)
    fine, stalls = explained(prints, outcomes)
    assert fine == outcomes[0]
    assert stalls.found is not None
    assert outcomes[1].found is not None
    assert (outcomes[1].found.by_rule, outcomes[1].found.rests_on) == (False, None)
    assert stalls.found.rests_on == SOURCES[COLUMN]


def test_it_is_explained_by_what_was_known_when_it_was_told(tmp_path: Path, model: WatchModel) -> None:
    prints = set_of(tmp_path, model, [tiny("stalls", Kind.STALL, blind=True)])
    (one,) = ours(prints)
    assert one.found is not None
    tokens = tokens_before(model, prints.filed[0], one.found)
    horizon = model.about.temporal.horizon
    told_beat = round(one.found.at_s / 5.0) - 1
    assert told_beat >= ONSET + 1
    assert tokens.there.shape == (1, min(horizon, told_beat + 1))
    assert rests_on(model, tokens) == SOURCES[COLUMN]


def test_a_rules_alarm_rests_on_its_own_channels_as_far_as_the_print_says(
    tmp_path: Path, model: WatchModel
) -> None:
    quiet = model._replace(about=tiny_model().about)
    at = 5 * FIRST + 60

    def told(channels: dict[str, float]) -> list[Told]:
        return [Told(at + s, "stall", 1.0, at * NS_PER_S, "stopped", channels) for s in range(4)]

    fails = tiny("new", Kind.WARPING, blind=True)._replace(told=told({"bed_c": 0.7, "lines": 0.3}))
    older = tiny("old", Kind.WARPING, blind=True)._replace(told=told({}))
    prints = set_of(tmp_path, quiet, [fails, older])
    new, old = explained(prints, prints.ruled())
    assert new.found is not None
    assert old.found is not None
    assert (new.found.by_rule, new.found.rests_on) == (True, "bed_c")
    assert (old.found.by_rule, old.found.rests_on) == (True, None)
