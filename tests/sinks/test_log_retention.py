"""What goes when: by age, by size, and pictures of false alarms first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.anomaly import Kind, Label
from sinks.log_folder import LogFile
from sinks.log_retention import KEPT, apply_retention, plan_retention
from sinks.log_settings import LogTable, Retention, log_root
from sinks.read_log import read_labels, read_scores
from tests.sinks.logs import DAY_S, NOON_NS, parquet, place_of, written, written_on_their_days

Make = Callable[..., Any]
TODAY = date(2026, 2, 20)
EVER = Retention(scores_days=0, status_days=0, frames_days=0, false_frames_days=0)


def at(dataset: str, day: int, size: int = 100, name: str = "x.parquet", written: str = "") -> LogFile:
    return LogFile(f"{dataset}/date=2026-02-{day:02d}/{name}", size, written)


def folders(wanted: Retention, *found: LogFile) -> list[str]:
    by_dataset = {name: [one for one in found if one.path.startswith(f"{name}/")] for name in KEPT}
    return plan_retention(by_dataset, [], wanted, TODAY).folders


def changed(**fields: int) -> Retention:
    return msgspec.structs.replace(EVER, **fields)


def test_days_older_than_what_is_kept_go_of_their_dataset_alone() -> None:
    found = [at(name, day) for name in ("scores", "status") for day in (9, 10, 11, 20)]
    assert folders(changed(scores_days=10), *found) == ["scores/date=2026-02-09"]


def test_a_day_is_as_old_as_what_was_last_written_into_it() -> None:
    """A print that was recorded long ago and is watched today."""
    found = [at("scores", 1, written="2026-02-01"), at("scores", 1, name="y.parquet", written="2026-02-15")]
    assert folders(changed(scores_days=10), *found) == []
    assert folders(changed(scores_days=4), *found) == ["scores/date=2026-02-01"]


def test_zero_days_are_for_ever() -> None:
    assert folders(EVER, *(at(name, 1) for name in KEPT)) == []


def test_todays_never_goes() -> None:
    found = [at("scores", 19), at("scores", 20, size=10**12)]
    assert folders(changed(scores_days=1, scores_bytes=1, max_bytes=1), *found) == ["scores/date=2026-02-19"]


def test_a_dataset_that_is_too_large_lets_its_oldest_days_go() -> None:
    found = [at("scores", day) for day in (15, 16, 17, 18)] + [at("status", 1)]
    assert folders(changed(scores_bytes=250), *found) == ["scores/date=2026-02-15", "scores/date=2026-02-16"]
    assert folders(changed(scores_bytes=400), *found) == []


def test_a_log_that_is_too_large_lets_the_oldest_days_go_and_never_what_is_kept_for_ever() -> None:
    found = [at("anomalies", 1), at("scores", 15), at("frames", 14, name="a.jpg"), at("scores", 17)]
    wanted = changed(scores_days=90, frames_days=90, max_bytes=250)
    assert folders(wanted, *found) == ["frames/date=2026-02-14", "scores/date=2026-02-15"]
    assert folders(changed(scores_days=90, frames_days=90, max_bytes=1), *found) == [
        "frames/date=2026-02-14",
        "scores/date=2026-02-15",
        "scores/date=2026-02-17",
    ]


def test_what_goes_by_age_is_not_counted_against_the_size() -> None:
    found = [at("scores", 1, size=1_000), at("scores", 15), at("scores", 16)]
    assert folders(changed(scores_days=10, scores_bytes=200), *found) == ["scores/date=2026-02-01"]


def said(anomaly: str | None, kind: Kind | None) -> Label:
    return Label(printer="p", job="j", kind=kind, from_ns=0, to_ns=1, anomaly=anomaly)


def test_pictures_of_false_alarms_go_before_those_of_true_ones() -> None:
    pictures = [
        at("frames", day, name=f"{name}-{role}.jpg")
        for day in (12, 14)
        for name in ("false", "true", "unsaid", "reversed")
        for role in ("onset", "closed")
    ]
    labels = [
        said("false", Kind.STALL), said("false", None), said("true", Kind.STALL),
        said("reversed", None), said("reversed", Kind.STALL), said(None, None),
    ]  # fmt: skip
    gone = plan_retention({"frames": pictures}, labels, changed(frames_days=30, false_frames_days=7), TODAY)
    assert gone.folders == []
    assert gone.pictures == [pictures[0].path, pictures[1].path]


def test_it_is_done_as_planned(tmp_path: Path, scores: Make, label: Make, delivered: Make) -> None:
    days = [delivered(scores(n * DAY_S), n) for n in range(5)]
    written(tmp_path, [[*days, delivered(label(0, anomaly="a1", kind=None), 9)]])
    folder = tmp_path / "frames" / "date=2026-02-03"
    folder.mkdir(parents=True)
    for name in ("a1-onset.jpg", "a2-onset.jpg"):
        (folder / name).write_bytes(b"jpeg")
    written_on_their_days(tmp_path)
    place = place_of(tmp_path)
    wanted = changed(scores_days=2, frames_days=30, false_frames_days=1)
    apply_retention(place, wanted, NOON_NS + 4 * DAY_S * 10**9)
    apply_retention(place, wanted, NOON_NS + 4 * DAY_S * 10**9)  # again: nothing more goes
    place.close()
    assert [path.parent.name[-2:] for path in parquet(tmp_path)] == ["05", "06", "07"]
    assert read_scores(tmp_path).num_rows == 3
    assert len(read_labels(tmp_path)) == 1
    assert [path.name for path in folder.iterdir()] == ["a2-onset.jpg"]
    assert list((tmp_path / ".writing").iterdir()) == []


def test_the_table_is_read_from_a_farm_file() -> None:
    told = {"path": "s3://bucket/log", "retention": {"scores_days": 14, "max_bytes": 5}}
    table = msgspec.convert(told, LogTable)
    assert (table.retention.scores_days, table.retention.frames_days) == (14, 30)
    assert log_root(table, Path("/data")) == "s3://bucket/log"
    assert log_root(LogTable(), Path("/data")) == Path("/data/log")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"retention": {"scores_days": -1}}, LogTable)
