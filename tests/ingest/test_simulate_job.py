"""The printer's own job as the board carries it out: its commands, its waits and pauses, its end."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.job import settings_at
from ingest.simulate.parking import RAISES_MM, TIMEOUT_S
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.spec import MachineSpec
from ingest.simulate.toolpath import Order, Toolpath, square_rings

BUSY = "echo:busy: paused for user"
LAYERS = 12  # 14.5 s each


def job(*orders: tuple[float, str], layers: int = LAYERS) -> Toolpath:
    plain = square_rings(layers)
    return Toolpath(
        plain.times_s,
        plain.points,
        plain.melted_mm_s,
        plain.layer,
        plain.feature,
        plain.part,
        tuple(Order(*order) for order in orders),
    )


def simulated(
    *orders: tuple[float, str], begin_s: float = 0.0, seed: int = 1, start: Start = Start.PRINTING
) -> SimulatedPrinter:
    return SimulatedPrinter("p", seed, path=job(*orders), begin_s=begin_s, start=start)


def seed_that(keeps_hot: bool, parks: bool = True) -> int:
    """A seed whose machine pauses like that."""
    for seed in range(100):
        parking = SimulatedPrinter("p", seed).firmware._machine.parking
        if (parking.timeout_s > TIMEOUT_S, parking.on_pause) == (keeps_hot, parks):
            return seed
    raise AssertionError


def lines(said: list[tuple[float, str]], pattern: str) -> list[float]:
    return [at_s for at_s, line in said if re.search(pattern, line)]


def test_orders_are_carried_out_when_the_job_reaches_them_and_not_before() -> None:
    printer = simulated((10.0, "M104 S200"), (10.0, "M106 S128"), (20.0, "M140 S50 ; colder"), (30.0, "M107"))
    body = printer.printer
    printer.advance_to(9.8)
    assert (body.hotend.target_c, body.bed.target_c, body.fan) == (215.0, 60.0, 0.0)
    printer.advance_to(10.2)
    assert (body.hotend.target_c, body.fan) == (200.0, pytest.approx(0.5, abs=0.01))
    printer.advance_to(20.2)
    assert body.bed.target_c == 50.0
    printer.advance_to(30.2)
    assert body.fan == 0.0
    assert body.print_s == pytest.approx(30.2), "none of them holds the job"


def test_what_the_path_has_already_is_not_applied_again() -> None:
    printer = simulated((5.0, "M220 S50"), (5.0, "M221 S50"), (5.0, "G4 S30"))
    printer.advance_to(20.0)
    assert (printer.printer.feed_factor, printer.printer.flow_factor) == (1.0, 1.0)
    assert printer.printer.print_s == pytest.approx(20.0)


def test_a_job_found_midway_has_the_targets_and_the_fan_of_that_place_and_says_nothing_of_it() -> None:
    orders = ((0.0, "M109 S220"), (0.0, "M190 S70"), (15.0, "M104 S205"), (29.0, "M106 S51"), (90.0, "M107"))
    printer = simulated(*orders, begin_s=60.0)
    said = printer.lines_until(20.0)
    body = printer.printer
    assert (body.hotend.target_c, body.bed.target_c, body.fan) == (205.0, 70.0, pytest.approx(0.2))
    assert body.hotend.reading_c == pytest.approx(205.0, abs=3.0)
    assert body.bed.reading_c == pytest.approx(70.0, abs=1.0)
    assert all(line == "ok" or " T:" in line for _, line in said)
    assert body.print_s == pytest.approx(80.0)
    assert printer.receive("M31", 20.0)[0] == "echo:Print time: 1m 20s"


def test_a_job_found_midway_has_the_filaments_of_that_place() -> None:
    path = job((30.0, "M600"))
    body = SimulatedPrinter("p", 1, path=path, begin_s=100.0).printer
    (begin,) = body.colour_begins
    z_mm = float(path.at(30.0).z_mm)
    assert body.deposit.end[:begin, 2].max() <= z_mm + 1e-3
    assert body.deposit.end[begin:, 2].min() >= z_mm - 1e-3


def test_settings_are_those_of_the_last_orders_before() -> None:
    orders = [Order(0.0, "M104 S210"), Order(5.0, "M106"), Order(9.0, "M109 R190"), Order(9.5, "M107")]
    assert settings_at(orders, 5.0).fan is None
    assert settings_at(orders, 9.2) == (190.0, None, 1.0)
    assert settings_at(orders, 100.0) == (190.0, None, 0.0)


def test_a_wait_for_heat_holds_the_job() -> None:
    printer = simulated((20.0, "M109 S222"))
    said = printer.lines_until(120.0)
    waits_s = lines(said, r" W:(\?|\d+)$")
    assert len(waits_s) >= 10
    assert 20.0 <= waits_s[0] <= 21.5
    assert printer.printer.print_s == pytest.approx(120.0 - (waits_s[-1] - waits_s[0]), abs=3.0)
    assert printer.printer.hotend.reading_c == pytest.approx(222.0, abs=3.0)


def test_a_cold_job_begins_with_its_own_heating() -> None:
    orders = [(0.0, text) for text in ("M140 S60", "M104 S200", "M190 S60", "M109 S200", "G28", "M107")]
    printer = simulated(*orders, (20.0, "M106 S255"), start=Start.COLD)
    said = printer.lines_until(60.0)
    assert printer.printer.hold
    assert lines(said, r" W:\?$")
    assert printer.printer.bed.reading_c > 35.0
    while printer.printer.print_s < 19.0:
        printer.said_until(printer.now_s + 1.0)
    assert printer.printer.fan == 0.0
    assert [
        heater.reading_c > 0.95 * heater.target_c for heater in (printer.printer.hotend, printer.printer.bed)
    ]
    printer.said_until(printer.now_s + 5.0)
    assert printer.printer.fan == 1.0


def test_a_filament_change_parks_waits_for_somebody_and_goes_on_in_another_colour() -> None:
    seed = seed_that(keeps_hot=True)
    printer = simulated((20.0, "M600"), seed=seed)
    before = printer.lines_until(20.2)
    assert lines(before, r"^//action:paused$") == [20.0]
    laid, place = printer.printer.deposit.count, printer.printer.position()
    said = printer.said_until(60.0)
    parked = printer.printer.position()
    assert parked[:2] != place[:2]
    assert place.z_mm + RAISES_MM[0] <= parked.z_mm <= place.z_mm + RAISES_MM[1]
    assert printer.printer.deposit.count == laid
    said += printer.said_until(400.0)
    (resumed_s,) = lines(said, r"^//action:resumed$")
    assert 20.0 + 40.0 < resumed_s < 20.0 + 180.0 + 80.0
    busy_s = lines(said, BUSY)
    assert {round(b - a, 1) for a, b in pairwise(busy_s)} == {2.0}
    assert len(busy_s) >= 19
    assert printer.printer.colour_begins == [laid]
    assert printer.printer.park is None
    assert not printer.printer.printing, "and the job came to its end"


def test_a_hot_end_that_was_let_cool_in_a_change_is_heated_again_without_a_halt() -> None:
    seed = seed_that(keeps_hot=False)
    printer = simulated((20.0, "M600"), seed=seed)
    said, coldest_c = [], 300.0
    while not lines(said, "resumed"):
        said += printer.said_until(printer.now_s + 1.0)
        coldest_c = min(coldest_c, printer.printer.hotend.reading_c)
        assert printer.printer.hotend.target_c == 215.0, "it is only let cool"
    if lines(said, "Press button to heat nozzle"):
        assert coldest_c < 200.0
    assert printer.printer.hotend.reading_c > 205.0
    assert printer.firmware.halted_s is None


def test_some_hot_ends_are_let_cool() -> None:
    cooled = 0
    for seed in range(12):
        printer = simulated((2.0, "M600"), seed=seed)
        cooled += bool(lines(printer.lines_until(70.0), "Press button to heat nozzle"))
    assert 1 <= cooled <= 11


def test_the_button_ends_a_change_earlier() -> None:
    for command in ("M108", "M24"):
        printer = simulated((20.0, "M600"), seed=seed_that(keeps_hot=True))
        printer.said_until(50.0)
        assert printer.receive(command, 50.0) == [], "its ok comes when the board is free again"
        (resumed_s,) = lines(printer.said_until(120.0), "resumed")
        assert resumed_s < 50.0 + 45.0


def test_m0_waits_over_the_part_and_m0_with_a_time_no_longer_than_that() -> None:
    printer = simulated((20.0, "M0 take a look"), (40.0, "M1 S3"))
    said = printer.lines_until(22.0)
    assert printer.printer.hold
    assert printer.printer.position().z_mm == pytest.approx(printer.printer.path.at(20.2).z_mm)
    said += printer.said_until(200.0)
    busy_s = lines(said, BUSY)
    assert {round(b - a, 1) for a, b in pairwise(busy_s) if b - a < 10.0} <= {2.0}
    assert busy_s[0] == pytest.approx(22.0, abs=0.3)
    assert printer.printer.print_s > 100.0


def test_a_pause_of_the_jobs_own_ends_when_somebody_goes_on_with_it() -> None:
    printer = simulated((20.0, "M25"))
    said = printer.lines_until(30.0)
    held_s = printer.printer.print_s
    assert lines(said, r"^//action:pause$")
    assert printer.receive("M105", 30.0)[0].startswith("ok T:"), "the board is not busy"
    assert printer.printer.print_s == held_s
    said = printer.said_until(170.0)
    assert lines(said, r"^//action:resume$")
    assert printer.printer.print_s > held_s + 5.0


@pytest.mark.parametrize("parks", [True, False])
def test_a_pause_from_outside_lasts_until_it_is_taken_back(parks: bool) -> None:
    printer = simulated(seed=seed_that(keeps_hot=True, parks=parks))
    assert printer.receive("M25", 20.0) == ["//action:pause", "ok"]
    printer.advance_to(60.0)
    held_s = printer.printer.print_s
    place = printer.printer.position()
    assert (place[:3] != printer.printer.path.at(held_s)[:3]) == parks
    printer.advance_to(140.0)
    assert printer.printer.print_s == held_s
    assert printer.receive("M24", 140.0) == ["//action:resume", "ok"]
    printer.advance_to(160.0)
    assert held_s + 5.0 < printer.printer.print_s < held_s + 20.0
    assert printer.printer.park is None


def test_an_abort_ends_the_job() -> None:
    printer = simulated(begin_s=30.0)
    assert printer.receive("M524", 5.0) == ["ok"]
    printer.advance_to(10.0)
    body = printer.printer
    assert not body.printing
    assert (body.hotend.target_c, body.bed.target_c, body.fan) == (0.0, 0.0, 0.0)


def test_at_its_end_the_job_leaves_all_off_and_the_head_where_it_is() -> None:
    path = job((100.0, "M106"), (LAYERS * 14.4, "M104 S0"))
    printer = SimulatedPrinter("p", 1, path=path, begin_s=path.duration_s - 10.0)
    said = printer.lines_until(60.0)
    body = printer.printer
    assert not body.printing
    assert not body.hold
    assert (body.hotend.target_c, body.bed.target_c, body.fan) == (0.0, 0.0, 0.0)
    assert body.position()[:3] == pytest.approx(tuple(path.points[-1]))
    assert printer.receive("M31", 70.0) == printer.receive("M31", 80.0), "the timer stands"
    assert printer.firmware.halted_s is None
    assert all(" T:" in line or line == "ok" for _, line in said)


def test_a_brief_power_cut_cools_the_heaters_and_resets_nothing() -> None:
    calm = simulated(begin_s=30.0)
    cut = SimulatedPrinter("p", 1, path=job(), begin_s=30.0, orders=[Order(20.0, "@power_cut 3.0")])
    told = [at_s for at_s, line in cut.lines_until(28.0) if line != "ok" and " T:" not in line]
    calm.lines_until(28.0)
    assert not told
    assert cut.printer.printing
    assert cut.printer.hotend.body.block_c < calm.printer.hotend.body.block_c - 0.5
    cut.lines_until(120.0)
    assert cut.printer.hotend.reading_c == pytest.approx(215.0, abs=3.0)


def test_a_reset_in_a_change_forgets_it() -> None:
    reset = Fault(kind=FaultKind.RESET, at_s=50.0)
    printer = SimulatedPrinter("p", 1, [reset], path=job((20.0, "M600")), begin_s=0.0)
    said = printer.lines_until(200.0)
    assert lines(said, "^start$")
    assert not lines(said, "resumed")
    body = printer.printer
    assert (body.printing, body.hold, body.park, body.hotend.enabled) == (False, False, None, True)


def test_how_the_time_is_sliced_changes_nothing() -> None:
    path = job((5.0, "M600"), (20.0, "M0"), (40.0, "M25"), (60.0, "M109 S220"))
    noise, spec = Fault(kind=FaultKind.GARBLED, at_s=100.0), MachineSpec(report_jitter_s=0.1)
    printers = [SimulatedPrinter("p", 1, [noise], path=path, begin_s=0.0, spec=spec) for _ in range(2)]
    sliced, bits = printers[0], []
    whole = printers[1].lines_until(400.0)
    for at_s in np.cumsum(np.random.default_rng(3).uniform(0.05, 3.0, 400)):
        bits += sliced.lines_until(min(float(at_s), 400.0))
    assert bits == whole
