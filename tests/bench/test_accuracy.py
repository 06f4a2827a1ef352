"""The frozen sets: what is in them, that they go on where they were stopped, and what comes of them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from bench import accuracy_sets
from bench.accuracy import Asked, Places, accuracy
from bench.accuracy_sets import (
    CHOSEN_ON,
    FULL,
    MEASURED,
    QUICK,
    QUIET,
    VALIDATION,
    WHOLE,
    beats_folder,
    make_set,
    told,
    wanted_sets,
)
from detector.model.watch_model import DEFAULT, save_watch_model
from ingest.errors import UsageError
from ingest.simulate.held import Held
from ingest.simulate.onsets import failure_kinds
from ingest.simulate.produce import Wanted
from ingest.simulate.splits import Split
from tests.detector.learning.tiny_prints import tiny, write_prints
from tests.detector.small_watch import small_model

GO_ON = threading.Event()


def short(folder: Path, name: str = "normal", **changed: object) -> Wanted:
    usual = {"prints": 1, "seed": 1, "split": Split.TEST, "minutes": 0.2, "fps": 0.2, "failing": 0.0}
    return Wanted(folder=folder / "prints" / name, size=(160, 120), **{**usual, **changed})  # type: ignore[arg-type]


def test_the_frozen_sets_are_these(tmp_path: Path) -> None:
    sets = wanted_sets(tmp_path, FULL)
    told_of = {name: (one.prints, one.seed, str(one.split), one.failing) for name, one in sets.items()}
    assert told_of == {
        "normal": (620, 4, "test", 0.0),
        "kinds": (405, 2, "test", 1.0),
        "physical": (320, 3, "test", 1.0),
        "val": (300, 12, "val", 0.5),
        "val-sound": (400, 83, "val", 0.0),
    }
    assert sets["physical"].kinds == ("heater_fault", "sensor_fault")
    assert set(sets["kinds"].kinds) == set(failure_kinds()) - {"heater_fault", "sensor_fault"}
    assert [one.pairs for one in sets.values()] == [False, False, False, True, False]
    assert {(one.minutes, one.fps) for one in sets.values()} == {(15.0, 0.2)}


def test_quick_sets_are_the_first_prints_of_the_whole_ones(tmp_path: Path) -> None:
    quick, full = wanted_sets(tmp_path, QUICK), wanted_sets(tmp_path, FULL)
    assert [one.prints for one in quick.values()] == [60, 45, 20, 40, 40]
    assert all(replace(one, prints=full[name].prints) == full[name] for name, one in quick.items())


def test_a_set_is_made_once_and_its_recordings_go(tmp_path: Path) -> None:
    wanted = short(tmp_path)
    (made,) = make_set(wanted, 1, GO_ON)
    assert made.parent == beats_folder(wanted)
    assert not wanted.folder.exists()
    before = made.stat().st_mtime_ns
    assert make_set(wanted, 1, GO_ON) == [made]
    assert made.stat().st_mtime_ns == before
    assert (told(wanted, [made]).prints, told(wanted, [made]).failing) == (1, 0)


def test_a_set_that_was_stopped_goes_on(tmp_path: Path) -> None:
    one, both = short(tmp_path), short(tmp_path, prints=2)
    (made,) = make_set(one, 1, GO_ON, keep=True)
    assert one.path(0).exists()
    (beats_folder(one) / WHOLE).unlink()
    before = made.stat().st_mtime_ns
    assert len(make_set(both, 1, GO_ON)) == 2
    assert made.stat().st_mtime_ns == before


def test_prints_of_another_simulator_are_not_made_anew_unasked(tmp_path: Path) -> None:
    wanted = short(tmp_path)
    mark = beats_folder(wanted) / WHOLE
    mark.parent.mkdir(parents=True)
    mark.write_bytes(msgspec.json.encode(replace(wanted.held, simulator="0123456789ab")))
    with pytest.raises(UsageError, match="simulator 0123456789ab"):
        make_set(wanted, 1, GO_ON)


def whole(wanted: Wanted, *prints: object) -> None:
    """A set that is there already: made-up prints."""
    write_prints(beats_folder(wanted), prints)  # type: ignore[arg-type]
    held: Held = wanted.held
    (beats_folder(wanted) / WHOLE).write_bytes(msgspec.json.encode(held))


def test_figures_say_what_they_are_of_and_stand_where_programs_read_them(tmp_path: Path) -> None:
    save_watch_model(tmp_path / "watch.safetensors", small_model())
    sets = {name: short(tmp_path, name) for name in (*MEASURED, *CHOSEN_ON)}
    whole(sets["normal"], tiny("n0"), tiny("n1"))
    whole(sets["kinds"], tiny("k0", "blob", seed=1))  # type: ignore[arg-type]
    whole(sets["physical"], tiny("p0", "sensor_fault", seed=2))  # type: ignore[arg-type]
    whole(sets[VALIDATION], tiny("v0", seed=3), tiny("v1", "stall", seed=4))  # type: ignore[arg-type]
    whole(sets[QUIET], tiny("q0", seed=5))
    places = Places(tmp_path, tmp_path / "accuracy.json", tmp_path / "accuracy.html")
    asked = Asked(sets, places, "make evaluate", 1, tmp_path / "watch.safetensors")
    assert accuracy(asked, GO_ON, Console(quiet=True)) == 0
    found = json.loads(places.figures.read_text())
    assert {"commit", "machine", "date", "command"} <= found.keys()
    headline = (
        "mistakes_per_100", "mistakes_ci", "false_alarms_per_print_hour", "delay_median_s", "delay_p90_s",
        "precision", "recall", "f1", "pr_auc",
    )  # fmt: skip
    assert set(headline) <= found.keys()
    assert found["prints"] == 4
    assert found["kinds"]["blob"]["recall"] in (0.0, 1.0)
    assert found["baselines"]["never"]["mistakes_per_100"] == pytest.approx(10.0)
    assert found["missing"].keys() == {"without camera", "without telemetry"}
    assert found["sets"]["val"] == found["sets"]["val"] | {"prints": 2, "failing": 1, "seed": 1}
    assert found["sets"]["val"]["simulator"] == sets["val"].held.simulator
    assert "simulator tiny" in places.page.read_text()


@pytest.mark.skipif(DEFAULT.is_file(), reason="a network comes along")
def test_without_a_network_nothing_is_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy_sets, "simulate", None)
    places = Places(tmp_path, tmp_path / "a.json", tmp_path / "a.html")
    with pytest.raises(UsageError, match="nozzlewatch train"):
        accuracy(Asked(wanted_sets(tmp_path, QUICK), places, "", 1), GO_ON, Console(quiet=True))
    assert not (tmp_path / "prints").exists()
