"""What the log remembers of its rows: every row of a print, in a few numbers."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks import parquet_keys
from sinks.log_folder import open_folder
from sinks.parquet_keys import SeenKeys, key_of, read_keys
from sinks.parquet_log import ParquetLog
from tests.sinks.logs import DAY_S, ids, seen_by_others, written

Make = Callable[..., Any]


def key(number: int, group: str = "print") -> tuple[str, str, int]:
    return "scores", group, number


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4)), max_size=60))
def test_what_was_added_is_known_and_nothing_else(added: list[tuple[int, int]]) -> None:
    seen, truth = SeenKeys(stretches=1_000), set[int]()
    for number, count in added:
        seen.add(key(number), count)
        truth.update(range(number, number + count))
    assert {n for n in range(-1, 70) if key(n) in seen} == truth


def test_a_row_that_comes_late_into_a_gap_is_new_and_then_known() -> None:
    seen = SeenKeys()
    for number in (1, 2, 5, 6):
        seen.add(key(number))
    assert [key(n) in seen for n in range(8)] == [False, True, True, False, False, True, True, False]
    seen.add(key(3))
    seen.add(key(4))
    assert all(key(n) in seen for n in range(1, 7))


def test_of_too_many_gaps_the_oldest_are_forgotten_and_rows_are_never_taken_for_known() -> None:
    seen = SeenKeys(stretches=3)
    for number in range(0, 20, 2):
        seen.add(key(number))
    assert [n for n in range(20) if key(n) in seen] == [14, 16, 18]


def test_of_too_many_prints_the_one_that_was_idle_longest_is_forgotten() -> None:
    seen = SeenKeys(groups=2)
    seen.add(key(1, "a"))
    seen.add(key(1, "b"))
    seen.add(key(2, "a"))
    seen.add(key(1, "c"))
    assert (key(1, "a") in seen, key(1, "b") in seen, key(1, "c") in seen) == (True, False, True)


def test_a_day_of_300_printers_takes_less_than_a_megabyte() -> None:
    seen = SeenKeys()
    tracemalloc.start()
    for printer in range(300):
        name = f"printer-{printer}"
        for begin in range(0, DAY_S, 100):  # a redelivered row here and there, and nothing missing
            seen.add(key(begin, name), 100)
            seen.add(key(begin + 50, name))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert key(DAY_S - 1, "printer-299") in seen
    assert size < 1_000_000


def test_a_start_reads_back_what_was_written(
    tmp_path: Path, scores: Make, one_of_each: list[Any], delivered: Make
) -> None:
    rows = [scores(n, printer=p) for n in (*range(50), *range(60, 90)) for p in ("mk4", "voron-2")]
    random.Random(1).shuffle(rows)
    told = [delivered(one, n) for n, one in enumerate([*rows, *one_of_each[1:]])]
    written(tmp_path, [told])
    seen = SeenKeys()
    read_keys(open_folder(tmp_path), seen)
    assert all(key_of(one) in seen for one in told)
    assert key_of(delivered(scores(55), 0)) not in seen
    assert key_of(delivered(scores(90), 0)) not in seen


def test_a_start_reads_the_newest_files_and_no_more_than_it_wants(
    tmp_path: Path, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, [[delivered(scores(n), n)] for n in range(8)])
    monkeypatch.setattr(parquet_keys, "ROWS_READ", 3)
    seen = SeenKeys()
    read_keys(open_folder(tmp_path), seen)
    assert [n for n in range(8) if key_of(delivered(scores(n), 0)) in seen] == [5, 6, 7]


def test_whole_prints_told_again_are_no_second_rows(tmp_path: Path, scores: Make, delivered: Make) -> None:
    log = ParquetLog(tmp_path)
    rows = [scores(n, printer=f"p{p}") for n in range(400) for p in range(5)]
    for again in range(3):
        log.take([delivered(one, again * 10_000 + n) for n, one in enumerate(rows)])
        log.flush()
    log.close()
    assert seen_by_others(tmp_path) == ids(range(2_000))
