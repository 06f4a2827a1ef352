"""A simulated recording's telemetry says what its source would say of the same printer."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from ingest.records import NS_PER_S, Event, EventKind, Reading, SerialLine
from ingest.simulate.asked import commanded_mm_s
from ingest.simulate.confounders import Confounder
from ingest.simulate.course import Course
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.printer import Start
from ingest.simulate.prints import Print, begin_ns
from ingest.simulate.scenario import Scenario, Telling, draw
from ingest.simulate.spec import MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import PRINT_MM_S, TRAVEL_MM_S, Order, square_rings
from ingest.sources import Item
from ingest.telemetry.gcode.motion import HEAT_J_MM_K, ROOM_C

RINGS = square_rings(60)
SECONDS = 120.0
BROKEN = Fault(kind=FaultKind.OPEN_HEATER, at_s=20.0)
PAUSED = Confounder("pause", 30.0, 80.0, orders=(Order(30.0, "M25"), Order(80.0, "M24")))


@cache
def any_print() -> Scenario:
    return draw(7, Split.TRAIN, 0, failing=0.0, size=(160, 120))


def told(telling: Telling, *, fault: Fault | None = None, paused: bool = False) -> list[tuple[float, Item]]:
    """What an Ender with the rings tells in two minutes, by seconds since the recording's begin."""
    scenario = any_print()._replace(
        seconds=SECONDS,
        fps=0.001,
        spec=MachineSpec(),
        course=Course(RINGS, SECONDS, Start.PRINTING, 300.0, 0.0),
        faults=(fault,) if fault else (),
        confounders=(PAUSED,) if paused else (),
    )
    wired = scenario._replace(wiring=scenario.wiring.__class__(
        telling=telling, positions=True, camera_late_s=0.1, stamps_capture=True, jitter_s=0.01, offset_s=0.5
    ))  # fmt: skip
    begin = begin_ns(wired)
    return [((at_ns - begin) / NS_PER_S, item) for at_ns, item in Print(wired).items()]


def values(items: list[tuple[float, Item]], channel: str) -> dict[float, float]:
    return {at_s: i.value for at_s, i in items if isinstance(i, Reading) and i.channel == channel}


def events(items: list[tuple[float, Item]]) -> list[tuple[EventKind, str]]:
    return [(item.kind, item.text) for _, item in items if isinstance(item, Event)]


def test_moves_are_told_at_the_speed_that_was_asked_for() -> None:
    asked = commanded_mm_s(RINGS)
    prints = RINGS.melted_mm_s > 0.0
    assert np.allclose(asked[prints], PRINT_MM_S, rtol=0.01)
    assert np.allclose(asked[~prints], TRAVEL_MM_S, rtol=0.01)


def test_a_host_tells_the_heat_of_the_filament_that_it_asks_for() -> None:
    items = told(Telling.HOST)
    flow, melt = values(items, "extrusion_mm_s"), values(items, "melt_w")
    targets = set(values(items, "hotend_target_c").values())
    assert len(targets) == 1
    warmer_k = targets.pop() - ROOM_C
    both = flow.keys() & melt.keys()
    assert len(both) > 100
    assert all(melt[at] == pytest.approx(flow[at] * HEAT_J_MM_K * warmer_k) for at in both)
    mean = float(np.mean(list(flow.values())))
    assert mean == pytest.approx(RINGS.mean_filament_mm_s, rel=0.1)


def test_a_port_reports_once_a_second_and_knows_no_job() -> None:
    items = told(Telling.PORT)
    reports = sorted(values(items, "hotend_c"))
    assert np.allclose(np.diff(reports), 1.0, atol=0.3)
    assert len(values(items, "x_mm")) == pytest.approx(SECONDS, abs=3)
    assert not values(items, "layer")
    assert not events(items)
    sent = [item.text for _, item in items if isinstance(item, SerialLine) and item.sent]
    assert sent == ["M155 S1", "M154 S1"]


def test_klippers_log_speaks_of_heaters_once_a_second() -> None:
    items = told(Telling.KLIPPY_LOG)
    channels = {item.channel for _, item in items if isinstance(item, Reading)}
    assert channels == {
        f"{heater}_{what}" for heater in ("hotend", "bed") for what in ("c", "target_c", "power")
    }
    assert len(values(items, "hotend_c")) == SECONDS
    assert all(value == round(value, 1) for value in values(items, "hotend_c").values())


def test_moonraker_sees_the_head_stand_in_a_pause() -> None:
    items = told(Telling.MOONRAKER, paused=True)
    feeds = values(items, "feed_mm_s")
    assert {feed for at_s, feed in feeds.items() if 35.0 < at_s < 75.0} == {0.0}
    assert max(feed for at_s, feed in feeds.items() if at_s < 25.0) > 40.0
    kinds = [kind for kind, _ in events(items)]
    assert kinds == [EventKind.JOB_STARTED, EventKind.PAUSED, EventKind.RESUMED]


def test_marlin_and_klipper_halt_in_their_own_words() -> None:
    marlin, klipper = (events(told(telling, fault=BROKEN)) for telling in (Telling.HOST, Telling.MOONRAKER))
    assert (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: E0") in marlin
    assert (EventKind.HALTED, "Error:Printer halted. kill() called!") in marlin
    assert (EventKind.HALTED, "Heater extruder not heating at expected rate") in klipper
    assert marlin[-1] == klipper[-1] == (EventKind.JOB_ENDED, "Thermal Runaway")


def test_a_silent_line_says_nothing_whoever_listens() -> None:
    silent = Fault(kind=FaultKind.SILENCE, at_s=50.0, until_s=90.0)
    for telling in (Telling.PORT, Telling.MOONRAKER, Telling.KLIPPY_LOG):
        heard = values(told(telling, fault=silent), "hotend_c")
        assert not [at_s for at_s in heard if 51.0 < at_s < 89.0]
        assert [at_s for at_s in heard if at_s > 92.0]


def test_a_restart_costs_klipper_its_board() -> None:
    items = told(Telling.MOONRAKER, fault=Fault(kind=FaultKind.RESET, at_s=40.0))
    assert (EventKind.HALTED, "Lost communication with MCU 'mcu'") in events(items)
    assert max(values(items, "hotend_c")) < 41.0


def test_arrivals_never_run_backwards() -> None:
    for telling in Telling:
        times = [at_s for at_s, _ in told(telling)]
        assert all(before <= after for before, after in pairwise(times))
