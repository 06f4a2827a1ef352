"""Alerts: one when it opens, one when it is over, each once per channel, and no channel in another's way."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from detector.anomaly import Anomaly, State
from sinks.alerts import CHANNELS, AlertSink, AppriseChannel, ConsoleChannel, Patience, redact
from sinks.errors import ChannelError

LIMIT_S = 30.0
QUICK = Patience(tries=3, backoff_s=0.0, limit_s=LIMIT_S)
Make = Callable[..., Any]


class Memory:
    """What Redis remembers."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def seen(self, key: str) -> bool:
        return key in self.keys

    def remember(self, key: str) -> None:
        self.keys.append(key)


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


class Service(ThreadingHTTPServer):
    """A real web service that keeps what it is sent and answers with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.told: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join(LIMIT_S)


@pytest.fixture(name="service")
def _service() -> Iterator[Service]:
    with serving() as service:
        yield service


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
    wait_for(lambda: quick.taken == [("a0", State.OPENED)])
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
    wait_for(lambda: not sink._workers["dead"].is_alive())
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


def test_the_console_shows_one_plain_line_whatever_a_name_holds(anomaly: Make) -> None:
    out = io.StringIO()
    ConsoleChannel(out, UTC).send(anomaly(0, printer="[red]x[/red] :fire:\x1b[2J\n2", text="[/] bad\r\nend"))
    assert out.getvalue() == (
        "2026-02-03 12:00:38 UTC  [red]x[/red] :fire: [2J 2  layer shift opened  90 %  "
        "since 12:00:00, 38 s  [/] bad end\n"
    )


def test_a_closed_terminal_is_a_channel_error(anomaly: Make) -> None:
    out = io.StringIO()
    out.close()
    with pytest.raises(ChannelError, match="console"):
        ConsoleChannel(out).send(anomaly(0))


def test_apprise_reaches_a_real_service(service: Service, anomaly: Make) -> None:
    channel = AppriseChannel([service.url])
    channel.send(anomaly(0, printer="<b>voron</b> & co"))
    channel.send(anomaly(0, state=State.CLOSED, revision=2))
    opened, closed = service.told
    assert opened["title"] == "<b>voron</b> & co: layer shift (92 %)"
    assert "Job: benchy.gcode" in opened["message"]
    assert "Why: the layers no longer lie above each other" in opened["message"]
    assert "Since: 2026-02-03 " in opened["message"]
    assert (opened["type"], closed["type"]) == ("warning", "success")
    assert closed["title"] == "voron-2: layer shift is over after 38 s"


def test_a_service_that_took_an_alert_is_not_sent_it_again(service: Service, anomaly: Make) -> None:
    with serving() as other:
        other.status = 500
        channel = AppriseChannel([service.url, other.url])
        with pytest.raises(ChannelError, match=str(other.server_port)) as failed:
            channel.send(anomaly(0))
        assert str(service.server_port) not in str(failed.value)
        other.status = 200
        channel.send(anomaly(0))
    assert (len(service.told), len(other.told)) == (1, 2)


def test_a_refused_alert_tells_no_credentials(
    service: Service, anomaly: Make, delivered: Make, caplog: pytest.LogCaptureFixture
) -> None:
    service.status = 401
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []
    url = service.url.replace("://", "://user:hunter2@") + "/token-4711?key=k3y"
    sink = AlertSink([AppriseChannel([url])], Memory(), patience=QUICK, tell=lines.append)
    sink.take([delivered(anomaly(0), 0)])
    sink.flush()
    assert len(service.told) == 3
    told = "".join(lines)
    assert f"json://127.0.0.1:{service.server_port}" in told
    assert not any(secret in told for secret in ("hunter2", "4711", "k3y"))
    assert "hunter2" not in caplog.text


def test_urls_that_apprise_cannot_use_are_listed_without_credentials() -> None:
    with pytest.raises(ChannelError) as failed:
        AppriseChannel(["jsonn://user:hunter2@host", "tgram://hunter2", "json://fine"])
    assert "jsonn://***, tgram://***" in str(failed.value)
    assert "hunter2" not in str(failed.value)
    assert "fine" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("json://user:pass@host:8080/token?x=secret", "json://host:8080"),
        ("mailto://user:pass@example.org?to=me@x.org", "mailto://example.org"),
        ("https://hooks.slack.com/services/T1/B2/C3", "https://hooks.slack.com"),
        ("discord://webhook-id/webhook-token", "discord://***"),
        ("tgram://123456:token/chat", "tgram://***"),
        ("JSON://Host/p", "json://host"),
        ("json://host:port-that-is-none/", "***"),
        ("json://[half", "***"),
        ("user:pass@host", "***"),
        ("secret", "***"),
        ("", "***"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_each_url_is_a_channel_with_a_name_of_its_own() -> None:
    made = CHANNELS["apprise"](["json://a/1", "json://a/2", "json://b"])
    assert [channel.name for channel in made] == ["json://a #1", "json://a #2", "json://b"]
    assert [channel.name for channel in CHANNELS["console"]([])] == ["console"]


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, f"not within {LIMIT_S} s"
