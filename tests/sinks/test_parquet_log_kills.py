"""The Parquet log's writer killed at its worst moments, its merges with it: each row once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from sinks.read_log import read_anomalies, read_scores
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


def files(root: Path) -> list[Path]:
    return sorted(root.glob("*/date=*/*"))


def rows(root: Path) -> pa.Table:
    return read_scores(root) if (root / ".lock").exists() else pa.table({})


def entries(root: Path, dataset: str = "scores") -> Counter[str]:
    """As another program sees them."""
    found = ds.dataset(root / dataset, partitioning="hive").to_table(columns=["entry_id"])
    return Counter(found.column("entry_id").to_pylist())


WRITER = """
import os, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from conftest import deliver, make_anomaly, make_inspection, make_label, make_scores, make_status
from sinks import log_compaction, log_upkeep
from sinks.log_settings import Retention
from sinks.log_upkeep import KeptLog
from sinks.parquet_log import ParquetLog
log_compaction.MANY = 4
log_upkeep.day_of = lambda _: "2026-02-03"

def batch(number):
    rows = range(number * 5, number * 5 + 5)
    told = [make_anomaly, make_inspection, make_label, make_status]
    scores = [deliver(make_scores(n * 20_000), n) for n in rows]
    return scores + [deliver(make(n), n) for make in told for n in rows]

root, acked_file = Path(sys.argv[1]), Path(sys.argv[2])
acked = int(acked_file.read_text() or 0)
log = KeptLog(ParquetLog(root), Retention(scores_days=0, status_days=0), every_s=0.005)
pending = [one for number in range(acked, acked + 3) for one in batch(number)]
held = log.recover(pending)
log.take([one for one in pending if (one.stream, one.entry_id) not in held])
log.flush()
"""
"""A consumer: the next three batches are pending, what is held is acknowledged, the rest is taken."""

ENDED = (
    WRITER
    + """
log.close()
"""
)

LOOP = (
    WRITER
    + """
number = acked + 3
print("started", flush=True)
while True:
    log.take(batch(number))
    log.flush()
    number += 1
    if number % 2 == 0:
        part = acked_file.with_suffix(".part")
        part.write_text(str(number - 1))
        os.replace(part, acked_file)
"""
)

KILLED_BETWEEN = (
    """
import os
replace, calls = os.replace, []
def dying(source, target):
    calls.append(target)
    if len(calls) == 2:
        os.kill(os.getpid(), 9)
    replace(source, target)
os.replace = dying
"""
    + WRITER
)


KILLS = 6
"""``python -m bench.sinks_log`` has twenty, over ten million rows."""


def script(text: str) -> str:
    return text.replace("{root!r}", repr(str(ROOT))).replace("{tests!r}", repr(str(Path(__file__).parent)))


def test_a_writer_killed_between_two_files_doubles_and_loses_nothing(tmp_path: Path) -> None:
    acked = tmp_path / "acked"
    acked.write_text("0")
    command = [str(tmp_path / "log"), str(acked)]
    killed = subprocess.run([sys.executable, "-c", script(KILLED_BETWEEN), *command], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(files(tmp_path / "log")) == 1
    assert len(list((tmp_path / "log" / ".writing").iterdir())) == 1
    subprocess.run([sys.executable, "-c", script(ENDED), *command], check=True)
    assert Counter(one.id for one in read_anomalies(tmp_path / "log", latest_only=False)) == {
        f"a{n}": 1 for n in range(15)
    }
    assert entries(tmp_path / "log") == {f"{1_770_000_000_000 + n}-0": 1 for n in range(15)}


def test_each_row_is_there_once_after_six_kills(tmp_path: Path) -> None:
    root, acked = tmp_path / "log", tmp_path / "acked"
    acked.write_text("0")
    for number in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", script(LOOP), str(root), str(acked)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"started\n"
        enough = rows(root).num_rows + 5 * (number % 7)
        wait_until(lambda enough=enough: rows(root).num_rows > enough)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert set(entries(root).values()) == {1}  # whatever is visible is whole, and there once
    subprocess.run([sys.executable, "-c", script(ENDED), str(root), str(acked)], check=True)
    found = entries(root)
    assert set(found.values()) == {1}
    assert set(found) == {f"{1_770_000_000_000 + n}-0" for n in range(len(found))}
    assert len(found) >= int(acked.read_text()) * 5
    for dataset in ("anomalies", "inspections", "labels", "status"):
        assert entries(root, dataset) == found
    assert any(b"nozzlewatch_replaces" in (pq.read_schema(path).metadata or {}) for path in files(root))
