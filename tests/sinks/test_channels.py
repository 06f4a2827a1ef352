"""The channels: the console, and Apprise against a real server; none tells a credential."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from detector.anomaly import State
from sinks.alerts import CHANNELS, AlertSink, AppriseChannel, ConsoleChannel, redact
from sinks.errors import ChannelError
from tests.sinks.fakes import LIMIT_S, QUICK, Memory

Make = Callable[..., Any]


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
