"""What a printer's retained state says, whatever comes how often."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detector.anomaly import Anomaly, Kind, State
from ingest.records import Health, Status
from sinks.mqtt.states import UNWATCHED_NS, OpenAnomalies, state_payload, watch_payload, watched_payload
from tests.sinks.conftest import NOON_NS, S, make_anomaly

PRINTER = "voron-2"


def revisions(name: str, count: int = 3, **fields: Any) -> list[Anomaly]:
    """An anomaly from its opening to its close."""
    states = [State.OPENED, *[State.UPDATED] * (count - 2), State.CLOSED]
    return [
        make_anomaly(id=name, revision=n, state=state, at_ns=NOON_NS + n * S, **fields)
        for n, state in enumerate(states, 1)
    ]


def state_of(*anomalies: Anomaly) -> Any:
    known = OpenAnomalies()
    for anomaly in anomalies:
        known.take(anomaly)
    return json.loads(state_payload(PRINTER, known.of(PRINTER), known.changed_ns(PRINTER)))


def test_a_printer_of_which_nothing_was_said_is_fine() -> None:
    assert state_of() == {
        "state": "ok", "printer": PRINTER, "kind": None, "kinds": [], "severity": 0.0, "since": None,
        "text": "", "job": "", "anomalies": [], "updated": None,
    }  # fmt: skip


def test_a_failure_is_told_with_what_it_rests_on() -> None:
    told = state_of(make_anomaly(5))
    assert told == {
        "state": "failing", "printer": PRINTER, "kind": "layer_shift", "kinds": ["layer_shift"],
        "severity": 0.92, "since": "2026-02-03T12:00:05.000Z",
        "text": "the layers no longer lie above each other", "job": "benchy.gcode", "anomalies": ["a5"],
        "updated": "2026-02-03T12:00:43.500Z",
    }  # fmt: skip


def test_blindness_never_hides_a_failure_nor_is_one() -> None:
    blind = make_anomaly(0, kind=Kind.CAMERA_FAULT, severity=1.0)
    assert state_of(blind)["state"] == "blind"
    both = state_of(blind, make_anomaly(9, severity=0.6))
    assert (both["state"], both["kind"], both["severity"]) == ("failing", "layer_shift", 0.6)
    assert both["kinds"] == ["layer_shift", "camera_fault"]
    assert both["since"] == "2026-02-03T12:00:09.000Z"  # since it fails, not since it is blind


def test_a_printer_is_fine_again_when_its_last_anomaly_is_closed() -> None:
    first, second = revisions("a"), revisions("b", kind=Kind.STALL)
    assert state_of(*first[:2], *second)["state"] == "failing"
    over = state_of(*first, *second)
    assert (over["state"], over["updated"]) == ("ok", "2026-02-03T12:00:03.000Z")


@given(st.lists(st.sampled_from([*revisions("a", 4), *revisions("b", 3)]), max_size=30))
def test_what_comes_again_or_too_late_changes_nothing(delivered: list[Anomaly]) -> None:
    newest: dict[str, Anomaly] = {}
    for anomaly in delivered:
        if anomaly.id not in newest or anomaly.revision > newest[anomaly.id].revision:
            newest[anomaly.id] = anomaly
    expected = {name for name, anomaly in newest.items() if anomaly.state is not State.CLOSED}
    assert set(state_of(*delivered)["anomalies"]) == expected


def test_what_the_detector_no_longer_has_open_is_over() -> None:
    known = OpenAnomalies()
    lost, kept = revisions("a"), revisions("b")
    known.take(lost[0])
    known.replace([kept[1]])
    assert [one.id for one in known.of(PRINTER)] == ["b"]
    known.take(lost[0])  # delivered once more
    assert [one.id for one in known.of(PRINTER)] == ["b"]


def status(source: str = "ingest", *, age_s: float = 0.0, **fields: Any) -> Status:
    told: dict[str, Any] = {"source": source, "at_ns": NOON_NS - int(age_s * S), "health": Health.OK}
    return Status(**told | fields)


def watched(told: Status | None) -> tuple[bool, str | None]:
    payload = json.loads(watched_payload(told, NOON_NS))
    return payload["watched"], payload["health"]


def test_a_printer_is_watched_while_ingest_says_so() -> None:
    assert watched(status(printer=PRINTER)) == (True, "ok")
    assert watched(status(printer=PRINTER, health=Health.DEGRADED)) == (True, "degraded")
    assert watched(status(printer=PRINTER, age_s=UNWATCHED_NS / S)) == (True, "ok")


def test_a_printer_is_unwatched_when_it_is_down_or_nobody_speaks_of_it() -> None:
    assert watched(None) == (False, None)
    assert watched(status(printer=PRINTER, age_s=UNWATCHED_NS / S + 1)) == (False, None)
    assert watched(status(printer=PRINTER, health=Health.DOWN)) == (False, "down")
    assert watched(status(printer=PRINTER, health=Health.ENDED)) == (False, "ended")


def watch(*told: Status, trouble: str = "") -> Any:
    return json.loads(watch_payload(told, NOON_NS, "1.2", trouble))


def test_the_watch_is_alive_when_it_takes_in_and_judges() -> None:
    told = (status(), status("detector/0"), status("detector/1"), status(printer=PRINTER, health=Health.DOWN))
    alive = watch(*told)
    assert alive["alive"] is True
    assert alive["version"] == "1.2"
    assert alive["stages"]["detector/1"] == {"health": "ok", "detail": ""}
    assert "ingest/voron-2" not in alive["stages"]
    assert watch(*told[:1])["alive"] is False
    assert watch(*told[1:])["alive"] is False
    assert watch(*told, status("detector/2", age_s=60))["alive"] is False
    assert watch(*told, status("detector/2", age_s=7200))["alive"] is True  # none of this farm any more
    assert watch(*told, trouble="no store") | {"stages": {}} == {
        "alive": False, "version": "1.2", "detail": "no store", "stages": {},
    }  # fmt: skip
