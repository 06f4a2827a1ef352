"""The simulated printer's physics: heat, control and the path of the nozzle, all under virtual time."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from ingest.simulate.faults import TRUTH, Fault, FaultKind
from ingest.simulate.heater import Effect, HotEnd
from ingest.simulate.printer import Printer, Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.spec import STEP_S, MachineSpec
from ingest.simulate.thermal import HOTEND, HOTEND_LOSS_W_K
from ingest.simulate.thermistor import OPEN_C, TEN_BIT
from ingest.simulate.toolpath import square_rings
from ingest.telemetry.gcode.motion import HEAT_J_MM_K

PRINTING_C = 215.0


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def held(printer: Printer, seconds: float) -> np.ndarray:
    """What the thermistor says with every control step, °C."""
    readings = []
    for _ in range(int(seconds / STEP_S)):
        printer.advance(STEP_S)
        readings.append(printer.hotend.reading_c)
    return np.array(readings)


@pytest.mark.parametrize("loss_w_k", HOTEND_LOSS_W_K)
def test_a_hot_end_without_power_cools_as_fast_as_real_ones_do(loss_w_k: float) -> None:
    hotend, random = HotEnd(MachineSpec(hotend=replace(HOTEND, loss_w_k=loss_w_k))), rng()
    hotend.settle(PRINTING_C)
    for _ in range(int(5 / STEP_S)):  # past the lag
        hotend.step(STEP_S, random, Effect(power_share=0.0))
    begin_c = hotend.body.block_c
    for _ in range(int(10 / STEP_S)):
        hotend.step(STEP_S, random, Effect(power_share=0.0))
    assert 0.7 <= (begin_c - hotend.body.block_c) / 10 <= 1.1


def test_the_thermistor_sees_a_loss_of_power_only_after_some_seconds() -> None:
    hotend, random = HotEnd(MachineSpec()), rng()
    hotend.settle(PRINTING_C)
    for _ in range(int(2 / STEP_S)):
        hotend.step(STEP_S, random, Effect(power_share=0.0))
    assert hotend.body.sensed_c > PRINTING_C - 0.5
    assert hotend.body.heater_c < PRINTING_C + 8.0  # while the heater itself has long lost its lead


@pytest.mark.parametrize("seed", range(5))
def test_a_print_holds_its_temperature_within_a_kelvin(seed: int) -> None:
    readings = held(Printer(np.random.default_rng(seed)), 300)
    assert np.abs(readings - PRINTING_C).max() <= 1.0
    assert readings.std() > 0.05, "real thermistors are noisy"


def test_a_cold_printer_heats_up_within_minutes_and_then_prints() -> None:
    printer = Printer(rng(), start=Start.COLD)
    readings = held(printer, 240)
    hot_s = float(np.argmax(readings > PRINTING_C - 2.0)) * STEP_S
    assert 60 <= hot_s <= 180
    assert readings.max() < PRINTING_C + 5.0
    assert printer.printing
    assert printer.position().e_mm > 0.0


def test_filament_and_fan_cost_as_much_power_as_on_real_printers() -> None:
    quiet, flowing = HotEnd(MachineSpec()), HotEnd(MachineSpec())
    quiet.settle(PRINTING_C)
    flowing.settle(PRINTING_C, HEAT_J_MM_K * square_rings().mean_filament_mm_s)
    assert 3 <= flowing.power - quiet.power <= 16


def test_readings_come_in_the_steps_of_the_converter() -> None:
    random = rng()
    readings = {round(TEN_BIT.read(PRINTING_C, random), 2) for _ in range(1000)}
    assert len(readings) < 20
    assert max(readings) - min(readings) < 1.5
    assert TEN_BIT.celsius(TEN_BIT.counts(60.0)) == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("kind", "low_c", "high_c"),
    [
        (FaultKind.OPEN_HEATER, 120.0, 175.0),
        (FaultKind.WEAK_HEATER, 150.0, 205.0),
        (FaultKind.STUCK_HEATER, 245.0, 320.0),
    ],
)
def test_a_broken_heater_drives_the_temperature_away(kind: FaultKind, low_c: float, high_c: float) -> None:
    printer = Printer(rng(), [Fault(kind=kind, at_s=10.0)])
    readings = held(printer, 70)
    assert np.abs(readings[: int(10 / STEP_S)] - PRINTING_C).max() < 1.0
    assert low_c < readings[-1] < high_c


def test_a_loose_thermistor_jumps_and_an_open_one_reads_the_end_of_the_table() -> None:
    loose = held(Printer(rng(), [Fault(kind=FaultKind.LOOSE_THERMISTOR, at_s=0.0)]), 60)
    assert np.abs(np.diff(loose)).max() > 20.0
    opened = held(Printer(rng(), [Fault(kind=FaultKind.OPEN_THERMISTOR, at_s=10.0)]), 20)
    assert opened[-1] == OPEN_C


def test_every_fault_is_expected_as_some_kind() -> None:
    assert set(TRUTH) == set(FaultKind)


def test_how_time_is_sliced_changes_nothing() -> None:
    fine, coarse = Printer(rng()), Printer(rng())
    for _ in range(100):
        fine.advance(0.1)
    coarse.advance(10.0)
    assert fine.hotend.reading_c == coarse.hotend.reading_c
    assert fine.position() == coarse.position()


def test_the_nozzle_goes_round_and_up_and_the_filament_follows() -> None:
    path = square_rings()
    points = [path.at(second / 4) for second in range(int(4 * 3 * path.layer_begin_s(1)))]
    assert points[-1].z_mm - points[0].z_mm == pytest.approx(0.6)
    assert all(later.e_mm >= earlier.e_mm for earlier, later in pairwise(points))
    assert path.filament_mm_s(1.0) == pytest.approx(path.at(1.1).e_mm * 10 - path.at(1.0).e_mm * 10)


def test_a_picture_decodes_and_changes_as_the_print_goes_on() -> None:
    printer = SimulatedPrinter("p", 1, [Fault(kind=FaultKind.CAMERA_BLACK, at_s=5.0)])
    first, later, black = (decoded(printer.jpeg_at(at_s)) for at_s in (1.0, 3.5, 6.0))
    assert first.shape == (240, 320, 3)
    assert np.abs(first.astype(int) - later.astype(int)).max() > 50
    assert black.mean() < 0.5 * first.mean()
    assert black.std() < 10


def test_a_camera_that_is_silent_sends_nothing() -> None:
    printer = SimulatedPrinter("p", 1, [Fault(kind=FaultKind.CAMERA_SILENT, at_s=5.0)])
    assert printer.jpeg_at(4.0) is not None
    assert printer.jpeg_at(5.0) is None


def decoded(jpeg: bytes | None) -> np.ndarray:
    assert jpeg is not None
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture)
