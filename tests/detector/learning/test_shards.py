"""A print's file gives back what was written, and says what is wrong with another."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save_file

from detector.anomaly import Kind
from detector.learning.shards import ARRAYS, Told, facts_of, read_shard, shards_in, write_shard
from ingest.errors import UsageError
from tests.detector.learning.tiny_prints import ONSET, tiny, write_prints


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    told = [Told(3, "stall", 0.9, 12, "no line for 9 s", {"lines": 1.0})]
    shard = tiny("one", Kind.BLOB)._replace(told=told)
    write_shard(tmp_path / "one.beats", shard)
    found = read_shard(tmp_path / "one.beats")
    assert (found.facts, found.told) == (shard.facts, told)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(shard, name))
    assert facts_of(tmp_path / "one.beats") == shard.facts


def test_an_older_prints_rules_have_no_channels() -> None:
    older = msgspec.json.encode([(3, "stall", 0.9, 12, "no line for 9 s")])
    assert msgspec.json.decode(older, type=list[Told]) == [Told(3, "stall", 0.9, 12, "no line for 9 s", {})]


def test_each_beat_has_its_own_picture_and_time() -> None:
    shard = tiny("one", Kind.BLOB)
    sizes = np.diff(shard.ends, prepend=0)
    assert [len(shard.jpeg(row)) for row in range(len(sizes))] == sizes.tolist()
    assert shard.jpeg(ONSET) != shard.jpeg(ONSET - 1)
    assert shard.at_s()[:2].tolist() == [5.0, 10.0]
    assert np.isnan(shard.since_s()[:ONSET]).all()
    assert shard.since_s()[ONSET:].tolist() == [2.5 + 5 * n for n in range(len(sizes) - ONSET)]
    assert np.isnan(tiny("fine").since_s()).all()


def test_a_folder_is_read_in_a_fixed_order_and_an_empty_one_is_told(tmp_path: Path) -> None:
    write_prints(tmp_path / "a", [tiny("2"), tiny("1")])
    assert [path.stem for path in shards_in([tmp_path / "a"])] == ["1", "2"]
    with pytest.raises(UsageError, match=r"found no \*.beats"):
        shards_in([tmp_path])


def test_other_files_and_tokens_of_another_make_are_told(tmp_path: Path) -> None:
    path = tmp_path / "one.beats"
    path.write_bytes(b"nothing of the kind")
    for read in (read_shard, facts_of):
        with pytest.raises(UsageError, match="found what is no print"):
            read(path)
    arrays = {"beats": np.zeros(1, np.int64)}
    save_file(arrays, path, {"format": "nozzlewatch beats 1", "names": "hotend_c mean 5 s"})
    with pytest.raises(UsageError, match=r"with other sensor tokens, .* run nozzlewatch preprocess again"):
        read_shard(path)
    save_file(arrays, path)
    with pytest.raises(UsageError, match="found another file"):
        facts_of(path)
