"""The search takes the frame network that is there, and goes on with what was tried before."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.train import DetectorTraining
from detector.learning.tune import SPACE, tuned
from detector.model.frame_network import build_frame_network
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape
from detector.model.weights import save_weights
from detector.training.recipe import Recipe
from detector.training.tuning import OneOf
from features.channels import SENSOR_DIM
from ingest.errors import UsageError
from tests.detector.learning.tiny_prints import tiny, write_prints

KINDS = (Kind.STALL, Kind.HEATER_FAULT, None)


@pytest.fixture
def asked(tmp_path: Path) -> DetectorTraining:
    for folder, seed in (("learn", 0), ("held", 50)):
        shards = [tiny(f"{seed + n}", kind, seed=seed + n, blind=True) for n, kind in enumerate(KINDS)]
        write_prints(tmp_path / folder, shards)
    save_weights(tmp_path / "out" / "frames.safetensors", build_frame_network("squeezenet"), {})
    return DetectorTraining(
        prints=(tmp_path / "learn",), held_out=(tmp_path / "held",), out=tmp_path / "out",
        backbone="squeezenet", temporal=Recipe(epochs=1), quiet=True,
        shape=TemporalShape(embedding=SIGHT_DIM, sensors=SENSOR_DIM),
    )  # fmt: skip


def test_a_search_goes_on_with_what_was_tried_before(asked: DetectorTraining) -> None:
    first = tuned(asked, 1, threading.Event())
    assert first is not None
    assert [one.ended for one in first.tried] == ["finished"]
    assert first.best == first.tried[0]
    assert set(first.tried[0].params) == set(SPACE)
    frames = (asked.out / "frames.safetensors").stat().st_mtime_ns
    both = tuned(asked, 2, threading.Event())
    assert both is not None
    assert both.tried[0] == first.tried[0]
    assert len(both.tried) == 2
    assert (asked.out / "frames.safetensors").stat().st_mtime_ns == frames
    assert not (asked.out / "temporal.safetensors").exists()


def test_each_width_is_one_that_the_heads_divide() -> None:
    widths = SPACE["width"]
    assert isinstance(widths, OneOf)
    heads = TemporalShape(embedding=1, sensors=1).heads
    assert all(isinstance(width, int) and width % heads == 0 for width in widths.choices)


def test_prints_that_are_not_there_are_told(asked: DetectorTraining, tmp_path: Path) -> None:

    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"found no \*.beats"):
        tuned(replace(asked, prints=(tmp_path / "empty",)), 1, threading.Event())
