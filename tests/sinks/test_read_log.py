"""Reading the log back: what was told, when, by whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.anomaly import Kind, State
from sinks.errors import SinkError
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_anomalies, read_scores

NOON_NS = 1_770_120_000_000_000_000
S = 1_000_000_000
DAY_S = 86_400
Make = Callable[..., Any]


@pytest.fixture(name="log")
def _log(tmp_path: Path, scores: Make, anomaly: Make, delivered: Make) -> Path:
    """Three days: scores of two printers, an anomaly that opens and closes, and one of another printer."""
    told = [
        anomaly(0),
        anomaly(0, revision=2, state=State.CLOSED, at_ns=NOON_NS + 90 * S),
        anomaly(2 * DAY_S, printer="mk4", kind=Kind.STALL),
    ]
    judged = [scores(n * DAY_S, printer=name) for n in (2, 0, 1) for name in ("voron-2", "mk4")]
    log = ParquetLog(tmp_path / "log")
    log.take([delivered(record, n) for n, record in enumerate([*told, *judged])])
    log.close()
    return tmp_path / "log"


def test_the_latest_revision_or_all_of_them(log: Path) -> None:
    assert [(one.id, one.revision) for one in read_anomalies(log)] == [("a0", 2), ("a172800", 1)]
    everything = [(one.id, one.revision) for one in read_anomalies(log, latest_only=False)]
    assert everything == [("a0", 1), ("a0", 2), ("a172800", 1)]


def test_with_until_an_anomaly_is_as_it_was_known_then(log: Path) -> None:
    (known,) = read_anomalies(log, until=NOON_NS + 90 * S)
    assert known.state is State.OPENED
    (known,) = read_anomalies(log, until=NOON_NS + 90 * S + 1)
    assert known.state is State.CLOSED


def test_by_printer_and_kind(log: Path) -> None:
    assert [one.id for one in read_anomalies(log, printer="mk4")] == ["a172800"]
    assert [one.id for one in read_anomalies(log, kind=Kind.LAYER_SHIFT)] == ["a0"]
    assert read_anomalies(log, printer="mk4", kind=Kind.LAYER_SHIFT) == []


def test_since_is_inclusive_and_until_is_not(log: Path) -> None:
    one_day = NOON_NS + DAY_S * S
    found = read_scores(log, since=one_day, until=one_day + DAY_S * S)
    assert found.column("start").cast(pa.int64()).to_pylist() == [one_day, one_day]
    assert read_scores(log, since=one_day + 1, until=one_day + DAY_S * S).num_rows == 0


def test_scores_come_by_printer_and_time(log: Path) -> None:
    found = read_scores(log)
    names = found.column("printer").to_pylist()
    assert names == ["mk4"] * 3 + ["voron-2"] * 3
    assert found.column("index").to_pylist()[:3] == [NOON_NS // S + n * DAY_S for n in range(3)]
    assert read_scores(log, printer="mk4", job="benchy.gcode").num_rows == 3
    assert read_scores(log, job="other.gcode").num_rows == 0


def test_a_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="found no folder"):
        read_anomalies(tmp_path / "nowhere")


def test_an_empty_log_holds_nothing(tmp_path: Path) -> None:
    ParquetLog(tmp_path).close()
    assert read_anomalies(tmp_path) == []
    assert "p_spaghetti" in read_scores(tmp_path).schema.names


def test_a_newer_log_is_refused(log: Path) -> None:
    path = next(log.glob("scores/*/*.parquet"))
    table = pq.ParquetFile(path).read()
    newer = {**(table.schema.metadata or {}), b"nozzlewatch_schema_version": b"3"}
    pq.write_table(table.replace_schema_metadata(newer), path)
    with pytest.raises(SinkError, match="version 3"):
        read_scores(log)


def test_a_file_from_before_a_column_existed_is_read(log: Path) -> None:
    path = next(log.glob("scores/date=2026-02-03/*.parquet"))
    table = pq.ParquetFile(path).read().drop_columns(["p_unusual"])
    pq.write_table(table, path)
    assert read_scores(log).column("p_unusual").null_count == 2
