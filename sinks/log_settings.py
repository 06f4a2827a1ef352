"""``[log]`` of the farm file: where the log lies, how often it is written, and how long it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from sinks.log_folder import is_uri

Days = Annotated[int, Meta(ge=0, le=36_500, description="whole days, 0 is for ever")]
Bytes = Annotated[int, Meta(ge=0, description="bytes, 0 is without limit")]
MIN_FREE_BYTES = 200_000_000


class Retention(Struct, frozen=True):
    """``[log.retention]``: how long each dataset is kept, and how large it may get.

    Whole days go, oldest first, never today's. ``max_bytes`` is for the log as a whole; what is kept for ever
    stays all the same.
    """

    scores_days: Days = 90
    anomalies_days: Days = 0
    inspections_days: Days = 0
    labels_days: Days = 0
    status_days: Days = 30
    frames_days: Days = 30
    false_frames_days: Days = 7  # frames of anomalies that a user called false
    scores_bytes: Bytes = 0
    status_bytes: Bytes = 0
    frames_bytes: Bytes = 0
    max_bytes: Bytes = 0


class LogTable(Struct, frozen=True):
    """``[log]``: the Parquet log."""

    # A folder, relative to the data folder, or an URI: s3://bucket/log.
    path: Annotated[str, Meta(min_length=1, description="a folder, or an URI such as s3://bucket/log")] = (
        "log"
    )
    # How long a row may wait for its file.
    flush_s: Annotated[float, Meta(gt=0, le=3600, description="seconds, up to 3600")] = 5.0
    flush_rows: Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")] = (
        20_000
    )
    # Below this nothing is written, so that the stores on the same disk live on.
    min_free_bytes: Bytes = MIN_FREE_BYTES
    retention: Retention = Retention()


def log_root(table: LogTable, data: Path) -> Path | str:
    """Where the log lies: a path, or an URI as it stands."""
    return table.path if is_uri(table.path) else data / table.path
