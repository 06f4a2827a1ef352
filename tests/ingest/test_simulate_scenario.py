"""What is drawn for a simulated print fits together: job, recording, faults, confounders."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cache

import numpy as np
import pytest

from ingest.records import NS_PER_S
from ingest.simulate.confounders import Confounder
from ingest.simulate.course import Course, draw_course, heating_s, suits
from ingest.simulate.faults import TRUTH, Fault, FaultKind
from ingest.simulate.onsets import (
    BLIND,
    LOW_MM,
    MECHANISMS,
    ONSET_SHARES,
    SEVERITY,
    draw_blindness,
    draw_fault,
    draw_kind,
    failure_kinds,
    ways_over_gaps,
)
from ingest.simulate.printer import Start
from ingest.simulate.prints import Print
from ingest.simulate.prints import begin_ns as begin_ns_of
from ingest.simulate.scenario import MOST_CONFOUNDERS, Scenario, Telling, draw, in_words
from ingest.simulate.spec import Board, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Order, Toolpath, square_rings

SECONDS = 900.0
RINGS = square_rings(120)
UNSEEN = {FaultKind.HEAT_CREEP, FaultKind.BELT_SLIP, FaultKind.SLIPPED_THERMISTOR}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def course(begin_s: float = 300.0, path: Toolpath = RINGS, first_s: float = 0.0) -> Course:
    start = Start.COLD if first_s else Start.PRINTING
    return Course(path, SECONDS, start, begin_s, first_s)


def without_travels() -> Toolpath:
    """The rings, as if the head never had to go anywhere without printing."""
    filament = np.full_like(RINGS.melted_mm_s, 1.0)
    return Toolpath(RINGS.times_s, RINGS.points, filament, RINGS.layer, RINGS.feature, RINGS.part)


@cache
def scenario(number: int, split: Split = Split.TRAIN, failing: float = 1.0) -> Scenario:
    return draw(7, split, number, failing=failing, size=(160, 120))


# Faults


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VAL])
def test_only_the_test_split_has_mechanisms_of_its_own(split: Split) -> None:
    drawn = {draw_kind(generator, split) for generator in [rng()] for _ in range(2000)}
    assert drawn == MECHANISMS.keys() - UNSEEN
    assert {draw_kind(generator, Split.TEST) for generator in [rng()] for _ in range(4000)} >= UNSEEN


def test_faults_come_as_often_as_their_weights_say() -> None:
    generator = rng(1)
    counts = Counter(draw_kind(generator, Split.TRAIN) for _ in range(4000))
    total = sum(m.weight for kind, m in MECHANISMS.items() if kind not in UNSEEN)
    for kind in (FaultKind.SPAGHETTI, FaultKind.DETACHMENT, FaultKind.RUN_OUT):
        assert counts[kind] / 4000 == pytest.approx(MECHANISMS[kind].weight / total, abs=0.02)


@pytest.mark.parametrize("kind", sorted(MECHANISMS.keys() - {FaultKind.STRINGING}))
def test_a_fault_begins_while_the_job_prints_and_leaves_time_to_show(kind: FaultKind) -> None:
    found = [draw_fault(rng(seed), Split.TRAIN, kind, course()) for seed in range(10)]
    faults = [fault for fault in found if fault is not None]
    assert faults
    for fault in faults:
        assert ONSET_SHARES[0] * SECONDS <= fault.at_s <= ONSET_SHARES[1] * SECONDS
        assert fault.at_s + MECHANISMS[kind].needs_s <= course().last_s
        assert SEVERITY[0] <= fault.severity <= SEVERITY[1]
        assert 0.0 <= fault.growth_s <= 300.0


def test_nothing_comes_off_the_bed_before_it_stands_on_it() -> None:
    least_mm = MECHANISMS[FaultKind.DETACHMENT].least_mm
    assert least_mm > 0.0
    for seed in range(20):
        cold = course(begin_s=0.0, first_s=200.0)
        fault = draw_fault(rng(seed), Split.TRAIN, FaultKind.DETACHMENT, cold)
        assert fault is None or cold.height_mm(fault.at_s) >= least_mm


def test_many_messes_begin_in_the_first_layers_where_a_recording_has_them() -> None:
    cold = course(begin_s=0.0, first_s=200.0)
    drawn = [draw_fault(rng(seed), Split.TRAIN, FaultKind.SPAGHETTI, cold) for seed in range(60)]
    heights_mm = np.array([cold.height_mm(fault.at_s) for fault in drawn if fault])
    assert 0.25 < np.mean(heights_mm <= LOW_MM) < 0.75


def test_what_warps_does_so_in_the_lower_half() -> None:
    late = course(begin_s=0.7 * RINGS.duration_s)
    assert draw_fault(rng(), Split.TRAIN, FaultKind.WARPING, late) is None


def test_a_job_without_travels_draws_no_hairs() -> None:
    assert draw_fault(rng(), Split.TRAIN, FaultKind.STRINGING, course(path=without_travels())) is None


def back_and_forth(gap_mm: float) -> Toolpath:
    """Lines along x, one after the other, between two places that are so far apart in y."""
    points: list[tuple[float, float, float]] = [(0.0, 0.0, 0.4)]
    prints: list[bool] = []
    for turn in range(400):
        y_mm = gap_mm * (turn % 2)
        points += [(0.0, y_mm, 0.4), (40.0, y_mm, 0.4)]
        prints += [False, True]
    count = len(prints)
    return Toolpath(
        np.arange(count + 1.0),
        np.array(points),
        np.where(prints, 1.0, 0.0),
        np.zeros(count, np.int32),
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint8),
    )


def test_only_ways_over_what_is_not_printed_count_as_gaps() -> None:
    over, along = (course(0.0, back_and_forth(gap_mm)) for gap_mm in (30.0, 0.0))
    assert ways_over_gaps(over, 100.0, 400.0) > 80
    assert ways_over_gaps(along, 100.0, 400.0) == 0


def test_a_cold_printer_does_not_fail_before_it_prints() -> None:
    for seed in range(20):
        fault = draw_fault(rng(seed), Split.TRAIN, FaultKind.CLOG, course(begin_s=0.0, first_s=400.0))
        assert fault is None or fault.at_s > 400.0


def test_test_faults_are_weaker() -> None:
    def mean(split: Split) -> float:
        drawn = (draw_fault(rng(seed), split, FaultKind.CLOG, course()) for seed in range(200))
        return float(np.mean([fault.severity for fault in drawn if fault is not None]))

    assert mean(Split.TEST) < mean(Split.TRAIN) - 0.05


def test_in_some_prints_the_watch_goes_blind() -> None:
    drawn = [fault for seed in range(1000) for fault in draw_blindness(rng(seed), SECONDS, by_lines=True)]
    assert 30 <= len(drawn) <= 100
    assert {fault.kind for fault in drawn} == BLIND.keys()
    assert any(fault.until_s == math.inf for fault in drawn)
    assert any(fault.until_s < SECONDS for fault in drawn)


# The course


def test_recordings_begin_cold_in_the_middle_and_near_the_end() -> None:
    generator = rng()
    drawn = [
        draw_course(generator, Split.TRAIN, RINGS, SECONDS, MachineSpec(), (215.0, 60.0), failing=False)
        for _ in range(600)
    ]
    cold = sum(one.start is Start.COLD for one in drawn) / 600
    ends = sum(one.last_s < SECONDS - 60.0 for one in drawn) / 600
    assert cold == pytest.approx(0.25, abs=0.06)
    assert 0.08 < ends < 0.35


def test_heating_takes_as_long_as_the_machine_needs() -> None:
    usual_s = heating_s(MachineSpec(), (215.0, 60.0))
    assert 150.0 < usual_s < 400.0
    assert heating_s(MachineSpec(), (260.0, 100.0)) > usual_s


def test_a_machine_without_the_power_for_a_job_does_not_print_it() -> None:
    weak = MachineSpec(bed_max_power=0.3)
    assert suits(MachineSpec(), (215.0, 60.0))
    assert not suits(weak, (215.0, 60.0))
    assert not suits(MachineSpec(hotend_max_power=0.4), (250.0, 60.0))
    assert all(suits(scenario(number).spec, scenario(number).job.targets_c) for number in range(3))


# The whole


def test_the_same_arguments_draw_the_same_print() -> None:
    again = draw(7, Split.TRAIN, 0, failing=1.0, size=(160, 120))
    assert in_words(again) == in_words(scenario(0))
    assert again.job.gcode == scenario(0).job.gcode


def test_another_number_and_another_split_draw_another_print() -> None:
    told = {in_words(one) for one in (scenario(0), scenario(1), scenario(0, Split.TEST))}
    assert len(told) == 3


def test_every_print_fails_or_none_as_asked() -> None:
    for number in range(3):
        assert any(fault.kind in MECHANISMS for fault in scenario(number).faults)
        assert all(fault.kind in BLIND for fault in scenario(number, failing=0.0).faults)


def test_the_machine_decides_how_it_is_heard() -> None:
    for one in (scenario(number) for number in range(3)):
        klipper = one.wiring.telling in (Telling.KLIPPY_LOG, Telling.MOONRAKER)
        assert klipper is (one.spec.board is Board.KLIPPER)
        assert len(one.confounders) + len(one.traits) <= MOST_CONFOUNDERS


def test_the_metadata_tells_everything() -> None:
    told = json.loads(in_words(scenario(1)))
    assert told["number"] == 1
    assert told["machine"]["board"] in list(Board)
    assert [fault["truth"] for fault in told["faults"]] == [TRUTH[f.kind] for f in scenario(1).faults]
    assert told["look"]["sensor"]["width"] == 160


# The print


def held(command: str) -> tuple[Print, float, float]:
    """A print that somebody stops at 20 s, and its label's span in seconds."""
    usual = next(one for one in (scenario(number, failing=0.0) for number in range(20)) if in_middle(one))
    stop = Confounder("pause", 20.0, 25.0, orders=(Order(20.0, command),))
    simulated = Print(usual._replace(seconds=200.0, fps=0.01, confounders=(stop,)))
    for _ in simulated.items():
        pass
    label = next(truth for truth in simulated.truths() if truth.text == "pause")
    begin_ns = begin_ns_of(usual)
    return simulated, (label.from_ns - begin_ns) / NS_PER_S, (label.to_ns - begin_ns) / NS_PER_S


