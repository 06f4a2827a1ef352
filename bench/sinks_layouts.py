"""``python -m bench.sinks_layouts``: how the log's files might be laid down, and what each way costs.

What ``sinks/parquet_files.py`` has chosen rests on this.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console

from bench.sinks_log import Load, feed, query_ms
from sinks.parquet_files import ROW_GROUP, settings
from sinks.parquet_schema import DAY_NS, SCHEMAS, SCORES, day_of
from sinks.read_log import read_scores

PRINTERS = 12
GROUPS = (10_000, 25_000, 50_000, 250_000, 1_000_000)


def cases() -> list[tuple[str, int, dict[str, object]]]:
    """(name, rows of a group, settings of the writer)"""
    ours = settings(SCHEMAS[SCORES], SCORES)
    tried: dict[str, dict[str, object]] = {
        "plain, snappy": {"compression": "snappy"},
        "plain, zstd 1": {"compression": "zstd"},
        "plain, zstd 5": {"compression": "zstd", "compression_level": 5},
        "ours, snappy": ours | {"compression": "snappy", "compression_level": None},
    }
    tried |= {f"ours, zstd {level}": ours | {"compression_level": level} for level in (1, 3, 5, 9)}
    return [(name, ROW_GROUP, how) for name, how in tried.items()] + [("ours", n, ours) for n in GROUPS]


def main() -> None:
    """Write twelve printers' day in each way, sorted as a merged file is, and read one printer's."""
    load, console = Load(time.time_ns() // DAY_NS * DAY_NS, PRINTERS, 0), Console()
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        feed(Path(folder) / "log", Path(folder) / "state", load)
        rows = read_scores(Path(folder) / "log")
        path = Path(folder) / f"date={day_of(load.day_ns)}" / "a.parquet"
        path.parent.mkdir()
        for name, group, how in cases():
            began_s = time.perf_counter()
            pq.write_table(rows, path, row_group_size=group, **how)  # type: ignore[arg-type]
            rate = rows.num_rows / (time.perf_counter() - began_s)
            console.print(
                f"{name:14} row group {group:9,}: {path.stat().st_size / rows.num_rows:5.1f} bytes a row, "
                f"{rate / 1e6:3.1f} million rows/s, a printer's day in {query_ms(str(path), load):3.0f} ms"
            )


if __name__ == "__main__":
    main()
