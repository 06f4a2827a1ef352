"""What OctoPrint's messages mean, without an OctoPrint."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.records import EventKind, Reading
from ingest.telemetry.octoprint.news import News
from ingest.telemetry.octoprint.wire import Push, read
from tests.ingest.octoprint_heard import NOW_NS, PRINTING, begun, events, heard, readings, state


def test_the_past_that_comes_with_a_connection_is_not_told_again() -> None:
    news = News("p", {}, Counter())
    news.begin()
    past = {"temps": [{"time": 1, "tool0": {"actual": 200.0, "target": 210.0}}], "logs": ["Recv: T:1 /2"]}
    assert events(heard(news, history={**PRINTING, **past})) == [(EventKind.JOB_STARTED, "cube.gcode")]
    assert heard(news, history={**PRINTING, **past}) == []  # comes twice, for the login and the subscription


def test_a_job_under_way_is_told_to_every_new_connection() -> None:
    news = begun(**PRINTING)
    news.begin()
    assert events(heard(news, history=PRINTING)) == [(EventKind.JOB_STARTED, "cube.gcode")]


def test_a_job_that_ended_while_nobody_listened_has_ended() -> None:
    news = begun(**PRINTING)
    news.begin()
    assert [kind for kind, _ in events(heard(news, history={"state": state("Operational")}))] == [
        EventKind.JOB_ENDED
    ]


@pytest.mark.parametrize(
    ("flags", "told"),
    [({"printing": True, "pausing": True}, "PAUSING"), ({"paused": True}, "PAUSED"), ({}, "OPERATIONAL")],
)
def test_a_transition_goes_before_the_state_that_it_leaves(flags: dict[str, bool], told: str) -> None:
    assert begun(state=state("…", **flags)).state == told


def test_a_cancelled_print_ends_once() -> None:
    news = begun(**PRINTING)
    told = heard(news, event={"type": "PrintCancelled", "payload": {"name": "cube.gcode"}})
    told += heard(news, event={"type": "PrintFailed", "payload": {"reason": "cancelled"}})
    assert events(told) == [(EventKind.CANCELLED, "cube.gcode"), (EventKind.JOB_ENDED, "cancelled")]


def test_a_late_word_of_a_cancelled_print_does_not_end_the_next_one() -> None:
    news = begun(**PRINTING)
    heard(news, event={"type": "PrintCancelled", "payload": {}})
    heard(news, event={"type": "PrintStarted", "payload": {"name": "next.gcode"}})
    assert heard(news, event={"type": "PrintFailed", "payload": {"reason": "cancelled"}}) == []


@pytest.mark.parametrize(("received", "sent"), [("Recv: ", "Send: "), ("<<< ", ">>> ")])
def test_the_terminal_is_understood_of_old_and_new_octoprints(received: str, sent: str) -> None:
    told = heard(begun(), current={"logs": [f"{received}ok T:200.0 /210.0", f"{sent}N5 M106 S255*1"]})
    assert readings(told) == {"lines": 1.0, "hotend_c": 200.0, "hotend_target_c": 210.0, "fan": 1.0}


def test_what_the_terminal_tells_is_not_told_again_by_the_digest() -> None:
    news = begun()
    point = {"time": 1, "tool0": {"actual": 99.0, "target": 0.0}}
    told = heard(news, current={"logs": ["Recv: T:200.0 /210.0 B:60.0 /60.0 @:64 B@:0"], "temps": [point]})
    assert readings(told)["hotend_c"] == 200.0
    assert heard(news, current={"logs": [], "temps": [point]}) == []
    assert heard(news, event={"type": "FilamentChange", "payload": None}) == []
    assert heard(news, event={"type": "Error", "payload": {"error": "kill()", "reason": "firmware"}}) == []


def test_a_terminal_is_known_before_its_first_new_line() -> None:
    news = begun(logs=["Recv: ok"])
    error = {"error": "kill()", "reason": "firmware"}
    assert heard(news, event={"type": "Error", "payload": error}) == []


def test_without_a_terminal_the_digest_is_told() -> None:
    news = begun()
    heaters = {"tool0": {"actual": 200.0, "target": 210.0}, "chamber": {"actual": 31.5, "target": None}}
    told = heard(news, current={"temps": [{"time": 1, **heaters}]})
    assert readings(told) == {"hotend_c": 200.0, "hotend_target_c": 210.0, "chamber_c": 31.5}
    error = {"error": "Printer halted. kill() called!", "reason": "firmware"}
    told = heard(news, event={"type": "FilamentChange"}) + heard(
        news, event={"type": "Error", "payload": error}
    )
    assert events(told) == [
        (EventKind.FILAMENT_CHANGE, "FilamentChange"),
        (EventKind.HALTED, "Printer halted. kill() called!"),
    ]


def test_an_error_of_octoprints_own_is_told_beside_the_terminal() -> None:
    news = begun()
    heard(news, current={"logs": ["Recv: ok"]})
    error = {"error": "Too many consecutive timeouts", "reason": "timeout"}
    assert events(heard(news, event={"type": "Error", "payload": error})) == [
        (EventKind.ERROR, "Too many consecutive timeouts")
    ]


def test_octoprints_own_words_in_the_terminal_are_no_line_of_the_printer() -> None:
    counts: Counter[str] = Counter()
    news = News("p", {}, counts)
    words = ['Changing monitoring state from "Operational" to "Printing"', "Connection closed: T:::1"]
    assert heard(news, current={"logs": words}) == []
    heard(news, current={"logs": ["Recv: T:2x0.0 /210.0 B:60"]})
    assert counts["garbled"] == 1


def test_progress_belongs_to_a_job() -> None:
    selected = {"state": state("Operational"), "progress": {"completion": 100.0}}
    assert heard(begun(), current=selected) == []
    assert readings(heard(begun(**PRINTING), current={"progress": {"completion": 25.0}})) == {
        "progress": 0.25
    }


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        '{"current": 3}',
        '{"current": {"currentZ": 1e300}}',
        '{"current": {"serverTime": 1e300}}',
        '{"event": {}}',
        "\ud800",
        '{"event": {"type": "Error", "payload": ' + 5000 * "[" + 5000 * "]" + "}}",
    ],
)
def test_a_message_that_is_not_as_documented_is_no_message(message: str) -> None:
    assert read(message, Push) is None


Json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tool0", "actual", "name", "state_id", "reason"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.builds(
            lambda kind, payload, temps, logs: json.dumps(
                {"event": {"type": kind, "payload": payload}, "current": {"temps": temps, "logs": logs}}
            ),
            st.sampled_from(["PrintStarted", "PrintFailed", "PrinterStateChanged", "Error", "FirmwareData"]),
            Json,
            st.lists(st.dictionaries(st.sampled_from(["tool0", "bed"]), Json, max_size=2), max_size=2),
            st.lists(st.text(max_size=12).map(lambda text: f"Recv: {text}"), max_size=2),
        ),
        max_size=4,
    )
)
def test_nothing_that_a_plugin_may_put_into_a_message_raises(messages: list[str]) -> None:
    news = News("p", {}, Counter())
    for message in messages:
        push = read(message, Push)
        told = list(news.take(push, NOW_NS)) if push is not None else []
        assert all(abs(item.value) <= 1e6 for item in told if isinstance(item, Reading))
