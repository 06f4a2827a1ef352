"""What a demo came to: which faults were found, which were missed, and what was told without one."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from detector.anomaly import Anomaly, Evidence, Kind, State
from ingest.records import NS_PER_S
from nozzlewatch.outcome import (
    Halt,
    Injected,
    Outcome,
    Truth,
    judge_demo,
    read_truth,
    summary,
    summary_json,
)

T0 = 1_770_120_000


def ns(at_s: float) -> int:
    return int((T0 + at_s) * NS_PER_S)


def fault(name: str, kind: str, at_s: float, printer: str = "p1") -> Injected:
    return Injected(printer, name, kind, ns(at_s))


def halt(at_s: float, printer: str = "p1") -> Halt:
    return Halt(printer, ns(at_s), "Thermal Runaway")


def told(
    kind: Kind, onset_s: float, detected_s: float, printer: str = "p1", state: State = State.OPENED
) -> Anomaly:
    return Anomaly(
        id=f"{printer}-{kind}-{onset_s}",
        printer=printer,
        job="live",
        kind=kind,
        state=state,
        revision=1 if state is State.OPENED else 2,
        severity=0.9,
        score=0.9,
        onset_ns=ns(onset_s),
        detected_ns=ns(detected_s),
        at_ns=ns(detected_s),
        text=f"{kind.value} on {printer}",
        evidence=Evidence(),
    )


HEATER = fault("open_heater", "heater_fault", 30)


def judged(faults: list[Injected], *anomalies: Anomaly, halts: tuple[Halt, ...] = ()) -> Outcome:
    return judge_demo(Truth(faults, list(halts)), anomalies, {a.id: a.detected_ns for a in anomalies})


def test_a_fault_is_found_by_the_first_anomaly_of_its_kind_and_printer() -> None:
    first, later = told(Kind.HEATER_FAULT, 31, 36), told(Kind.HEATER_FAULT, 50, 55)
    outcome = judged([HEATER], later, first)
    (found,) = outcome.found
    assert found.anomaly is first
    assert found.delay_s == 6.0
    assert outcome.follow_ups == [later]
    assert outcome.all_found


def test_the_lead_is_how_much_earlier_than_the_firmwares_halt_the_alarm_came() -> None:
    alarm = told(Kind.HEATER_FAULT, 31, 36)
    (found,) = judged([HEATER], alarm, halts=(halt(10), halt(70, "p2"), halt(76))).found
    assert found.lead_s == 40.0
    (late,) = judged([HEATER], told(Kind.HEATER_FAULT, 31, 80), halts=(halt(76),)).found
    assert late.lead_s == -4.0
    (unhalted,) = judged([HEATER], alarm).found
    assert unhalted.lead_s is None
    (missed,) = judged([HEATER], halts=(halt(76),)).found
    assert missed.lead_s is None


def test_only_for_heaters_and_sensors_is_there_a_halt_to_be_ahead_of() -> None:
    faults = [
        fault("loose_thermistor", "sensor_fault", 30),
        fault("line_errors", "stall", 30),
        fault("spaghetti", "spaghetti", 30),
    ]
    anomalies = [told(kind, 31, 36) for kind in (Kind.SENSOR_FAULT, Kind.STALL, Kind.UNUSUAL)]
    outcome = judged(faults, *anomalies, halts=(halt(76),))
    assert [found.lead_s for found in outcome.found] == [40.0, None, None]


def test_another_printer_another_kind_and_an_earlier_onset_find_nothing() -> None:
    others = [
        told(Kind.HEATER_FAULT, 31, 36, printer="p2"),
        told(Kind.STALL, 31, 36),
        told(Kind.HEATER_FAULT, 27.9, 36),
    ]
    outcome = judged([HEATER], *others)
    assert outcome.found[0].anomaly is None
    assert outcome.found[0].delay_s is None
    assert not outcome.all_found


def test_what_a_picture_shows_is_found_under_any_name_of_what_pictures_show() -> None:
    fallen = fault("detachment", "detachment", 30)
    for kind in (Kind.DETACHMENT, Kind.SPAGHETTI, Kind.UNUSUAL):
        assert judged([fallen], told(kind, 31, 36)).all_found
    assert not judged([fallen], told(Kind.HEATER_FAULT, 31, 36)).all_found
    assert not judged([HEATER], told(Kind.UNUSUAL, 31, 36)).all_found


def test_an_onset_may_lie_a_reading_before_the_fault() -> None:
    assert judged([HEATER], told(Kind.HEATER_FAULT, 28.5, 36)).all_found


def test_what_comes_after_a_printers_fault_follows_from_it_and_what_comes_before_is_unexplained() -> None:
    found = told(Kind.HEATER_FAULT, 31, 36)
    after = told(Kind.TELEMETRY_FAULT, 80, 95)
    before = told(Kind.STALL, 5, 12)
    elsewhere = told(Kind.UNUSUAL, 60, 66, printer="sound")
    outcome = judged([HEATER], after, before, found, elsewhere)
    assert outcome.follow_ups == [after]
    assert outcome.unexplained == [before, elsewhere]
    assert not outcome.all_found


def test_further_revisions_are_no_further_anomalies() -> None:
    opened = told(Kind.HEATER_FAULT, 31, 36)
    closed = told(Kind.HEATER_FAULT, 31, 50, state=State.CLOSED)
    outcome = judged([HEATER], closed, opened)
    assert outcome.found[0].anomaly is opened
    assert (outcome.follow_ups, outcome.unexplained) == ([], [])


def mixed() -> Outcome:
    faults = [
        HEATER,
        fault("line_errors", "stall", 40, "p2"),
        fault("camera_frozen", "camera_fault", 50, "p3"),
    ]
    anomalies = [
        told(Kind.HEATER_FAULT, 31, 36),
        told(Kind.STALL, 41, 47.5, "p2"),
        told(Kind.TELEMETRY_FAULT, 60, 70),
        told(Kind.SPAGHETTI, 20, 25, "p4"),
    ]
    return judged(faults, *anomalies, halts=(halt(76),))


def test_the_summary_names_every_fault_and_every_false_alarm() -> None:
    page = io.StringIO()
    summary(mixed(), Console(file=page, width=160))
    text = page.getvalue()
    for name in ("open heater", "line errors", "camera frozen"):
        assert name in text
    for word in ("6.0 s", "40.0 s", "7.5 s", "MISSED", "no camera_fault"):
        assert word in text
    assert "followed from these: p1 telemetry_fault" in text
    assert "told without a fault: p4 spaghetti" in text
    assert "2 of 3 faults found, 1 false alarms (simulated printers)" in text


def test_programs_get_the_same_summary() -> None:
    data = summary_json(mixed())
    assert [(row["name"], row["found"], row["delay_s"], row["lead_s"]) for row in data["faults"]] == [
        ("open_heater", True, 6.0, 40.0),
        ("line_errors", True, 7.5, None),
        ("camera_frozen", False, None, None),
    ]
    assert data["follow_ups"] == ["p1 telemetry_fault"]
    assert data["false_alarms"] == ["p4 spaghetti"]
    assert data["simulated"] is True


def test_the_truth_is_read_as_the_simulation_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(
        '{"printer":"p1","name":"open_heater","expected_kind":"heater_fault","onset_ns":5}\n'
        '{"printer":"p1","halted_ns":9,"reason":"Thermal Runaway"}\n'
    )
    expected = Truth([Injected("p1", "open_heater", "heater_fault", 5)], [Halt("p1", 9, "Thermal Runaway")])
    assert read_truth(path) == expected
