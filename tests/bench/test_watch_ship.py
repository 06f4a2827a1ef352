"""What ships of a training: the weights as they are, and prints to replay as these very weights see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.watch_ship import ship
from detector.anomaly import Kind
from detector.learning.replay_file import read_replay
from detector.learning.seen import version_of
from detector.model.watch_model import load_watch_model, save_watch_model
from ingest.errors import UsageError
from tests.detector.learning.tiny_model import tiny_model
from tests.detector.learning.tiny_prints import tiny, write_prints


def test_the_prints_to_replay_belong_to_the_weights_that_ship(tmp_path: Path) -> None:
    write_prints(tmp_path / "prints", [tiny("a", blind=True), tiny("b", Kind.STALL, blind=True)])
    save_watch_model(tmp_path / "training" / "watch.safetensors", tiny_model())
    weights, replay = tmp_path / "watch.safetensors", tmp_path / "replay.safetensors"
    ship(tmp_path / "training", [tmp_path / "prints"], weights, replay)
    shipped = load_watch_model(weights)
    assert shipped.about.version == tiny_model().about.version
    assert [one.facts.name for one in read_replay(replay, version_of(shipped.frame))] == ["a", "b"]


def test_of_a_training_that_is_not_finished_nothing_ships(tmp_path: Path) -> None:
    weights, replay = tmp_path / "watch.safetensors", tmp_path / "replay.safetensors"
    with pytest.raises(UsageError):
        ship(tmp_path / "training", [tmp_path], weights, replay)
    assert not weights.exists() and not replay.exists()
