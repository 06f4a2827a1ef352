"""Visible faults: what each changes on the bed, that nothing changes before, and that seeds decide."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.mishaps import MISHAPS
from ingest.simulate.mishaps.detachment import Fate, fate_of
from ingest.simulate.mishaps.natural import CURL_RADIUS_MM
from ingest.simulate.moment import Moment, Strand
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.strands import MOST_IN_ALL, MOST_STRANDS, Strands
from ingest.simulate.toolpath import E_PER_MM, Feature, Toolpath, square_rings

ONSET_S = 6.0
CENTRES_MM = ((70.0, 110.0), (150.0, 110.0))
SIDE_MM, LAYER_MM, PRINT_MM_S, TRAVEL_MM_S = 16.0, 0.2, 40.0, 150.0
COLUMNS = ("begin", "end", "area_mm2", "layer", "part")


def towers(layers: int = 300) -> Toolpath:
    """Two towers, of which each layer is a ring: part 0 on the left, part 1 on the right."""
    corners, kinds = [], []
    for layer in range(layers):
        for part, (x_mm, y_mm) in enumerate(CENTRES_MM):
            for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)):
                half_mm = SIDE_MM / 2
                corners.append((x_mm + dx * half_mm, y_mm + dy * half_mm, (layer + 1) * LAYER_MM))
            kinds += [(layer, part, True)] * 4 + [(layer, part, False)]
    points = np.array(corners)
    layer, part, prints = (np.array(column) for column in zip(*kinds[:-1], strict=True))
    lengths_mm = np.linalg.norm(np.diff(points, axis=0), axis=1)
    times_s = np.concatenate([[0.0], np.cumsum(lengths_mm / np.where(prints, PRINT_MM_S, TRAVEL_MM_S))])
    return Toolpath(
        times_s,
        points,
        prints * PRINT_MM_S * E_PER_MM,
        layer.astype(np.int32),
        np.full(len(layer), Feature.OUTER_WALL, np.uint8),
        part.astype(np.uint8),
    )


def printer(*faults: Fault, seed: int = 1, path: Toolpath | None = None) -> SimulatedPrinter:
    path = towers() if path is None else path
    return SimulatedPrinter("p", seed, faults, path=path, begin_s=path.layer_begin_s(60))


def fault(kind: FaultKind, **how: float) -> Fault:
    return Fault(kind=kind, at_s=ONSET_S, **how)  # type: ignore[arg-type]


def lines(moment: Moment) -> dict[str, np.ndarray]:
    """The deposit as it is now: it goes on growing."""
    return {column: getattr(moment.deposit, column).copy() for column in COLUMNS}


def lying(moment: Moment) -> list[Strand]:
    return [strand for strand in moment.strands if not strand.on_nozzle]


def same(first: Moment, second: Moment) -> bool:
    one, other = lines(first), lines(second)
    return (
        all(np.array_equal(one[column], other[column]) for column in COLUMNS)
        and len(first.strands) == len(second.strands)
        and all(
            np.array_equal(a.points, b.points) for a, b in zip(first.strands, second.strands, strict=True)
        )
        and first.poses.keys() == second.poses.keys()
        and all(np.array_equal(first.poses[part], second.poses[part]) for part in first.poses)
        and first[:3] == second[:3]
        and first.warps_mm == second.warps_mm
    )


@pytest.mark.parametrize("kind", MISHAPS)
def test_nothing_changes_before_the_onset(kind: FaultKind) -> None:
    assert same(printer(fault(kind)).moment_at(ONSET_S - 0.2), printer().moment_at(ONSET_S - 0.2))


@pytest.mark.parametrize("kind", MISHAPS)
def test_each_mishap_shows_and_the_same_seed_gives_the_same_however_time_is_sliced(kind: FaultKind) -> None:
    how = fault(kind, seed=3)
    fine, coarse = printer(how), printer(how)
    for tick in range(1, 128):
        fine.moment_at(tick * 0.7)
    there = coarse.moment_at(90.0)
    assert same(fine.moment_at(90.0), there)
    assert not same(there, printer().moment_at(90.0))
    assert not same(there, printer(fault(kind, seed=4)).moment_at(90.0))


def test_lines_are_where_and_as_thick_as_the_job_says() -> None:
    path = towers()
    sound = printer(path=path)
    begin_s = path.layer_begin_s(60)
    laid = sound.moment_at(60.0).deposit
    e_mm = np.interp(begin_s + 60.0, path.times_s, path.e_mm)
    volume_mm3 = float((laid.area_mm2 * np.linalg.norm(laid.end - laid.begin, axis=1)).sum())
    assert volume_mm3 == pytest.approx(e_mm * 2.405, rel=0.01)
    assert laid.area_mm2[:100] == pytest.approx(0.45 * 0.3, rel=1e-4)
    assert (np.diff(laid.layer) >= 0).all()
    assert np.abs(np.abs(laid.begin[:, 0] - 110.0) - 40.0).max() == pytest.approx(SIDE_MM / 2)


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


def test_a_layer_shift_displaces_what_follows_by_exactly_the_shift() -> None:
    shifting, sound = printer(fault(FaultKind.LAYER_SHIFT, severity=0.05, seed=1)), printer()
    shifting.printer.plate.heap.solid[:] = 100.0  # whatever is laid finds hold
    at_s = ONSET_S + 20.0
    moment, normal = shifting.moment_at(at_s), sound.moment_at(at_s)
    shift_mm = shifting.printer.plate.axis_shift_mm
    assert 3.0 <= np.abs(shift_mm).max() <= 0.6 * SIDE_MM
    assert np.count_nonzero(shift_mm) == 1
    off_mm = lines(moment)["begin"] - lines(normal)["begin"]
    after = np.abs(off_mm).max(axis=1) > 1e-3
    first = int(np.argmax(after))
    assert after[first:].all()
    assert off_mm[first:] == pytest.approx(np.broadcast_to(shift_mm, off_mm[first:].shape), abs=1e-4)
    assert np.array(moment.nozzle[:3]) - normal.nozzle[:3] == pytest.approx(shift_mm, abs=1e-6)
    assert shifting.printer.position() == sound.printer.position(), "the firmware does not know"


def test_what_hangs_over_too_far_after_a_shift_falls() -> None:
    seeds = [fault(FaultKind.LAYER_SHIFT, severity=1.0, seed=seed) for seed in range(4)]
    assert any(len(lying(printer(one).moment_at(40.0))) > 3 for one in seeds)


def test_a_slipping_belt_drifts() -> None:
    slipping = printer(fault(FaultKind.BELT_SLIP, seed=1))
    shifts_mm = []
    for at_s in (30.0, 60.0, 120.0):
        slipping.advance_to(at_s)
        shifts_mm.append(float(np.abs(slipping.printer.plate.axis_shift_mm).max()))
    assert 0.0 < shifts_mm[0] < shifts_mm[1] < shifts_mm[2]


def test_a_spool_that_has_run_out_lays_nothing_and_takes_no_heat() -> None:
    empty = printer(fault(FaultKind.RUN_OUT))
    empty.advance_to(300.0)
    laid = empty.printer.deposit.count
    empty.advance_to(360.0)
    assert empty.printer.deposit.count == laid
    assert empty.printer.filament_mm_s == 0.0
    assert empty.printer.print_s > towers().layer_begin_s(60) + 350.0, "the head goes on"


def test_a_clogged_nozzle_lays_thin_lines_with_gaps() -> None:
    thin, sound = (one.moment_at(120.0).deposit for one in (printer(fault(FaultKind.CLOG)), printer()))
    late = thin.area_mm2[-200:]
    assert late.mean() < 0.7 * sound.area_mm2[-200:].mean()
    assert late.std() > 0.2 * late.mean()


def test_lines_above_missing_layers_fall() -> None:
    """A blockage that clears: what comes afterwards has nothing below it."""
    cleared = Fault(kind=FaultKind.FULL_CLOG, at_s=ONSET_S, until_s=120.0)
    strands = lying(printer(cleared).moment_at(150.0))
    assert len(strands) > 3
    assert not lying(printer(cleared).moment_at(115.0))


def test_a_gap_of_a_few_layers_closes_again() -> None:
    path = towers()
    begin_s, layer_s = path.layer_begin_s(60), path.layer_begin_s(61) - path.layer_begin_s(60)
    gap = Fault(kind=FaultKind.FULL_CLOG, at_s=ONSET_S, until_s=ONSET_S + 6 * layer_s)
    recovers = SimulatedPrinter("p", 1, [gap], path=path, begin_s=begin_s)
    recovers.advance_to(ONSET_S + 10 * layer_s)
    fallen = len(recovers.printer.plate.strands.lying)
    assert fallen >= 1
    recovers.advance_to(ONSET_S + 30 * layer_s)
    assert len(recovers.printer.plate.strands.lying) == fallen


def test_warped_corners_come_up_over_minutes() -> None:
    warping = printer(fault(FaultKind.WARPING, seed=1, growth_s=120.0))
    lifts_mm = [warping.moment_at(at_s).warps_mm.get(0, 0.0) for at_s in (5.0, 20.0, 60.0, 150.0)]
    assert lifts_mm[0] == 0.0
    assert 0.0 < lifts_mm[1] < lifts_mm[2] < lifts_mm[3]
    assert 1.0 <= lifts_mm[3] <= 8.0


def test_hairs_span_the_gap_between_parts() -> None:
    strands = lying(printer(fault(FaultKind.STRINGING)).moment_at(60.0))
    spans_mm = [float(np.ptp(strand.points[:, 0])) for strand in strands]
    assert len(strands) > 20
    assert max(spans_mm) > 60.0
    hairs = [strand for strand, span_mm in zip(strands, spans_mm, strict=True) if span_mm > 10.0]
    assert all(0.02 <= strand.radius_mm <= 0.25 for strand in hairs)
    weak = lying(printer(fault(FaultKind.STRINGING, severity=0.1)).moment_at(60.0))
    assert len(weak) < len(strands) / 2


def test_hairs_of_sound_prints_are_few_and_thin() -> None:
    counts = []
    for seed in range(12):
        strands = [s for s in lying(printer(seed=seed).moment_at(60.0)) if s.radius_mm != CURL_RADIUS_MM]
        counts.append(len(strands))
        assert all(strand.radius_mm <= 0.045 for strand in strands)
    assert max(counts) <= 20
    assert 0 in counts


def test_a_lump_grows_on_the_nozzle_and_leaves_bits() -> None:
    lumpy = printer(fault(FaultKind.BLOB, growth_s=60.0))
    sizes_mm = [lumpy.moment_at(at_s).nozzle_blob_mm for at_s in (5.0, 20.0, 100.0)]
    assert sizes_mm[0] == 0.0 < sizes_mm[1] < sizes_mm[2] <= 15.0
    assert any(strand.radius_mm > 0.3 for strand in lying(lumpy.moment_at(101.0)))


def test_a_starved_head_stands_again_and_again() -> None:
    starved = printer(fault(FaultKind.STARVATION))
    standing = 0
    for tick in range(500):
        moment = starved.moment_at(ONSET_S + 1.0 + tick * 0.2)
        standing += moment.velocity_mm_s == (0.0, 0.0, 0.0)
    assert 100 < standing < 450
    begin_s = towers().layer_begin_s(60)
    assert starved.printer.print_s < begin_s + starved.now_s - 0.2 * standing + 1.0


def test_camera_faults_are_in_the_view() -> None:
    moved, again = (printer(fault(FaultKind.CAMERA_MOVED, seed=5)).moment_at(20.0).view for _ in range(2))
    assert moved == again
    assert abs(moved.pan_deg) > 4.0
    assert printer(fault(FaultKind.CAMERA_BLACK)).moment_at(20.0).view.covered
    assert printer(fault(FaultKind.CAMERA_BLURRED)).moment_at(20.0).view.blur > 0.2
    assert not printer(fault(FaultKind.CAMERA_BLACK)).moment_at(5.0).view.covered


def test_a_job_ends() -> None:
    path = towers(12)
    done = SimulatedPrinter("p", 1, path=path, begin_s=path.layer_begin_s(8))
    done.advance_to(path.duration_s)
    body = done.printer
    assert not body.printing
    assert body.finished_s is not None
    assert body.stopped_s is None
    assert body.hotend.target_c == body.bed.target_c == body.fan == 0.0
    assert body.position()[:3] == pytest.approx(path.points[-1])
    assert not done.moment_at(path.duration_s + 1.0).hot


def test_a_job_that_is_held_stands_where_it_is_parked() -> None:
    held = printer()
    held.advance_to(5.0)
    body = held.printer
    body.hold, body.park = True, body.position()._replace(x_mm=5.0, z_mm=40.0)
    print_s, laid = body.print_s, body.deposit.count
    body.advance(10.0)
    assert body.position() == body.park
    assert (body.print_s, body.deposit.count) == (print_s, laid)


def test_streamed_moves_are_laid_too() -> None:
    idle = SimulatedPrinter("p", 1, start=Start.IDLE)
    idle.printer.hotend.settle(200.0)
    for line in ("M83", "G1 X50 Y50 Z0.2 F6000", "G1 X90 E2 F1200", "G1 Y80", "G1 X50 E2"):
        idle.receive(line, 0.4)
    laid = idle.moment_at(20.0).deposit
    assert laid.begin[0] == pytest.approx((50.0, 50.0, 0.2), abs=0.1)
    assert laid.end[-1] == pytest.approx((50.0, 80.0, 0.2), abs=1e-4)
    assert set(laid.feature.tolist()) == {Feature.OUTER_WALL}
    assert float((laid.area_mm2 * np.linalg.norm(laid.end - laid.begin, axis=1)).sum()) == pytest.approx(
        4 * 2.405, rel=0.03
    )


def test_plain_rings_begin_with_layers_behind_them() -> None:
    default = SimulatedPrinter("p", 1)
    assert default.printer.path.duration_s == square_rings().duration_s
    layers = np.unique(default.moment_at(0.4).deposit.layer)
    assert 31 <= len(layers) <= 32
