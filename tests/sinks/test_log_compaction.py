"""Small files become large ones, and whoever reads meanwhile sees each row once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sinks import log_compaction, log_place
from sinks.errors import SinkError
from sinks.log_compaction import Merge, merge, plan_merges
from sinks.log_folder import LogFile, open_folder
from sinks.log_settings import Retention
from sinks.log_upkeep import KeptLog, Upkeep
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_scores
from tests.sinks.logs import (
    DAY,
    DAY_S,
    NEXT_DAY,
    NOON_NS,
    footer,
    ids,
    parquet,
    place_of,
    seen_by_others,
    written,
)
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
Make = Callable[..., Any]


def a_file(size: int, n: int = 0, day: str = DAY) -> LogFile:
    return LogFile(f"scores/date={day}/3_{n}-0_{n}-0.parquet", size)


def merged(root: Path, dataset: str = "scores") -> LogFile:
    """Merge a dataset's only day."""
    place = place_of(root)
    try:
        return merge(place, Merge(dataset, tuple(place.folder.files(dataset))))
    finally:
        place.close()


@pytest.fixture(name="log")
def _log(tmp_path: Path, scores: Make, anomaly: Make, delivered: Make) -> Path:
    """Twelve files of scores of two printers over two shards, and as many of anomalies."""
    rows = [
        [delivered(scores(n, printer=("voron-2", "mk4")[n % 2]), n, shard=n % 2), delivered(anomaly(n), n)]
        for n in range(12)
    ]
    written(tmp_path, rows)
    return tmp_path


def test_a_merge_leaves_one_file_with_every_row_sorted_and_the_ranges_of_all(log: Path) -> None:
    before = read_scores(log)
    merged(log)
    (path,) = parquet(log)
    found = pq.ParquetFile(path).read()
    assert found.column("printer").to_pylist() == ["mk4"] * 6 + ["voron-2"] * 6
    assert found.column("index").to_pylist() == [
        NOON_NS // 10**9 + n for n in (*range(1, 12, 2), *range(0, 12, 2))
    ]
    assert read_scores(log).equals(before)
    assert seen_by_others(log) == ids(range(12))
    streams = footer(path)[b"nozzlewatch_streams"]
    assert streams == (
        b'{"nw:scores:{0}": ["1770000000000-0", "1770000000010-0"], '
        b'"nw:scores:{1}": ["1770000000001-0", "1770000000011-0"]}'
    )


