"""Variants are compared at the same false alarms, kind by kind."""

from __future__ import annotations

import numpy as np
import pytest

from bench.senses import Reach, Told, rows, told


@pytest.mark.parametrize(("share", "falsely"), [(0.0, 0), (0.1, 1), (0.25, 2)])
def test_a_threshold_lets_no_more_prints_be_reached_falsely_than_asked_for(
    share: float, falsely: int
) -> None:
    reach = Reach(np.arange(10) / 10, np.ones(10))
    assert told(reach, reach.threshold(share)).falsely.sum() == falsely


def test_a_tie_is_decided_against_an_alarm() -> None:
    reach = Reach(np.array([0.5, 0.5, 0.5, 0.1]), np.array([0.5, 0.6, 0.0, 0.0]))
    found = told(reach, reach.threshold(0.25))
    assert not found.falsely.any()
    assert found.found.tolist() == [False, True, False, False]


def test_kinds_are_told_one_by_one_and_filament_together() -> None:
    kinds = ["no_extrusion"] * 4 + ["under_extrusion"] * 4 + [None] * 2
    falsely = np.array([False] * 9 + [True])
    whole = Told(falsely, np.array([True] * 4 + [True, False, False, False] + [False] * 2))
    other = Told(~falsely, np.zeros(10, np.bool_))
    table = list(rows(kinds, {"both senses": whole, "vision alone": other}))
    cells = {line.split("|")[1].strip(): line.split("|")[2:] for line in table if line.startswith("|")}
    assert [cell.strip() for cell in cells["reached falsely"][:2]] == ["10.0%", "90.0%"]
    assert cells["no_extrusion (4)"][0].strip().startswith("100% [")
    assert cells["no_extrusion (4)"][1].strip() == "0% [0%, 49%]; +100 [+100, +100]"
    assert cells["under- and no-extrusion (8)"][0].strip().startswith("62% [")
    assert "stringing" not in "".join(cells)
