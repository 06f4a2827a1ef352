"""What the tests of the log share: rows by the thousand, and what other programs see of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from sinks.log_place import LocalPlace, open_place
from sinks.parquet_log import ParquetLog
from sinks.sink import Delivered, Told

DAY_S = 86_400
NOON_NS = 1_770_120_000_000_000_000  # 2026-02-03 12:00:00 UTC
DAY = "2026-02-03"
NEXT_DAY = "2026-02-04"


def written(root: Path | str, batches: Iterable[Sequence[Delivered[Told]]]) -> None:
    """A log with one file for each batch, dataset and day."""
    log = ParquetLog(root)
    for batch in batches:
        log.take(batch)
        log.flush()
    log.close()


def written_on_their_days(log: Path) -> None:
    """Make the files of a log look as if each was written on its day."""
    for path in log.rglob("date=*/*"):
        noon_s = datetime.fromisoformat(f"{path.parent.name[5:]}T12:00+00:00").timestamp()
        os.utime(path, (noon_s, noon_s))


def place_of(root: Path) -> LocalPlace:
    """The log's place, as its writer has it."""
    place = open_place(root)
    assert isinstance(place, LocalPlace)
    return place


def seen_by_others(root: Path, dataset: str = "scores") -> Counter[str]:
    """Entry ids as DuckDB sees them, which knows nothing of merges."""
    query = f"SELECT entry_id FROM read_parquet('{root}/{dataset}/*/*.parquet')"
    return Counter(row[0] for row in duckdb.sql(query).fetchall())


def parquet(root: Path, dataset: str = "scores") -> list[Path]:
    return sorted(root.glob(f"{dataset}/date=*/*.parquet"))


def footer(path: Path) -> dict[bytes, bytes]:
    return dict(pq.read_schema(path).metadata or {})


def ids(numbers: Iterable[int]) -> dict[str, int]:
    """The n-th entries, each once."""
    return {f"{1_770_000_000_000 + n}-0": 1 for n in numbers}
