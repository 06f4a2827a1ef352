"""Pairs are the same moment with and without a failure that shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from detector.anomaly import Kind
from detector.learning.paired import AFTER_ONSET_S, PairedPrints, jpeg_at, read_pair
from detector.learning.shards import read_shard, write_shard
from tests.detector.learning.tiny_prints import tiny, write_pairs, write_prints


def test_each_print_whose_failure_shows_is_drawn_as_often(tmp_path: Path) -> None:
    paths = write_pairs(tmp_path, [Kind.SPAGHETTI, Kind.BLOB, Kind.HEATER_FAULT])
    paths += write_pairs(tmp_path, [Kind.SPAGHETTI], seed=9)
    paths += write_prints(tmp_path, [tiny("alone", Kind.WARPING)])
    pairs = PairedPrints(paths)
    assert len(pairs) == 3  # heater faults cannot be seen, and one print has no twin
    drawn = pairs.draw(300, np.random.default_rng(0))
    often = Counter(one.failing for one in drawn)
    assert len(often) == 3
    assert min(often.values()) > 60
    assert {one.kind for one in drawn} == {Kind.SPAGHETTI, Kind.BLOB}
    for one in drawn:
        assert one.sound.stem == f"{one.failing.stem}-spared"
        failing, sound = read_shard(one.failing), read_shard(one.sound)
        assert failing.beats[one.row] == sound.beats[one.sound_row]
        assert failing.since_s()[one.row] >= AFTER_ONSET_S


def test_a_pair_differs_where_the_failure_is(tmp_path: Path) -> None:
    pairs = PairedPrints(write_pairs(tmp_path, [Kind.BLOB]))
    pair = read_pair(pairs.draw(1, np.random.default_rng(0))[0])
    assert pair is not None
    rows, columns = np.nonzero(pair.differs)
    inside = pair.differs[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert inside.mean() > 0.95
    assert 0.1 < pair.differs.mean() < 0.3


def test_a_frame_is_read_alone(tmp_path: Path) -> None:
    path = write_prints(tmp_path, [tiny("one", Kind.BLOB)])[0]
    shard = read_shard(path)
    assert [jpeg_at(path, row) for row in range(len(shard.beats))] == [
        shard.jpeg(row) for row in range(len(shard.beats))
    ]


def test_frames_that_cannot_be_judged_are_in_no_pair(tmp_path: Path) -> None:
    paths = write_pairs(tmp_path, [Kind.BLOB])
    sound = read_shard(paths[1])
    write_shard(paths[1], sound._replace(clear=np.zeros(len(sound.beats), np.bool_)))
    assert len(PairedPrints(paths)) == 0
