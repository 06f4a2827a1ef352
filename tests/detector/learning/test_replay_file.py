"""Prints that are replayed come back as they were, for the frame network that saw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.anomaly import Kind
from detector.learning.replay_file import drawn, keep_some, read_replay, write_replay
from detector.learning.seen import version_of
from detector.learning.sequences import TokenSequence
from ingest.errors import UsageError
from tests.detector.learning.tiny_model import tiny_model, unseen
from tests.detector.learning.tiny_prints import tiny, write_prints


def sequences() -> list[TokenSequence]:
    """One whose every second beat has no telemetry, half its numbers unknown; one that is shorter."""
    first = unseen(tiny("first", Kind.STALL))
    rng = np.random.default_rng(0)
    known, heard = rng.random(first.known.shape) < 0.5, np.arange(len(first.beats)) % 2 == 0
    return [first._replace(known=known, heard=heard), unseen(tiny("second", seed=1, beats=7))]


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    before = sequences()
    write_replay(tmp_path / "replay", before, "abc")
    for one, other in zip(before, read_replay(tmp_path / "replay", "abc"), strict=True):
        assert one.facts == other.facts
        for name in set(TokenSequence._fields) - {"facts"}:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype


def test_forty_prints_of_a_quarter_of_an_hour_take_a_few_megabytes(tmp_path: Path) -> None:
    write_replay(tmp_path / "replay", [unseen(tiny("long", beats=180))] * 40, "abc")
    assert (tmp_path / "replay").stat().st_size < 6 * 2**20


def test_tokens_of_another_frame_network_and_other_files_are_told(tmp_path: Path) -> None:
    write_replay(tmp_path / "replay", sequences(), "abc")
    with pytest.raises(UsageError, match="found embeddings of the frame network abc, expected those of def"):
        read_replay(tmp_path / "replay", "def")
    (tmp_path / "broken").write_bytes((tmp_path / "replay").read_bytes()[:900])
    with pytest.raises(UsageError, match="found no prints to replay"):
        read_replay(tmp_path / "broken", "abc")
    with pytest.raises(UsageError, match="found no print to write"):
        write_replay(tmp_path / "none", [], "abc")


def test_some_of_many_prints_are_kept_as_the_frame_network_sees_them(tmp_path: Path) -> None:
    kinds = (None, Kind.STALL)
    write_prints(tmp_path / "prints", [tiny(f"{n}", kinds[n % 2], seed=n, blind=True) for n in range(8)])
    frame = tiny_model().frame
    names = keep_some(tmp_path / "replay", frame, [tmp_path / "prints"], tmp_path / "cache", count=4)
    found = read_replay(tmp_path / "replay", version_of(frame))
    assert [one.facts.name for one in found] == names
    assert sorted(str(one.facts.kind) for one in found) == ["None", "None", "stall", "stall"]


def test_half_of_what_is_kept_is_sound_and_of_each_kind_there_is_as_much() -> None:
    facts = [tiny(f"{n}", kind, beats=6).facts for n in range(6) for kind in (None, Kind.STALL, Kind.BLOB)]
    kinds = [facts[at].kind for at in drawn(facts, 8)]
    assert {kind: kinds.count(kind) for kind in (None, Kind.STALL, Kind.BLOB)} == {
        None: 4,
        Kind.STALL: 2,
        Kind.BLOB: 2,
    }
    assert drawn(facts, 8) == sorted(set(drawn(facts, 8)))
    assert len(drawn(facts, 100)) == len(facts)
