"""``python -m bench.sinks_log [--rows N] [--anomalies N]``: the Parquet log killed again and again.

A child process feeds a log that has its upkeep beside it: score rows of whole printer-days and revisions of
anomalies, in batches as a stream delivers them. It acknowledges what is flushed, is killed at random moments,
and its successor gets again what was not acknowledged, and some rows a second time under new entry ids, as a
detector tells them that starts anew. Then every row is counted. No stream lies before the log here: reading
ten million entries out of Redis takes longer than writing them (the streams' part is in ``tests/sinks``).
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import numpy as np
from rich.console import Console

from bench.__main__ import _before, _write, table
from bench.figure import Figure
from bench.machine import ROOT, origin
from detector.anomaly import Anomaly, Evidence, Kind, Scores, State
from ingest.records import NS_PER_S, FrameRef
from sinks.log_settings import Retention
from sinks.log_upkeep import KeptLog, Upkeep
from sinks.parquet_log import ParquetLog
from sinks.parquet_schema import DAY_NS, DAY_S, day_of
from sinks.sink import Delivered, Told

ROWS, ANOMALIES, KILLS = 10_000_000, 100_000, 20
BATCH_ROWS, BEAT_S = 3_000, 5
FLUSH_BATCHES = 7  # about the 20,000 rows of flush_rows
TOLD_AGAIN = 40  # batches before the end whose rows a new detector tells again
SHARDS = 4
NETWORK_KINDS = tuple(Kind)[:11]
QUERIES = 15


class Load(NamedTuple):
    """What is fed: ``printers`` days of scores, and anomalies spread over them."""

    day_ns: int  # midnight
    printers: int
    anomalies: int

    @property
    def step_s(self) -> int:
        """Seconds of a batch."""
        return max(BEAT_S, BATCH_ROWS // self.printers // BEAT_S * BEAT_S)

    @property
    def batches(self) -> int:
        return -(-DAY_S // self.step_s)


class Progress(msgspec.Struct):
    """What the child leaves for its successor."""

    acknowledged: int = 0  # batches
    rows: int = 0
    writing_s: float = 0.0  # in take and flush


def batch(load: Load, number: int, told: int = 0) -> list[Delivered[Told]]:
    """The n-th batch, always the same; ``told`` > 0 is the same rows under other entry ids."""
    draw = np.random.default_rng(number)
    first = number * load.step_s
    seconds = range(first, min(first + load.step_s, DAY_S))
    rows: list[Delivered[Told]] = []
    for printer in range(load.printers):
        name, stream = f"printer-{printer:03d}", f"nw:scores:{{{printer % SHARDS}}}"
        beats = draw.beta(1.2, 60.0, (-(-len(seconds) // BEAT_S), len(NETWORK_KINDS))).tolist()
        odd = draw.normal(1.0, 1.0, len(seconds)).tolist()
        lag_ns = draw.integers(0, NS_PER_S, len(seconds)).tolist()
        judged = [dict(zip(NETWORK_KINDS, beat, strict=True)) for beat in beats]
        for place, second in enumerate(seconds):
            start_ns = load.day_ns + second * NS_PER_S
            frame = FrameRef(camera="top", captured_ns=start_ns + lag_ns[place], width=1280, height=720)
            scores = Scores(
                printer=name, job="benchy.gcode", index=start_ns // NS_PER_S, span_ns=NS_PER_S,
                probabilities=judged[place // BEAT_S], novelty=odd[place], frame=frame, frame_lost=False,
                marks=0, model="watch 1",
            )  # fmt: skip
            entry = f"{(start_ns + lag_ns[place]) // 1_000_000 + 1_500}-{printer * 10 + told}"
            rows.append(Delivered(stream, entry, scores))
    share = range(number * load.anomalies // load.batches, (number + 1) * load.anomalies // load.batches)
    return rows + [_anomaly(load, n, load.day_ns + first * NS_PER_S, told) for n in share]


def _anomaly(load: Load, number: int, at_ns: int, told: int) -> Delivered[Told]:
    """Every third revision is the last one of its anomaly."""
    printer, revision = number // 3 % load.printers, number % 3 + 1
    anomaly = Anomaly(
        id=f"{number // 3:016x}", printer=f"printer-{printer:03d}", job="benchy.gcode", kind=Kind.SPAGHETTI,
        state=tuple(State)[revision - 1], revision=revision, severity=0.9, score=0.8, onset_ns=at_ns,
        detected_ns=at_ns, at_ns=at_ns, text="threads in the air", evidence=Evidence(channels={"e_mm": 1.0}),
        model="watch 1",
    )  # fmt: skip
    return Delivered(
        f"nw:anomalies:{{{printer % SHARDS}}}", f"{at_ns // 1_000_000}-{number * 10 + told}", anomaly
    )


def feed(root: Path, state: Path, load: Load) -> None:
    """The child: go on after what is acknowledged, until everything is."""
    done = msgspec.json.decode(state.read_bytes(), type=Progress) if state.exists() else Progress()
    log = KeptLog(ParquetLog(root), Retention(), every_s=2.0)
    number = done.acknowledged
    again = [batch(load, n, told=1) for n in range(max(0, number - TOLD_AGAIN), number)] if number else []
    for one in again:
        log.take(one)
    pending = [batch(load, n) for n in range(number, min(number + FLUSH_BATCHES, load.batches))]
    held = [log.recover(one) for one in pending]
    for one, durable in zip(pending, held, strict=True):
        log.take([row for row in one if (row.stream, row.entry_id) not in durable])
    number += len(pending)
    log.flush()
    while True:
        done.acknowledged = number
        _acknowledge(state, done)
        if number >= load.batches:
            break
        ahead = [batch(load, n) for n in range(number, min(number + FLUSH_BATCHES, load.batches))]
        began_s = time.perf_counter()
        for one in ahead:
            log.take(one)
        log.flush()
        done.writing_s += time.perf_counter() - began_s
        done.rows += sum(map(len, ahead))
        number += len(ahead)
    log.close()


def _acknowledge(state: Path, done: Progress) -> None:
    part = state.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(done))
    part.replace(state)


def killed(root: Path, state: Path, load: Load, kills: int) -> int:
    """Feed a log through so many kills at random moments; returns how many there were."""
    draw, number = random.Random(8), 0
    moments = sorted(draw.uniform(0.0, load.batches * 0.97) for _ in range(kills))
    command = [sys.executable, "-m", "bench.sinks_log", "--child", str(root), str(state), *map(str, load)]
    for moment in [*moments, None]:
        child = subprocess.Popen(command, cwd=ROOT)
        while child.poll() is None and (moment is None or _acknowledged(state) < moment):
            time.sleep(0.05)
        time.sleep(draw.uniform(0.0, 2.0) if moment is not None else 0.0)
        if child.poll() is None and moment is not None:
            child.kill()
            number += 1
        if child.wait() > 0:
            raise RuntimeError(f"the child ended with {child.returncode}")
    return number


def _acknowledged(state: Path) -> int:
    return msgspec.json.decode(state.read_bytes(), type=Progress).acknowledged if state.exists() else 0


def lost_and_doubled(root: Path, load: Load) -> tuple[int, int]:
    """Rows that are missing, and rows too many, of both datasets."""
    each = _rows_of(
        "SELECT count(*), count(DISTINCT index) FILTER (index BETWEEN $first AND $last) "
        f"FROM read_parquet('{root}/scores/*/*.parquet') GROUP BY printer",
        {"first": load.day_ns // NS_PER_S, "last": load.day_ns // NS_PER_S + DAY_S - 1},
    )
    told = _rows_of(
        f"SELECT count(*), count(DISTINCT (id, revision)) FROM read_parquet('{root}/anomalies/*/*.parquet')"
    )
    rows, distinct = (sum(column) for column in zip(*each, *told, strict=True))
    return load.printers * DAY_S + load.anomalies - distinct, rows - distinct


def _rows_of(query: str, params: dict[str, int] | None = None) -> list[Any]:
    with duckdb.connect() as base:
        return base.execute(query, params or {}).fetchall()


def query_ms(source: str, load: Load) -> float:
    """Median time of DuckDB for all columns of one printer's day."""
    times = []
    with duckdb.connect() as base:
        for turn in range(QUERIES):
            name = f"printer-{turn * 7 % load.printers:03d}"
            began_s = time.perf_counter()
            found = base.sql(
                f"SELECT * FROM read_parquet('{source}') WHERE date = $day AND printer = $name",
                params={"day": day_of(load.day_ns), "name": name},
            ).to_arrow_table()
            times.append((time.perf_counter() - began_s) * 1000)
            if found.num_rows != DAY_S:
                raise RuntimeError(f"{name}: found {found.num_rows} rows, expected {DAY_S}")
    return statistics.median(times)


