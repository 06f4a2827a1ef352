"""The network that comes along: it loads, its card is its own, and what is replayed beside it fits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from detector.learning.replay_file import REPLAY, read_replay
from detector.learning.seen import version_of
from detector.learning.sequences import batch_of
from detector.model.kinds import FINE, KINDS
from detector.model.watch_model import DEFAULT, WatchModel, load_watch_model
from detector.training.metrics import roc_auc


@pytest.fixture(scope="module")
def shipped() -> WatchModel:
    return load_watch_model(DEFAULT)


def test_its_card_names_its_version_its_tensors_and_the_licences(shipped: WatchModel) -> None:
    card = DEFAULT.with_suffix(".md").read_text(encoding="utf-8")
    for told in (shipped.about.version, shipped.about.sha256, "CC BY 4.0", "MIT License", "Simulated"):
        assert told in card


def test_it_is_small_enough_to_come_along() -> None:
    assert DEFAULT.stat().st_size < 5 << 20
    assert REPLAY.stat().st_size < 8 << 20


def test_what_is_replayed_was_seen_by_its_frame_network(shipped: WatchModel) -> None:
    prints = read_replay(REPLAY, version_of(shipped.frame))
    kinds = {print_.facts.kind for print_ in prints}
    assert len(prints) == 40
    assert None in kinds
    assert len(kinds) > len(KINDS) // 2
    card = REPLAY.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(REPLAY.read_bytes()).hexdigest() in card


def test_a_print_that_it_learned_is_told_apart_from_one_that_is_fine(shipped: WatchModel) -> None:
    """Of replayed prints; how it does on others is what `make evaluate` tells."""
    prints = read_replay(REPLAY, version_of(shipped.frame))
    with torch.inference_mode():
        logits = [shipped.temporal(batch_of([print_]).tokens).logits[0] for print_ in prints]
    highest = np.array([float((1 - one.softmax(-1)[:, FINE]).max()) for one in logits])
    assert roc_auc(highest, np.array([print_.facts.kind is not None for print_ in prints])) > 0.7