def in_middle(one: Scenario) -> bool:
    return one.course.start is Start.PRINTING and one.course.last_s > 300.0


def test_a_pause_is_told_for_as_long_as_the_job_stands() -> None:
    simulated, from_s, until_s = held("M600")
    assert from_s == 20.0
    assert until_s > 60.0
    assert simulated.printer.printer.colour_begins


def test_a_halt_ends_the_fault_that_caused_it() -> None:
    usual = next(one for one in (scenario(number, failing=0.0) for number in range(20)) if in_middle(one))
    broken = Fault(kind=FaultKind.OPEN_HEATER, at_s=30.0)
    simulated = Print(usual._replace(seconds=200.0, fps=0.01, faults=(broken,), confounders=()))
    arrived = [at_ns for at_ns, _ in simulated.items()]
    halted_s = simulated.printer.firmware.halted_s
    label = next(truth for truth in simulated.truths() if truth.kind == "heater_fault")
    assert arrived == sorted(arrived)
    assert halted_s is not None
    assert (label.to_ns - begin_ns_of(usual)) / NS_PER_S == pytest.approx(halted_s)


def test_a_run_out_is_a_failure_only_once_the_tube_is_empty() -> None:
    usual = next(one for one in (scenario(number, failing=0.0) for number in range(20)) if in_middle(one))
    ends = Fault(kind=FaultKind.RUN_OUT, at_s=30.0)
    simulated = Print(usual._replace(seconds=400.0, fps=0.01, faults=(ends,), confounders=()))
    for _ in simulated.items():
        pass
    begin_ns = begin_ns_of(usual)
    before, after = (truth for truth in simulated.truths() if "run_out" in truth.text)
    assert before.kind is None
    assert (before.from_ns - begin_ns) / NS_PER_S == 30.0
    assert before.to_ns == after.from_ns
    assert after.kind == "no_extrusion"
    assert simulated.printer.printer.extruder.share < 0.1


def test_kinds_of_failure_take_turns_where_they_are_named() -> None:
    kinds = ("heater_fault", "blob", "no_extrusion")
    drawn = [draw(3, Split.TEST, number, failing=1.0, kinds=kinds) for number in range(9)]
    assert [TRUTH[one.faults[0].kind] for one in drawn] == [*kinds] * 3


def test_named_kinds_change_nothing_of_sound_prints() -> None:
    one, other = (draw(3, Split.TRAIN, 1, failing=0.0, kinds=kinds) for kinds in ((), ("blob",)))
    assert in_words(one) == in_words(other)


def test_every_kind_of_failure_can_be_named() -> None:
    assert set(failure_kinds()) == {TRUTH[kind] for kind in MECHANISMS}