def measure(
    rows: int = ROWS, anomalies: int = ANOMALIES, kills: int = KILLS, console: Console | None = None
) -> Iterator[Figure]:
    """Figures of a log that was killed again and again."""
    today_ns = time.time_ns() // DAY_NS * DAY_NS
    load = Load(today_ns, max(1, round(rows / DAY_S)), anomalies)
    say = (console or Console(quiet=True)).print
    folder = Path(tempfile.mkdtemp(prefix="nozzlewatch-"))
    try:
        root, state = folder / "log", folder / "state"
        say(f"the log: {load.printers * DAY_S} rows and {anomalies} anomalies, {kills} kills ...")
        began_s = time.perf_counter()
        number = killed(root, state, load, kills)
        say(f"killed {number} times; fed in {time.perf_counter() - began_s:.0f} s; merging the day ...")
        source = f"{root}/scores/*/*.parquet"
        files = len(list(root.glob("scores/*/*.parquet")))
        open_ms = query_ms(source, load)
        began_s = time.perf_counter()
        _merge(root)
        say(f"merged {files} files in {time.perf_counter() - began_s:.0f} s; counting ...")
        lost, doubled = lost_and_doubled(root, load)
        done = msgspec.json.decode(state.read_bytes(), type=Progress)
        size = sum(path.stat().st_size for path in root.glob("scores/*/*.parquet"))
        yield Figure("kill_lost", lost, "rows")
        yield Figure("kill_doubled", doubled, "rows")
        yield Figure("kills", number, "SIGKILLs")
        yield Figure("rows_per_second", done.rows / done.writing_s, "rows/s")
        yield Figure("bytes_per_row", size / (load.printers * DAY_S), "bytes")
        yield Figure("query_day_ms", query_ms(source, load), "ms", "before the day is merged", open_ms)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _merge(root: Path) -> None:
    """What the upkeep does with a day that is over."""
    log = ParquetLog(root)
    Upkeep(log.place, Retention()).merge_all(time.time_ns() + DAY_NS, threading.Event())
    log.close()


def results(figures: Sequence[Figure]) -> dict[str, float]:
    """The figures as programs read them."""
    return {one.name: round(one.value, 3) for one in figures}


def main() -> None:
    """Measure, print, and add the figures to ``bench/results.json``."""
    parser = argparse.ArgumentParser(prog="bench.sinks_log")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--anomalies", type=int)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        root, state, *load = asked.child
        feed(Path(root), Path(state), Load(*map(int, load)))
        return
    console = Console()
    anomalies = asked.anomalies if asked.anomalies is not None else asked.rows // (ROWS // ANOMALIES)
    figures = list(measure(asked.rows, anomalies, asked.kills, console))
    console.print(table(figures))
    before = _before()
    sinks = before.get("sinks")
    told = (sinks if isinstance(sinks, dict) else {}) | results(figures)
    command = f"python -m bench.sinks_log --rows {asked.rows}"
    _write({**before, **origin(command), "sinks": {**told, "rows": asked.rows, "anomalies": anomalies}})


if __name__ == "__main__":
    main()
