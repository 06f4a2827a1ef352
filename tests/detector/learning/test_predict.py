"""A user's picture is judged by itself, a print by the alarms that serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.anomaly import Kind
from detector.learning.predict import PictureJudge, judged_print, print_of
from detector.learning.seen import FrameJudge
from detector.learning.shards import Told
from detector.model.failure_map import found_boxes
from detector.model.frame_network import GRID
from detector.model.kinds import FINE, KINDS, VISUAL
from detector.model.watch_model import WatchModel
from features.frame import SIDE, to_batch
from features.picture import Picture
from features.stills import to_square
from tests.detector.learning.tiny_model import tiny_model
from tests.detector.learning.tiny_prints import BEATS, FIRST, tiny, write_prints

STALL = 1 + KINDS.index(Kind.STALL)


def pictures() -> list[Picture]:
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 255, size, dtype=np.uint8) for size in ((48, 60, 3), (SIDE, SIDE, 3), (9, 700, 3))
    ]


def sure_of(kind: int) -> WatchModel:
    """A model that says the same of every beat."""
    model = tiny_model()
    with torch.no_grad():
        model.temporal.classify.weight.zero_()
        model.temporal.classify.bias.fill_(-9.0)
        model.temporal.classify.bias[kind] = 9.0
        model.temporal.date.weight.zero_()
        model.temporal.date.bias.fill_(0.0)
    return model


def test_a_picture_is_told_as_the_network_has_it() -> None:
    model, shown = tiny_model(), pictures()
    said = PictureJudge(model, engine="torch").judge(shown)
    with torch.no_grad():
        seen = model.frame(to_batch([to_square(picture, SIDE) for picture in shown]))
    for at, one in enumerate(said):
        assert one.failing == pytest.approx(float(seen.failing[at].sigmoid()), abs=0.02)
        assert list(one.kinds) == list(VISUAL)
        assert one.kinds[one.kind] == max(one.kinds.values())
        assert one.where.shape == (GRID, GRID)
        assert all(0 <= each <= 1 for each in (*one.kinds.values(), one.failing, one.where.max()))
        sure = np.clip(one.where.astype(np.float64), 1e-9, 1 - 1e-9)
        logits = np.log(sure / (1 - sure))
        assert [found.box for found in one.boxes] == [found.box for found in found_boxes(logits)]


def test_no_picture_is_no_work() -> None:
    assert PictureJudge(tiny_model(), engine="torch").judge([]) == []


def test_of_a_print_it_tells_when_which_failure_began() -> None:
    model, shard = sure_of(STALL), tiny("one", blind=True)
    said = judged_print(model, FrameJudge(model.frame, engine="torch"), shard)
    assert (said.name, said.frames, said.minutes) == ("one", 0, BEATS * 5 / 60)
    assert [change.kind for change in said.changes] == [Kind.STALL]
    first = said.changes[0]
    assert first.at_s == 10.0  # two beats of three
    assert first.since_s is not None
    assert first.since_s <= first.at_s
    assert first.at_ns == shard.facts.begin_ns + 10 * 10**9


def test_a_print_that_is_fine_has_no_change() -> None:
    model = sure_of(FINE)
    assert judged_print(model, FrameJudge(model.frame, engine="torch"), tiny("one", blind=True)).changes == []


def test_what_rules_say_is_told_too_and_when_it_is_over() -> None:
    model = sure_of(FINE)
    windows = range(5 * FIRST + 20, 5 * FIRST + 30)
    told = [Told(window, "heater_fault", 0.99, window * 10**9, "") for window in windows]
    shard = tiny("one", blind=True, beats=40)._replace(told=told)
    said = judged_print(model, FrameJudge(model.frame, engine="torch"), shard)
    assert [change.kind for change in said.changes] == [Kind.HEATER_FAULT, None]
    assert said.changes[0].at_s == pytest.approx(21.0)
    assert said.changes[1].at_s > 30


def test_a_print_is_one_of_preprocess_or_a_recording(tmp_path: Path) -> None:
    path = write_prints(tmp_path, [tiny("one", Kind.BLOB)])[0]
    assert print_of(path).facts == tiny("one", Kind.BLOB).facts
