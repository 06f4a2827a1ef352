"""Alerts: one when it opens, one when it is over, each once per channel, and no channel in another's way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from detector.anomaly import Anomaly, State
from sinks.alerts import AlertSink, Patience
from sinks.errors import ChannelError
from tests.sinks.fakes import LIMIT_S, QUICK, Memory
from tests.waiting import wait_until

Make = Callable[..., Any]


class Fake:
    """A channel that fails as often as it is told to, then takes alerts."""

    def __init__(self, name: str, failures: int = 0, error: Exception | None = None) -> None:
        self.name, self.failures = name, failures
        self.error = error or ChannelError("the phone is off")
        self.tries = 0
        self.taken: list[tuple[str, State]] = []

    def send(self, anomaly: Anomaly) -> None:
        self.tries += 1
        if self.failures:
            self.failures -= 1
            raise self.error
        self.taken.append((anomaly.id, anomaly.state))


class Hanging(Fake):
    """A channel that answers when it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.let = threading.Event()
        self.done = threading.Event()

    def send(self, anomaly: Anomaly) -> None:
        self.let.wait(LIMIT_S)
        super().send(anomaly)
        self.done.set()


def revisions(anomaly: Make) -> list[Anomaly]:
    states = (State.OPENED, State.UPDATED, State.UPDATED, State.CLOSED)
    return [anomaly(0, state=state, revision=n + 1) for n, state in enumerate(states)]


def test_one_alert_and_one_all_clear(anomaly: Make, scores: Make, delivered: Make) -> None:
    channel, memory = Fake("a"), Memory()
    sink = AlertSink([channel], memory, patience=QUICK)
    told = [*revisions(anomaly), *revisions(anomaly), scores(0)]
    sink.take([delivered(record, n) for n, record in enumerate(told)])
    sink.flush()
    sink.take([delivered(record, 50 + n) for n, record in enumerate(told)])
    sink.close()
    assert channel.taken == [("a0", State.OPENED), ("a0", State.CLOSED)]
    assert memory.keys == ["a:a0:1", "a:a0:4"]
    assert sink.sent == {"a": 2}


def test_a_restart_does_not_alert_again(anomaly: Make, delivered: Make) -> None:
    memory, pending = Memory(), [delivered(one, n) for n, one in enumerate(revisions(anomaly))]
    AlertSink([Fake("a")], memory, patience=QUICK).take([])
    first = AlertSink([Fake("a")], memory, patience=QUICK)
    first.take(pending)
    first.flush()
    channel = Fake("a")
    second = AlertSink([channel], memory, patience=QUICK)
    assert second.recover(pending) == {(one.stream, one.entry_id) for one in pending}
    second.take(pending)
    second.flush()
    assert channel.taken == []


def test_recover_keeps_what_one_channel_still_lacks(anomaly: Make, scores: Make, delivered: Make) -> None:
    memory = Memory()
    memory.remember("a:a0:1")
    pending = [delivered(anomaly(0), 0), delivered(anomaly(1), 1), delivered(scores(0), 2)]
    both = AlertSink([Fake("a"), Fake("b")], memory, patience=QUICK)
    assert both.recover(pending) == {("nw:scores:{3}", "1770000000002-0")}
    one = AlertSink([Fake("a")], memory, patience=QUICK)
    assert ("nw:anomalies:{3}", "1770000000000-0") in one.recover(pending)


def test_three_tries_then_it_is_counted_and_told_once(anomaly: Make, delivered: Make) -> None:
    channel, lines = Fake("phone", failures=4), list[str]()
    sink = AlertSink([channel], Memory(), patience=QUICK, tell=lines.append)
    for n in range(2):
        sink.take([delivered(anomaly(n), n)])
        sink.flush()
    # Three tries while it was thought to work, one when it was known to fail.
    assert (channel.tries, sink.failed, lines) == (
        4,
        {"phone": 2},
        ["alert channel phone fails: the phone is off"],
    )
    for n in range(2, 4):
        sink.take([delivered(anomaly(n), n)])
        sink.flush()
    assert channel.taken == [("a2", State.OPENED), ("a3", State.OPENED)]
    assert lines[1:] == ["alert channel phone works again; 2 alerts did not go out"]


def test_a_second_try_is_enough(anomaly: Make, delivered: Make) -> None:
    channel, lines = Fake("phone", failures=2), list[str]()
    sink = AlertSink([channel], Memory(), patience=QUICK, tell=lines.append)
    sink.take([delivered(anomaly(0), 0)])
    sink.flush()
    assert (channel.taken, lines) == ([("a0", State.OPENED)], [])


def test_a_mistake_inside_a_channel_is_a_failure_and_its_text_is_not_told(
    anomaly: Make, delivered: Make
) -> None:
    channel = Fake("phone", failures=3, error=RuntimeError("https://user:secret@host"))
    lines: list[str] = []
    sink = AlertSink([channel], Memory(), patience=QUICK, tell=lines.append)
    sink.take([delivered(anomaly(0), 0)])
    sink.flush()
    assert "RuntimeError" in lines[0]
    assert "secret" not in lines[0]


def test_a_dead_channel_delays_no_other(anomaly: Make, delivered: Make) -> None:
    dead, quick, lines = Hanging("dead"), Fake("quick"), list[str]()
    sink = AlertSink([dead, quick], Memory(), tell=lines.append)
    sink.take([delivered(anomaly(0), 0)])
    flushing = threading.Thread(target=sink.flush, daemon=True)
    flushing.start()
    wait_until(lambda: quick.taken == [("a0", State.OPENED)])
    assert flushing.is_alive()  # the other one got its alert while this one still hung
    dead.let.set()
    flushing.join(LIMIT_S)
    assert dead.taken == quick.taken


def test_a_channel_that_hangs_for_good_does_not_hold_the_stream(anomaly: Make, delivered: Make) -> None:
    dead, quick, lines = Hanging("dead"), Fake("quick"), list[str]()
    memory = Memory()
    sink = AlertSink([dead, quick], memory, patience=Patience(limit_s=0.05), tell=lines.append)
    for n in range(3):
        sink.take([delivered(anomaly(n), n)])
        sink.flush()
    assert len(quick.taken) == 3
    assert sink.failed == {"dead": 3}
    assert lines == ["alert channel dead fails: no answer within 0.05 s"]
    dead.let.set()
    assert dead.done.wait(LIMIT_S)
    wait_until(lambda: not sink._workers["dead"].is_alive())
    sink.take([delivered(anomaly(9), 9)])
    sink.flush()
    assert "dead:a0:1" in memory.keys  # late, but sent: it is not sent again
    assert ("a9", State.OPENED) in dead.taken


def test_what_was_taken_stays_taken_when_the_store_is_away(anomaly: Make, delivered: Make) -> None:
    class Away(Memory):
        away = True

        def seen(self, key: str) -> bool:
            if self.away:
                raise OSError("no store")
            return super().seen(key)

    channel, memory = Fake("a"), Away()
    sink = AlertSink([channel], memory, patience=QUICK)
    sink.take([delivered(anomaly(0), 0)])
    with pytest.raises(OSError, match="no store"):
        sink.flush()
    memory.away = False
    sink.flush()
    assert channel.taken == [("a0", State.OPENED)]


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(ChannelError, match="two channels named a"):
        AlertSink([Fake("a"), Fake("a")], Memory())
