"""Files of older versions: read as the newest, and rewritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from detector.anomaly import Anomaly
from sinks.errors import SinkError
from sinks.log_migration import migrate
from sinks.parquet_log import ParquetLog
from sinks.parquet_schema import SCHEMA_VERSION
from sinks.parquet_versions import STEPS
from sinks.read_log import read_anomalies, read_scores
from tests.sinks.logs import footer, parquet, seen_by_others, written

Make = Callable[..., Any]
VERSION = b"nozzlewatch_schema_version"


@pytest.fixture(name="told")
def _told(anomaly: Make) -> list[Anomaly]:
    return [anomaly(n) for n in range(3)]


@pytest.fixture(name="old")
def _old(tmp_path: Path, told: list[Anomaly], scores: Make, delivered: Make) -> Path:
    """A log with anomalies of the versions 0, 1 and 2, as those wrote them, and scores of version 0."""
    written(tmp_path, [[delivered(one, n)] for n, one in enumerate(told)])
    written(tmp_path, [[delivered(scores(0), 0)]])
    for version, path in enumerate(parquet(tmp_path, "anomalies")[:2]):
        table = pq.ParquetFile(path).read().drop_columns(["pictures"])
        rewrite(path, table, version)
    (path,) = parquet(tmp_path)
    rewrite(path, pq.ParquetFile(path).read(), 0)
    return tmp_path


def rewrite(path: Path, table: Any, version: int) -> None:
    told = {**(table.schema.metadata or {}), VERSION: str(version).encode()}
    if version == 0:
        del told[VERSION]
    pq.write_table(table.replace_schema_metadata(told), path)


def versions(root: Path) -> list[bytes | None]:
    return [footer(path).get(VERSION) for path in parquet(root, "anomalies")]


def test_every_rise_of_the_version_has_its_step() -> None:
    assert len(STEPS) == SCHEMA_VERSION


def test_files_of_all_versions_are_read_side_by_side(old: Path, told: list[Anomaly]) -> None:
    assert versions(old) == [None, b"1", b"2"]
    assert read_anomalies(old) == told
    assert read_anomalies(old, until=told[1].at_ns) == told[:1]
    assert read_scores(old).num_rows == 1


def test_a_writer_goes_on_with_an_old_log_and_doubles_nothing(
    old: Path, told: list[Anomaly], delivered: Make
) -> None:
    log = ParquetLog(old)
    assert log.recover([delivered(told[0], 0)]) == {("nw:anomalies:{3}", "1770000000000-0")}
    log.take([delivered(one, 100) for one in told])
    log.close()
    assert read_anomalies(old, latest_only=False) == told


def test_migrate_makes_every_file_the_newest_with_its_rows_and_ranges(old: Path, told: list[Anomaly]) -> None:
    ranges = [footer(path)[b"nozzlewatch_streams"] for path in parquet(old, "anomalies")]
    assert migrate(old) == 3
    assert versions(old) == [b"2"] * 3
    assert read_anomalies(old) == told
    assert sum(seen_by_others(old, "anomalies").values()) == 3
    assert sorted(footer(path)[b"nozzlewatch_streams"] for path in parquet(old, "anomalies")) == ranges
    pictures = [pq.read_table(path).column("pictures").to_pylist() for path in parquet(old, "anomalies")]
    assert pictures == [[[]]] * 3
    assert migrate(old) == 0


def test_a_newer_file_is_refused_and_stays_as_it_is(old: Path) -> None:
    path = parquet(old, "anomalies")[2]
    rewrite(path, pq.ParquetFile(path).read(), 3)
    for read in (migrate, read_anomalies):
        with pytest.raises(SinkError, match="version 3, expected 2: update Nozzlewatch"):
            read(old)
    assert footer(path)[VERSION] == b"3"
