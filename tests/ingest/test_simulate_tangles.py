"""What finds no hold: strands, messes, parts that come off."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ingest.simulate.faults import FaultKind
from ingest.simulate.mishaps.detachment import Detachment, Fate
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.strands import MOST_IN_ALL, MOST_STRANDS, Strands
from tests.ingest.mishaps import (
    CENTRES_MM,
    COLUMNS,
    ONSET_S,
    SIDE_MM,
    fault,
    lines,
    lying,
    printer,
    towers,
)


def test_strands_begin_at_the_nozzles_path_and_grow_strand_by_strand() -> None:
    failing = printer(fault(FaultKind.SPAGHETTI, seed=1))
    counts = []
    for at_s in (ONSET_S + 3.0, 30.0, 60.0, 120.0):
        strands = failing.moment_at(at_s).strands
        counts.append(len(strands))
    assert counts[0] <= 6
    assert all(later > earlier for earlier, later in pairwise(counts))
    first = lying(failing.moment_at(120.0))[0].points
    half_mm = SIDE_MM / 2
    off_mm = [np.abs(first[0, :2] - centre).max() - half_mm for centre in CENTRES_MM]
    assert min(abs(off) for off in off_mm) < 0.1
    steps_mm = np.concatenate(
        [np.linalg.norm(np.diff(s.points, axis=0), axis=1) for s in lying(failing.moment_at(121.0))]
    )
    assert np.median(steps_mm) < 3.0, "a thread has no jumps"
    assert all((s.points[:, 2] >= 0.0).all() for s in lying(failing.moment_at(122.0)))


@pytest.mark.parametrize("seed", range(3))
def test_as_much_thread_lies_as_came_out_of_the_nozzle(seed: int) -> None:
    failing = printer(fault(FaultKind.SPAGHETTI, seed=seed))
    moment = failing.moment_at(ONSET_S + 150.0)
    asked_mm3 = 150.0 * failing.printer.path.mean_filament_mm_s * 2.405
    laid = lines(moment)
    since = laid["layer"] >= 60
    lengths_mm = np.linalg.norm(laid["end"] - laid["begin"], axis=1)
    laid_mm3 = float((laid["area_mm2"] * lengths_mm)[since].sum())
    threads_mm3 = sum(
        np.pi * s.radius_mm**2 * float(np.linalg.norm(np.diff(s.points, axis=0), axis=1).sum())
        for s in moment.strands
    )
    came_loose_mm3 = asked_mm3 - laid_mm3
    assert 0.7 * came_loose_mm3 < threads_mm3 < 1.3 * came_loose_mm3


def test_a_mess_grows_wider_than_the_part_within_minutes() -> None:
    widths_mm = []
    for seed in range(4):
        strands = lying(printer(fault(FaultKind.SPAGHETTI, seed=seed)).moment_at(ONSET_S + 180.0))
        points = np.concatenate([strand.points for strand in strands])
        low, high = np.percentile(points[:, :2], (5, 95), axis=0)
        widths_mm.append(float((high - low).max()))
    assert np.median(widths_mm) > 2.0 * SIDE_MM


def test_a_mess_ends_growing_before_it_costs_too_much() -> None:
    strands = Strands()
    for _ in range(4 * MOST_STRANDS):
        strands.add(np.zeros((30, 3)), 0.2)
    assert strands.full
    assert len(strands.lying) <= MOST_STRANDS
    assert sum(len(strand.points) for strand in strands.lying) <= MOST_IN_ALL + 30


def test_spaghetti_lays_less_than_the_job_asks() -> None:
    failing, sound = printer(fault(FaultKind.SPAGHETTI)), printer()
    counts = [len(lines(one.moment_at(90.0))["layer"]) for one in (failing, sound)]
    assert counts[0] < counts[1]


@pytest.mark.parametrize("seed", range(6))
def test_a_part_that_comes_off_leaves_the_others_as_they_are(seed: int) -> None:
    failing, sound = printer(fault(FaultKind.DETACHMENT, part=1, seed=seed)), printer()
    at_s = ONSET_S + 120.0
    moment, normal = failing.moment_at(at_s), sound.moment_at(at_s)
    assert set(moment.poses) == {1}
    assert np.abs(moment.poses[1] - np.eye(4)).max() > 0.02
    assert len(lying(moment)) > 3
    there, usual = lines(moment), lines(normal)
    for column in COLUMNS:
        assert np.array_equal(there[column][there["part"] == 0], usual[column][usual["part"] == 0])
    assert (there["part"] == 1).sum() < (usual["part"] == 1).sum()


def fate_of(seed: int) -> Fate:
    return Detachment(fault(FaultKind.DETACHMENT, seed=seed), towers()).fate


def seed_for(fate: Fate) -> int:
    return next(seed for seed in range(100) if fate_of(seed) is fate)


def test_parts_that_come_off_differ_in_their_fate() -> None:
    assert {fate_of(seed) for seed in range(40)} == set(Fate)


def test_a_part_that_fell_over_lies_on_the_bed() -> None:
    path = towers()
    falls = fault(FaultKind.DETACHMENT, part=0, seed=seed_for(Fate.TIPPED))
    tall = SimulatedPrinter("p", 1, [falls], path=path, begin_s=path.layer_begin_s(200))
    moment = tall.moment_at(120.0)
    pose, own = moment.poses[0], moment.deposit.part == 0
    ends = moment.deposit.end[own] @ pose[:3, :3].T + pose[:3, 3]
    assert ends[:, 2].min() > -0.5
    assert ends[:, 2].max() < SIDE_MM * 1.5 < moment.deposit.end[own][:, 2].max()


def test_a_part_that_sticks_to_the_nozzle_goes_with_it_and_drops() -> None:
    taken = printer(fault(FaultKind.DETACHMENT, seed=seed_for(Fate.TAKEN)))
    moments = [taken.moment_at(at_s) for at_s in np.arange(10.0, 130.0, 0.2).tolist()]
    x_mm = np.array([float(m.poses[0][0, 3]) if m.poses else 0.0 for m in moments])
    nozzle_mm = np.array([m.nozzle.x_mm for m in moments])
    held = (np.abs(np.diff(x_mm)) > 1.0) & (np.abs(np.diff(x_mm) - np.diff(nozzle_mm)) < 1e-3)
    assert held.sum() > 10
    assert not held[-50:].any()


def test_a_part_that_is_moved_is_only_turned_and_shifted() -> None:
    failing = printer(fault(FaultKind.DETACHMENT, seed=2))
    pose = failing.moment_at(100.0).poses[0].astype(np.float64)
    assert pose[:3, :3] @ pose[:3, :3].T == pytest.approx(np.eye(3), abs=1e-5)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0, abs=1e-5)
