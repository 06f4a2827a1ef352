"""Where one print ends and the next begins."""

from __future__ import annotations

import pytest

from ingest.jobs import (
    COLD_FOR_NS,
    CONFIRMED_WITHIN_NS,
    MOVING_FOR_NS,
    STILL_FOR_NS,
    Change,
    JobTracker,
    name_of,
)
from ingest.records import NS_PER_S, Event, EventKind, Reading

START_NS = 1_700_000_000 * NS_PER_S  # 2023-11-14T22:13:20Z


def target(value: float, at_s: float = 0.0) -> Reading:
    return Reading(printer="p", at_ns=START_NS + int(at_s * NS_PER_S), channel="hotend_target_c", value=value)


def told(kind: EventKind, text: str = "", at_s: float = 0.0) -> Event:
    return Event(printer="p", at_ns=START_NS + int(at_s * NS_PER_S), kind=kind, text=text)


def test_a_service_tells_when_a_print_begins_and_ends_and_how_it_is_called() -> None:
    tracker = JobTracker(tells_jobs=True)
    assert tracker.take(told(EventKind.JOB_STARTED, "benchy.gcode")) == Change(
        START_NS, "benchy.gcode 2023-11-14T22:13:20Z", idle=False
    )
    assert tracker.take(target(0.0, 5)) is None  # the service knows better than the heater
    ended = tracker.take(told(EventKind.JOB_ENDED, "done", 60))
    assert ended == Change(START_NS + 60 * NS_PER_S, "benchy.gcode 2023-11-14T22:13:20Z", idle=True)
    again = tracker.take(told(EventKind.JOB_STARTED, "benchy.gcode", 90))
    assert again is not None
    assert again.job == "benchy.gcode 2023-11-14T22:14:50Z"


def test_a_print_told_again_after_a_reconnection_is_the_same_print() -> None:
    tracker = JobTracker(tells_jobs=True)
    tracker.take(told(EventKind.JOB_STARTED, "benchy.gcode"))
    assert tracker.take(told(EventKind.JOB_STARTED, "benchy.gcode", 30)) is None
    assert tracker.take(told(EventKind.JOB_STARTED, "vase.gcode", 40)) is not None


def test_a_print_goes_on_as_the_same_one_when_ingest_is_started_anew() -> None:
    running = "benchy.gcode 2023-11-14T22:13:20Z"
    told_by_service = JobTracker(tells_jobs=True, running=running)
    assert told_by_service.take(told(EventKind.JOB_STARTED, "benchy.gcode", 600)) is None
    assert told_by_service.job == running
    by_heat = JobTracker(tells_jobs=False, running="print 2023-11-14T22:13:20Z")
    assert by_heat.take(target(210.0, 600)) is None


def test_a_print_that_ended_while_nobody_watched_is_over_when_the_service_does_not_tell_of_it() -> None:
    tracker = JobTracker(tells_jobs=True, running="benchy.gcode 2023-11-14T22:13:20Z")
    assert tracker.take(target(0.0, 600)) is None
    ended = tracker.take(target(0.0, 600 + CONFIRMED_WITHIN_NS / NS_PER_S))
    assert ended is not None
    assert ended.idle


def test_a_service_that_tells_of_no_print_leaves_the_printer_idle() -> None:
    tracker = JobTracker(tells_jobs=True)
    change = tracker.take(target(0.0))
    assert change == Change(START_NS, "idle", idle=True)
    assert tracker.take(target(0.0, 1)) is None


def test_without_a_service_a_print_lasts_as_long_as_the_hot_end_is_to_be_hot() -> None:
    tracker = JobTracker(tells_jobs=False)
    assert tracker.take(target(0.0)) == Change(START_NS, "idle", idle=True)
    begun = tracker.take(target(210.0, 10))
    assert begun == Change(START_NS + 10 * NS_PER_S, "print 2023-11-14T22:13:30Z", idle=False)
    assert tracker.take(target(0.0, 100)) is None
    ended = tracker.take(target(0.0, 100 + COLD_FOR_NS / NS_PER_S))
    assert ended is not None
    assert ended.idle


def test_a_nozzle_that_cools_for_a_moment_ends_no_print() -> None:
    tracker = JobTracker(tells_jobs=False)
    tracker.take(target(210.0))
    assert tracker.take(target(0.0, 10)) is None
    assert tracker.take(target(210.0, 40)) is None
    assert tracker.take(target(0.0, 50)) is None
    assert tracker.take(target(0.0, 90)) is None


def test_a_picture_that_moves_for_long_enough_is_a_print() -> None:
    tracker, second = JobTracker(tells_jobs=False), NS_PER_S
    changes = []
    for at_s in range(0, 1200):
        moves = 100 <= at_s < 600 or 20 <= at_s < 40  # a hand comes first
        change = tracker.moved(moves, START_NS + at_s * second)
        changes += [change] if change else []
    begun, ended = changes[-2:]
    assert begun.at_ns == START_NS + 100 * second + MOVING_FOR_NS
    assert (ended.at_ns, ended.idle) == (START_NS + 600 * second + STILL_FOR_NS, True)
    assert len([change for change in changes if not change.idle]) == 1


@pytest.mark.parametrize(
    ("job", "name"),
    [("a b.gcode 2023-11-14T22:13:20Z", "a b.gcode"), ("idle", ""), ("prints/benchy", "")],
)
def test_the_name_of_a_live_print_stands_before_its_start(job: str, name: str) -> None:
    assert name_of(job) == name
