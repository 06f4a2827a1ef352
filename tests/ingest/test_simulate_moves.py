"""Moves that a host streams: planned ahead, done in their time, seen in position, heat and held oks."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.firmware import Firmware
from ingest.simulate.planner import MOST_MOVES, Planner
from ingest.simulate.printer import Printer, Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.spec import STEP_S

BACK_AND_FORTH = [f"G1 X{10 * (n % 2)} F600" for n in range(1, 100)]
"""10 mm each at 10 mm/s: a second, and what the corners take."""


@pytest.fixture
def board() -> Firmware:
    return Firmware(Printer(np.random.default_rng(1), start=Start.IDLE), np.random.default_rng(2))


def run(board: Firmware, seconds: float) -> list[str]:
    said = []
    for _ in range(round(seconds / STEP_S)):
        board.printer.advance(STEP_S)
        said += board.tick(board.printer.now_s)
    return said


def stream(board: Firmware, lines: list[str], limit_s: float) -> float:
    """Send lines as a host does, each when the last has its ok; how long that took until all stands."""
    begin_s = board.printer.now_s
    for line in [*lines, "M400"]:
        said = board.handle(line)
        while "ok" not in said:
            said = run(board, STEP_S)
            assert board.printer.now_s - begin_s < limit_s
    return board.printer.now_s - begin_s


def test_a_streamed_print_takes_as_long_as_its_moves(board: Firmware) -> None:
    took_s = stream(board, BACK_AND_FORTH[:40], 80.0)
    assert 40.0 <= took_s <= 42.0


def test_an_ok_is_held_back_while_the_queue_is_full(board: Firmware) -> None:
    answers = [board.handle(line) for line in BACK_AND_FORTH[: MOST_MOVES + 1]]
    assert answers == [["ok"]] * MOST_MOVES + [[]]
    assert board.handle("M105") == [], "what comes behind it waits, too"
    said = run(board, 1.4)
    assert said[0] == "ok"
    assert said[1].startswith("ok T:")
    assert board.handle(BACK_AND_FORTH[0]) == []


def test_a_long_move_keeps_the_host_alive(board: Firmware) -> None:
    board.handle("G1 X100 F600")
    assert board.handle("M400") == []
    assert run(board, 11.0) == ["echo:busy: processing"] * 5 + ["ok"]


def test_reports_of_the_position_are_ahead_of_the_head(board: Firmware) -> None:
    for line in ("G1 X10 F600", "G1 X10 Y20 E3", "M154 S1"):
        assert board.handle(line) == ["ok"]
    assert board.handle("M114") == ["X:10.00 Y:20.00 Z:0.00 E:3.00 Count X:800 Y:1600 Z:0", "ok"]
    said = run(board, 1.0)
    assert said == ["X:10.00 Y:20.00 Z:0.00 E:3.00 Count X:800 Y:1600 Z:0"]
    assert 9.0 < board.printer.position().x_mm <= 10.0
    assert board.printer.position().y_mm < 1.0
    assert board.printer.position(board.printer.now_s + 1.0).y_mm == pytest.approx(9.5, abs=1.0)


def test_moves_mean_what_the_commands_before_them_say(board: Firmware) -> None:
    stream(board, ["G91", "M83", "G1 X5 E1 F3000", "G1 X5 E1", "G90", "G92 E0", "G2 X20 Y0 I5 J0"], 10.0)
    assert board.printer.position() == pytest.approx((20.0, 0.0, 0.0, 0.0), abs=1e-6)
    stream(board, ["M220 S50"], 1.0)
    slow_s = stream(board, ["G1 X120 F6000"], 10.0)
    assert slow_s == pytest.approx(2.0, abs=0.3)


def test_homing_takes_its_way(board: Firmware) -> None:
    stream(board, ["G1 X100 Y50 Z8 F6000"], 30.0)
    assert stream(board, ["G28"], 30.0) == pytest.approx(2.0 + 1.0 + 2.0, abs=0.2)
    assert board.handle("M114")[0].startswith("X:0.00 Y:0.00 Z:0.00")
    assert stream(board, ["G28"], 30.0) == 0.0


@pytest.mark.parametrize("command", ["M400", "G28", "M84", "M18"])
def test_some_commands_wait_for_the_moves(board: Firmware, command: str) -> None:
    board.handle("G1 X10 F600")
    assert board.handle(command) == []
    assert "ok" in run(board, 2.0)


def test_a_dwell_begins_when_the_moves_are_done(board: Firmware) -> None:
    board.handle("G1 X10 F600")
    assert board.handle("G4 S1") == []
    assert "ok" not in run(board, 1.8)
    assert "ok" in run(board, 0.6)


def test_m108_breaks_off_heating_alone(board: Firmware) -> None:
    board.handle("G1 X10 F600")
    board.handle("M400")
    assert board.handle("M108") == []
    assert run(board, 1.4) == ["ok", "ok"]


def test_filament_that_is_streamed_costs_power() -> None:
    powers = []
    for e_mm in (0.0, 1.5):
        printer = Printer(np.random.default_rng(1), start=Start.IDLE)
        printer.hotend.settle(200.0)
        board = Firmware(printer, np.random.default_rng(2))
        board.handle("M83")
        sum_power = 0
        for n in range(60):
            stream(board, [f"G1 X{10 * (n % 2)} E{e_mm} F600"], 10.0)
            sum_power += printer.hotend.power
        powers.append(sum_power / 60)
    # 1.5 mm/s * 5.6e-3 J/(mm K) * 175 K of 40 W in 127 steps
    assert powers[1] - powers[0] == pytest.approx(4.7, abs=1.5)


def test_only_new_filament_is_molten() -> None:
    planner = Planner()
    for line in ("M83", "G1 X10 E1 F600", "G1 E-0.8", "G1 E0.8", "G1 X0 E1"):
        planner.take(line)
    assert planner.advance(60.0) == pytest.approx(2.0)
    assert planner.is_idle


def test_a_reset_stops_the_head_where_it_is() -> None:
    fault = Fault(kind=FaultKind.RESET, at_s=1.0)
    printer = SimulatedPrinter("p", 1, [fault], start=Start.IDLE)
    for line in BACK_AND_FORTH[:10]:
        printer.receive(line, 0.4)
    printer.advance_to(5.0)
    assert 4.0 < printer.printer.position().x_mm < 8.0
    assert printer.receive("M114", 5.0)[0].startswith("X:0.00 "), "it does not know any more"


def test_a_printer_with_a_job_of_its_own_takes_moves_and_goes_its_own_way() -> None:
    printer = SimulatedPrinter("p", 1)
    alone = SimulatedPrinter("p", 1)
    for line in BACK_AND_FORTH:
        assert printer.receive(line, 1.0) == ["ok"]
    assert printer.receive("G28", 1.0) == ["ok"]
    assert printer.lines_until(20.0)[-1] == alone.lines_until(20.0)[-1]
    assert printer.printer.position() == alone.printer.position()


def test_how_time_is_sliced_changes_nothing_for_a_streamed_print() -> None:
    fine, coarse = (SimulatedPrinter("p", 4, start=Start.IDLE) for _ in range(2))
    for printer in (fine, coarse):
        for line in ["M154 S1", "M104 S100", *BACK_AND_FORTH[:30]]:
            printer.receive(line, 0.4)
    said = [line for tick in range(1, 400) for line in fine.said_until(tick * 0.05)]
    assert said == coarse.said_until(399 * 0.05)
