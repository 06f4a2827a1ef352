"""What was found out once is not sought again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from detector.printability.kept import Arrays, Kept


def seven() -> Arrays:
    return {"a": np.arange(7, dtype=np.float16), "none": np.zeros((0, 3))}


def nothing() -> Arrays:
    raise AssertionError("sought again")


@pytest.mark.parametrize("in_a_folder", [True, False])
def test_it_is_sought_once(in_a_folder: bool, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept" if in_a_folder else None)
    assert kept.of("x", seven)["a"].tolist() == kept.of("x", nothing)["a"].tolist() == list(range(7))
    assert kept.of("y", lambda: {"a": np.ones(1)})["a"].tolist() == [1]


def test_another_process_reads_it_as_it_was(tmp_path: Path) -> None:
    Kept(tmp_path).of("x", seven)
    again = Kept(tmp_path).of("x", nothing)
    assert {name: (own.dtype, own.shape) for name, own in again.items()} == {
        name: (own.dtype, own.shape) for name, own in seven().items()
    }


def test_threads_that_want_the_same_at_once_find_it_once(tmp_path: Path) -> None:
    kept, sought = Kept(tmp_path), []

    def slowly() -> Arrays:
        sought.append(1)
        time.sleep(0.1)
        return seven()

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(kept.of, "x", slowly) for _ in range(4)]
    assert [one.result()["a"].tolist() for one in found] == [list(range(7))] * 4
    assert len(sought) == 1


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Kept().of("x", seven)
    assert list(tmp_path.iterdir()) == []