def test_recover_is_as_exact_after_a_merge_as_before(
    log: Path, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged(log)
    merged(log, "anomalies")
    monkeypatch.setattr("sinks.parquet_keys.GROUPS_KEPT", 0)  # by entry ids alone
    writer = ParquetLog(log)
    asked = [delivered(scores(n), n, shard=shard) for n in range(14) for shard in (0, 1)]
    held = writer.recover(asked)
    assert held == {(f"nw:scores:{{{n % 2}}}", f"{1_770_000_000_000 + n}-0") for n in range(12)}
    writer.close()


def test_rows_of_many_printers_are_merged_a_few_printers_at_a_time(
    tmp_path: Path, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [delivered(scores(n, printer=f"p{n % 7}"), n) for n in range(70)]
    written(tmp_path, [rows[:30], rows[30:50], rows[50:]])
    monkeypatch.setattr(log_compaction, "MERGE_ROWS", 25)
    held: list[int] = []
    shares = log_compaction._sorted_rows

    def noted(*asked: Any) -> Any:
        for table in shares(*asked):
            held.append(table.num_rows)
            yield table

    monkeypatch.setattr(log_compaction, "_sorted_rows", noted)
    merged(tmp_path)
    assert held == [20, 20, 20, 10]
    (path,) = parquet(tmp_path)
    names = pq.ParquetFile(path).read().column("printer").to_pylist()
    assert names == sorted(names)
    assert seen_by_others(tmp_path) == ids(range(70))


def test_old_versions_and_files_without_a_column_are_merged_as_the_newest(log: Path) -> None:
    path = parquet(log, "anomalies")[0]
    table = pq.ParquetFile(path).read().drop_columns(["pictures", "text"])
    pq.write_table(table.replace_schema_metadata({}), path)
    merged(log, "anomalies")
    (path,) = parquet(log, "anomalies")
    assert pq.read_table(path).column("pictures").null_count == 0
    assert pq.read_table(path).column("text").null_count == 1


def test_a_closed_day_is_merged_whole_and_the_day_that_is_written_when_there_are_many() -> None:
    closed = [a_file(1_000, n) for n in range(3)]
    (wanted,) = plan_merges("scores", closed, NEXT_DAY, left_alone=0)
    assert set(wanted.files) == set(closed)
    assert plan_merges("scores", closed, DAY, left_alone=0) == []
    many = [a_file(1_000, n) for n in range(log_compaction.MANY)] + [a_file(5 << 20, 99)]
    (wanted,) = plan_merges("scores", many, DAY, left_alone=0)
    assert set(wanted.files) == set(many[:-1])


def test_the_newest_files_are_left_for_who_looks_for_what_is_pending() -> None:
    found = [a_file(1_000, n) for n in range(6)]
    (wanted,) = plan_merges("scores", found, NEXT_DAY, left_alone=4)
    assert set(wanted.files) == set(found[:2])


def test_a_merged_day_is_not_written_anew_for_a_late_row() -> None:
    large = a_file(500 << 20, 1)
    assert plan_merges("scores", [large, a_file(1_000, 2)], NEXT_DAY, left_alone=0) == []
    (wanted,) = plan_merges(
        "scores", [large, a_file(30 << 20, 2), a_file(30 << 20, 3)], NEXT_DAY, left_alone=0
    )
    assert len(wanted.files) == 3
    assert plan_merges("scores", [large], NEXT_DAY, left_alone=0) == []


def test_a_merge_waits_for_room(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_place.LocalPlace, "free_bytes", lambda _: 1_000)
    with pytest.raises(SinkError, match="make room"):
        merged(log)
    assert len(parquet(log)) == 12


def test_where_nothing_can_be_exchanged_a_killed_merge_is_finished_and_doubles_nothing_meanwhile(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_place, "_swap", lambda *_: False)
    monkeypatch.setattr(log_place.LocalPlace, "remove", lambda *_: None)  # killed before anything is removed
    merged(log)
    monkeypatch.undo()
    assert set(seen_by_others(log).values()) == {2}  # what plain readers see until then
    assert read_scores(log).num_rows == 12
    ParquetLog(log).close()
    assert seen_by_others(log) == ids(range(12))
    assert len(parquet(log)) == 1


def test_where_nothing_can_be_exchanged_a_merge_ends_with_one_file_all_the_same(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_place, "_swap", lambda *_: False)
    merged(log)
    assert (len(parquet(log)), seen_by_others(log)) == (1, ids(range(12)))


KILLED = """
import os, sys
sys.path[:0] = [{root!r}]
from pathlib import Path
from sinks import log_place
from sinks.log_compaction import Merge, finish_merges, merge
from sinks.log_place import open_place
left = int(sys.argv[2])
def counted(call):
    def dying(*asked, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)
        return call(*asked, **named)
    return dying
if sys.argv[3] == "plain":
    log_place._swap = lambda *_: False
for name in ("fsync", "replace", "unlink", "link", "mkdir", "rmdir", "open"):
    setattr(os, name, counted(getattr(os, name)))
log_place._swap = counted(log_place._swap)
place = open_place(Path(sys.argv[1]))
finish_merges(place)
merge(place, Merge("scores", tuple(place.folder.files("scores"))))
print("merged", flush=True)
"""
"""A merge that dies before its n-th call that changes something."""


@pytest.mark.parametrize("how", ["exchanged", "plain"])
def test_a_merge_killed_before_any_of_its_steps_leaves_each_row_once(log: Path, how: str) -> None:
    script = KILLED.replace("{root!r}", repr(str(ROOT)))
    steps, ended = 0, b""
    while ended != b"merged\n":
        steps += 4 if how == "exchanged" else 3
        command = [sys.executable, "-c", script, str(log), str(steps), how]
        ended = subprocess.run(command, capture_output=True, check=False).stdout
        assert read_scores(log).num_rows == 12
        if how == "exchanged":
            assert seen_by_others(log) == ids(range(12))
    assert steps > 8
    ParquetLog(log).close()
    assert (len(parquet(log)), seen_by_others(log)) == (1, ids(range(12)))
    assert list((log / ".writing").iterdir()) == []


def test_the_upkeep_merges_beside_a_writer_and_nobody_ever_sees_a_row_twice(
    tmp_path: Path, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_compaction, "MANY", 4)
    monkeypatch.setattr("sinks.log_upkeep.day_of", lambda _: DAY)
    log = KeptLog(ParquetLog(tmp_path), Retention(scores_days=0), every_s=0.01)
    stop, wrong = threading.Event(), list[object]()

    def look() -> None:
        while not stop.is_set():
            least = lower[0]
            rows = read_scores(tmp_path).column("entry_id").to_pylist() if parquet(tmp_path) else []
            if len(set(rows)) != len(rows) or len(rows) < least:
                wrong.append(rows)

    lower = [0]
    reader = threading.Thread(target=look)
    reader.start()
    for n in range(60):
        log.take([delivered(scores(n), n)])
        log.flush()
        lower[0] = n - 1
    wait_until(lambda: len(parquet(tmp_path)) < 12)
    stop.set()
    reader.join()
    log.close()
    assert wrong == []
    assert seen_by_others(tmp_path) == ids(range(60))


def test_days_that_are_over_are_merged_by_the_upkeep(tmp_path: Path, scores: Make, delivered: Make) -> None:
    written(tmp_path, [[delivered(scores(n + d * DAY_S), n + 10 * d)] for d in range(3) for n in range(6)])
    place = place_of(tmp_path)
    upkeep = Upkeep(place, Retention())
    assert upkeep.merge_all(NOON_NS + 2 * DAY_S * 10**9, threading.Event()) == 2
    place.close()
    days = [path.parent.name for path in parquet(tmp_path)]
    assert [days.count(f"date=2026-02-0{d}") for d in (3, 4, 5)] == [1, 1, 6]
    assert read_scores(tmp_path).num_rows == 18


def test_other_files_of_the_folder_stay_where_they_are(log: Path) -> None:
    day = parquet(log)[0].parent
    (day / "notes.txt").write_text("mine")
    merged(log)
    assert (day / "notes.txt").read_text() == "mine"
    assert len(parquet(log)) == 1


def test_an_empty_folder_has_nothing_to_merge(tmp_path: Path) -> None:
    ParquetLog(tmp_path).close()
    assert open_folder(tmp_path).files("scores") == []
    assert plan_merges("scores", [], DAY) == []


def test_a_merge_that_failed_half_way_is_finished_before_the_next_one(
    tmp_path: Path, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, [[delivered(scores(n), n)] for n in range(12)])
    monkeypatch.setattr(log_place, "_swap", lambda *_: False)
    place = place_of(tmp_path)
    upkeep, remove = Upkeep(place, Retention()), place.remove
    monkeypatch.setattr(place, "remove", lambda paths: remove(paths[:3]) or fail())
    with pytest.raises(OSError, match="away"):
        upkeep.merge_all(NOON_NS + DAY_S * 10**9, threading.Event())
    monkeypatch.setattr(place, "remove", remove)
    upkeep.merge_all(NOON_NS + DAY_S * 10**9, threading.Event())
    place.close()
    assert seen_by_others(tmp_path) == ids(range(12))


def fail() -> None:
    raise OSError("the disk is away")
