"""Machines that are drawn for the simulated farm: sound ones work, and splits differ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ingest.simulate.heater import HEALTHY, Bed, Heater, HotEnd
from ingest.simulate.machines import FLEETS, sample_machine
from ingest.simulate.protection import BED_LIMITS, HOTEND_LIMITS, Protection
from ingest.simulate.spec import STEP_S, Board, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.thermistor import PT1000
from ingest.telemetry.gcode.motion import HEAT_J_MM_K

HOT_C, WARM_C = 240.0, 70.0
FLOW_MM_S = 2.0
MACHINES = 8


def machines(split: Split, count: int = MACHINES) -> Iterator[MachineSpec]:
    for seed in range(count):
        yield sample_machine(np.random.default_rng([seed, 5]), split)


@pytest.mark.parametrize("split", Split)
def test_the_same_seed_is_the_same_machine(split: Split) -> None:
    assert list(machines(split)) == list(machines(split))
    assert len({spec.hotend.loss_w_k for spec in machines(split)}) == MACHINES


@pytest.mark.parametrize("split", Split)
def test_a_sound_machine_warms_up_and_prints_without_being_halted(split: Split) -> None:
    for spec in machines(split):
        hotend, bed = HotEnd(spec), Bed(spec)
        hot_guard, bed_guard = Protection(HOTEND_LIMITS), Protection(BED_LIMITS)
        hotend.target_c, bed.target_c = HOT_C, min(WARM_C, spec.ambient_c + 45.0)
        hot_guard.retarget(0.0, hotend.reading_c, hotend.target_c)
        bed_guard.retarget(0.0, bed.reading_c, bed.target_c)
        random = np.random.default_rng(1)
        for step in range(round(1_500 / STEP_S)):
            prints = step * STEP_S > 900.0
            extra_w_k = spec.fan_w_k + HEAT_J_MM_K * FLOW_MM_S if prints else 0.0
            hotend.step(STEP_S, random, HEALTHY, extra_w_k)
            bed.step(STEP_S, random)
            assert hot_guard.check(step * STEP_S, hotend.reading_c, hotend.target_c) is None, spec
            assert bed_guard.check(step * STEP_S, bed.reading_c, bed.target_c) is None, spec
        assert abs(hotend.reading_c - HOT_C) < 6.0, spec
        assert abs(bed.reading_c - bed.target_c) < 6.0, spec  # a switching one overshoots its 2 K


def errors_k(heater: Heater, target_c: float, seconds: int) -> np.ndarray:
    heater.settle(target_c)
    random, rows = np.random.default_rng(2), []
    for step in range(round(seconds / STEP_S)):
        heater.step(STEP_S, random)
        if step % 5 == 0:
            rows.append(heater.measured_c - target_c)
    return np.array(rows[60:])


def test_errors_of_klipper_machines_spread_as_those_of_real_ones() -> None:
    """Real machines, one sample each: 10, 50 and 90 % of the standard deviations are .17, .25 and .83 K."""
    specs = (spec for split in Split for spec in machines(split, 24) if spec.board is Board.KLIPPER)
    sigmas = [errors_k(HotEnd(spec), 210.0, 240).std() for spec in specs]
    assert 0.1 < float(np.median(sigmas)) < 0.4
    assert float(np.quantile(sigmas, 0.1)) < 0.17
    assert float(np.quantile(sigmas, 0.9)) > 0.3
    assert max(sigmas) < 3.0


def test_only_the_test_split_has_platinum_and_big_blocks_and_strong_beds() -> None:
    drawn = {split: list(machines(split, 120)) for split in Split}
    platinum = {split: any(spec.hotend_sensor is PT1000 for spec in specs) for split, specs in drawn.items()}
    heaviest = {split: max(spec.hotend.block_j_k for spec in specs) for split, specs in drawn.items()}
    strongest = {split: max(spec.bed.full_w for spec in specs) for split, specs in drawn.items()}
    assert platinum == {Split.TRAIN: False, Split.VAL: False, Split.TEST: True}
    assert heaviest[Split.TEST] > 1.3 * max(heaviest[Split.TRAIN], heaviest[Split.VAL])
    assert strongest[Split.TEST] > 1.3 * max(strongest[Split.TRAIN], strongest[Split.VAL])


def test_no_two_splits_are_drawn_from_the_same_ranges() -> None:
    ranged = ("hotends", "bed_mm", "bed_w_m2", "ambient_c", "noise_fine", "drafts", "gains", "jitter_s")
    for name in ranged:
        assert len({str(getattr(fleet, name)) for fleet in FLEETS.values()}) == len(Split), name
