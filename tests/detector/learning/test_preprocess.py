"""Recordings become prints by the code that serves; what is broken is passed over."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from detector import rules
from detector.anomaly import Kind, Reason
from detector.beats import draft, drafts
from detector.learning.alarms import Watched, outcome
from detector.learning.cutting import captured, label_at, shard_of
from detector.learning.preprocess import Preprocessed, Stopped, missing_in, preprocess, recordings_in
from detector.learning.shards import BEAT_S, UNKNOWN, Shard, read_shard
from detector.model.kinds import FINE, KINDS
from detector.verdict import Limits
from features.beats import beat_of
from features.frame import decode_frame
from features.sequence import History
from ingest.errors import UsageError
from ingest.recordings.format import Truth
from ingest.records import NS_PER_S
from ingest.simulate.produce import Wanted, produce
from ingest.simulate.splits import Split
from tests.ingest.recordings import BEGIN_NS, begin, reading

MINUTES = 0.6


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A print that fails, and the same without its failure."""
    folder = tmp_path_factory.mktemp("recordings")
    wanted = Wanted(
        prints=1, seed=5, split=Split.TRAIN, folder=folder, minutes=MINUTES, size=(160, 120), failing=1.0,
        kinds=("heater_fault",), pairs=True,
    )  # fmt: skip
    produce(wanted, 1, lambda made: None, lambda: False)
    return folder


@pytest.fixture(scope="module")
def shards(recordings: Path) -> dict[str, Shard]:
    return {path.stem: shard_of(path) for path in recordings_in([recordings])}


def test_a_print_is_cut_into_beats_with_its_truth(shards: dict[str, Shard]) -> None:
    failing, spared = shards["train-5-00000"], shards["train-5-00000-spared"]
    assert (failing.facts.kind, spared.facts.kind) == (Kind.HEATER_FAULT, None)
    assert spared.facts.spared
    assert failing.facts.simulator
    assert failing.facts.onset_s is not None
    whole = 60 * MINUTES / BEAT_S
    assert whole - 2 <= len(failing.beats) <= whole + 1
    assert (np.diff(failing.beats) == 1).all()
    fails = failing.labels == 1 + KINDS.index(Kind.HEATER_FAULT)
    np.testing.assert_array_equal(fails, ~np.isnan(failing.since_s()) & (failing.labels != UNKNOWN))
    assert set(spared.labels.tolist()) == {FINE}


def test_a_failure_that_ends_a_print_before_its_last_whole_beat_is_found(tmp_path: Path) -> None:
    fails_ns = BEGIN_NS + 12 * NS_PER_S + 200_000_000
    path = tmp_path / "p.mcap"
    writer = begin(
        path,
        [
            [reading(BEGIN_NS + n * NS_PER_S) for n in range(13)],
            [reading(fails_ns + n * 250_000_000, -15.0) for n in range(3)],
        ],
    )
    writer.add_label(Truth(kind="sensor_fault", from_ns=fails_ns, to_ns=fails_ns + NS_PER_S))
    writer.finish()
    shard = shard_of(path)
    assert len(shard.beats) == 12 // BEAT_S
    assert (shard.facts.onset_s, shard.facts.ends_s) == (pytest.approx(12.2), 13.0)
    never = Limits(threshold=1.0, min_beats=1, within_beats=1)
    found = outcome(Watched(shard.facts, shard.beats, shard.told), never)
    assert found.found is not None and not found.false_alarms


def test_tokens_and_pictures_are_those_that_the_detector_sees(
    recordings: Path, shards: dict[str, Shard]
) -> None:
    """Of a beat in the middle, by its windows themselves."""
    shard = shards["train-5-00000"]
    history, past, row = History(120), None, len(shard.beats) // 2
    for window, _ in captured(recordings / "train-5-00000.mcap"):
        history.push(window)
        past, _ = rules.judge_on(past, history)
        if not drafts(window):
            continue
        token = draft(history, "any", 0, past.flow)
        if beat_of(window) == shard.beats[row]:
            break
    assert shard.sensors[row].tobytes() == token.sensors
    assert shard.known[row].tobytes() == token.known
    assert shard.heard.all()
    assert shard.clear.any()
    for at in range(len(shard.beats)):
        assert bool(shard.jpeg(at)) == shard.clear[at]
    assert decode_frame(shard.jpeg(int(np.flatnonzero(shard.clear)[0]))) is not None


def test_what_rules_told_is_kept_with_its_channels(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = Reason(Kind.STALL, 0.9, 5, "no line", MappingProxyType({"lines": 1.0}))
    monkeypatch.setattr(rules, "judge", lambda history: [reason])
    told = shard_of(recordings / "train-5-00000.mcap").told
    assert {one[1:5] for one in told} == {("stall", 0.9, 5, "no line")}
    assert all(one.channels == {"lines": 1.0} for one in told)
    assert len({one.window for one in told}) == len(told)


def test_what_is_there_stays_and_what_is_broken_is_passed_over(recordings: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mcap"
    broken.write_bytes((recordings / "train-5-00000.mcap").read_bytes()[:64])
    asked, out = [broken, *recordings_in([recordings])], tmp_path / "out"
    told: list[Preprocessed] = []
    preprocess(asked, out, 2, told.append)
    assert {one.recording.stem: bool(one.trouble) for one in told} == {
        "broken": True,
        "train-5-00000": False,
        "train-5-00000-spared": False,
    }
    assert missing_in(out, asked) == [broken]
    assert len(read_shard(out / "train-5-00000.beats").beats)
    before = (out / "train-5-00000.beats").stat().st_mtime_ns
    preprocess(asked[1:], out, 1, told.append)
    assert len(told) == 3
    assert (out / "train-5-00000.beats").stat().st_mtime_ns == before


def test_it_ends_when_it_is_told_to(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="run the same again to go on"):
        preprocess(recordings_in([recordings]), tmp_path, 1, is_stopped=lambda: True)
    assert not list(tmp_path.iterdir())


def test_sources_are_recordings_or_folders_of_them(recordings: Path, tmp_path: Path) -> None:
    one = recordings / "train-5-00000.mcap"
    assert recordings_in([one]) == [one]
    assert len(recordings_in([recordings])) == 2
    with pytest.raises(UsageError, match=r"found train-5-00000.mcap twice"):
        recordings_in([recordings, one])
    with pytest.raises(UsageError, match=r"found no \*.mcap, expected recordings"):
        recordings_in([tmp_path])


def test_a_beat_is_fine_before_a_failure_and_unknown_after_it_or_a_halt() -> None:
    truths = [Truth(kind="stall", from_ns=10 * NS_PER_S, to_ns=20 * NS_PER_S)]
    labels = [label_at(truths, at_s * NS_PER_S, None) for at_s in (5, 10, 20, 25)]
    stall = 1 + KINDS.index(Kind.STALL)
    assert labels == [FINE, stall, stall, UNKNOWN]
    assert label_at([], 5 * NS_PER_S, 3 * NS_PER_S) == UNKNOWN
    blind = [Truth(kind="camera_fault", from_ns=0, to_ns=20 * NS_PER_S)]
    assert label_at(blind, 5 * NS_PER_S, None) == FINE
