"""An evaluation of a set of prints: what it needs, what it refuses, and that frames are judged once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.evaluate import MISSING, evaluate_prints, filed, simulator_of
from detector.learning.methods import ABOUT, OURS
from detector.learning.seen import FrameJudge
from ingest.errors import UsageError
from tests.detector.learning.tiny_prints import BEATS, tiny, write_prints
from tests.detector.small_watch import small_model

KINDS = (None, None, Kind.BLOB, Kind.HEATER_FAULT)


def prints(folder: Path, seed: int, kinds: Sequence[Kind | None] = KINDS) -> list[Path]:
    return write_prints(
        folder, [tiny(f"{seed}-{number}", kind, seed=seed + number) for number, kind in enumerate(kinds)]
    )


def test_figures_stand_beside_every_baseline_and_each_missing_sense(tmp_path: Path) -> None:
    own, others = prints(tmp_path / "a", 0), prints(tmp_path / "b", 10)
    heard: list[Path] = []
    found = evaluate_prints(small_model(), own, others, tmp_path / "cache", done=heard.append)
    assert {OURS, *found.figures.baselines} == ABOUT.keys()
    assert found.missing.keys() == MISSING.keys()
    assert found.figures.baselines["never"].mistakes_per_100 == pytest.approx(10.0)
    assert found.figures.baselines["always on"].mistakes_per_100 == pytest.approx(100.0)
    assert [one.name for one in found.outcomes] == [path.stem for path in own]
    assert found.figures.kinds.keys() == {"blob", "heater_fault"}
    assert sum(one.beats for one in found.reliability.bins) == len(own) * BEATS
    assert found.simulator == "tiny"
    assert len(heard) == 8


def test_without_others_what_needs_a_threshold_is_left_out(tmp_path: Path) -> None:
    found = evaluate_prints(small_model(), prints(tmp_path / "a", 0), [], tmp_path / "cache")
    assert found.figures.baselines.keys() == {"rules alone", "always on", "never", "random"}


def test_frames_are_judged_once_and_anew_where_a_print_was_made_anew(tmp_path: Path) -> None:
    own = prints(tmp_path / "a", 0, (None, Kind.BLOB))
    judge = FrameJudge(small_model().frame, engine="torch")

    def seen() -> list[int]:
        return [one.seen.stat().st_mtime_ns for one in filed(judge, own, tmp_path / "cache", lambda _: None)]

    before = seen()
    assert seen() == before
    later_ns = before[1] + 10**9
    os.utime(own[1], ns=(later_ns, later_ns))
    after = seen()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_folders_with_the_same_names_are_kept_apart(tmp_path: Path) -> None:
    both = [*prints(tmp_path / "a" / "x", 0, (None,)), *prints(tmp_path / "b" / "x", 0, (None,))]
    judge = FrameJudge(small_model().frame, engine="torch")
    found = filed(judge, both, tmp_path / "cache", lambda _: None)
    assert [one.shard for one in found] == both
    assert len({one.seen for one in found}) == 2


def test_no_threshold_is_chosen_on_what_is_measured(tmp_path: Path) -> None:
    own = prints(tmp_path / "a", 0)
    with pytest.raises(UsageError, match="measured on too"):
        evaluate_prints(small_model(), own, prints(tmp_path / "b", 0), tmp_path / "cache")


def test_simulated_and_real_prints_are_never_mixed(tmp_path: Path) -> None:
    real = tiny("real")._replace(facts=replace(tiny("real").facts, simulator=""))
    (path,) = write_prints(tmp_path / "b", [real])
    assert simulator_of([path]) == ""
    with pytest.raises(UsageError, match=r"real, simulator tiny.*never mixed"):
        simulator_of([*prints(tmp_path / "a", 0), path])


def test_sound_prints_alone_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 failing prints"):
        evaluate_prints(small_model(), prints(tmp_path / "a", 0, (None, None)), [], tmp_path / "cache")
