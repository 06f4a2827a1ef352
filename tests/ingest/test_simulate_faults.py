"""Visible faults: what each changes on the bed, that nothing changes before, and that seeds decide."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.mishaps import MISHAPS
from ingest.simulate.mishaps.natural import CURL_RADIUS_MM
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.toolpath import Feature, square_rings
from tests.ingest.mishaps import (
    ONSET_S,
    SIDE_MM,
    fault,
    lines,
    lying,
    printer,
    same,
    towers,
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
