"""The one place where the parts of the log meet."""

from __future__ import annotations

from pathlib import Path

from sinks.log_pictures import FrameStore
from sinks.log_settings import LogTable, log_root
from sinks.log_upkeep import KeptLog
from sinks.parquet_log import ParquetLog


def open_log(table: LogTable, data: Path, frames: FrameStore | None) -> KeptLog:
    """The farm's log, with pictures and upkeep. Raises SinkError where it cannot be opened.

    ``data`` is the farm's data folder, ``frames`` where pictures of anomalies are fetched.
    """
    log = ParquetLog(log_root(table, data), frames=frames, min_free_bytes=table.min_free_bytes)
    return KeptLog(log, table.retention)
