"""Apprise's own services against local stand-ins: what arrives, what a name cannot do, what failures mean."""

from __future__ import annotations

import base64
import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram

from sinks.channels.apprise_urls import AppriseChannel, read, read_escalation
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Phase
from tests.peers.hook_server import HookServer, certified, hook_server
from tests.peers.mosquitto import free_port
from tests.sinks.messages import make_message

PICTURE = b"\xff\xd8" + bytes(range(256)) * 40 + b"\xff\xd9"
LINK = "https://farm.example.org/p/my_part?a=1&b=2"
DISCORD = "discord://4711/t0ken"
TELEGRAM = "tgram://123456789:t0ken-abcdefgh_ijk/4711"


@pytest.fixture(name="service")
def _service(monkeypatch: pytest.MonkeyPatch) -> Iterator[HookServer]:
    """A server that Discord, Telegram and Slack are sent to; others name it in their address."""
    with hook_server() as server:
        monkeypatch.setattr(NotifyDiscord, "notify_url", f"{server.url}/discord")
        monkeypatch.setattr(NotifyTelegram, "notify_url", f"{server.url}/bot")
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/slack")
        yield server


@pytest.fixture(name="logged")
def _logged() -> Iterator[io.StringIO]:
    """What a log of everything holds: caplog would hear those, too, who tell nobody."""
    root, text = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_message_arrives_with_its_picture_and_in_its_colour(service: HookServer) -> None:
    channel = AppriseChannel(f"json://{service.netloc}")
    channel.send(make_message(links={"see": LINK}), PICTURE)
    channel.send(make_message(phase=Phase.CLOSED, revision=2), None)
    opened, closed = (request.json() for request in service.requests)
    message = make_message()
    assert opened["title"] == message.title
    assert opened["message"] == "\n".join((*message.lines, f"see: {LINK}"))
    assert opened["attachments"] == [
        {"filename": "m1-1.jpg", "base64": base64.b64encode(PICTURE).decode(), "mimetype": "image/jpeg"}
    ]
    assert closed["attachments"] == []
    assert (opened["type"], closed["type"]) == ("warning", "success")


@pytest.mark.parametrize("status", [400, 413, 415, 500])
@pytest.mark.parametrize("url", ["ntfy", TELEGRAM])
def test_a_service_that_rejects_the_picture_gets_the_text(service: HookServer, url: str, status: int) -> None:
    service.answers = [status]
    AppriseChannel(f"ntfy://{service.netloc}/farm" if url == "ntfy" else url).send(make_message(), PICTURE)
    rejected, taken = service.requests
    assert len(rejected.body) > len(PICTURE) > len(taken.body) or rejected.body == PICTURE
    told = taken.json()
    assert "benchy.gcode" in (told["message"] if url == "ntfy" else told["text"])


def test_a_text_that_is_out_is_not_sent_twice_for_the_sake_of_a_picture(service: HookServer) -> None:
    service.answers = [200, 413]
    AppriseChannel(DISCORD).send(make_message(), PICTURE)
    assert len(service.requests) == 2
    assert [b"benchy" in request.body for request in service.requests] == [True, False]


def test_a_picture_of_5_mb_arrives(service: HookServer) -> None:
    large = b"\xff\xd8" + bytes(5_000_000) + b"\xff\xd9"
    AppriseChannel(f"ntfy://{service.netloc}/farm").send(make_message(), large)
    assert service.requests[0].body == large


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (401, False), (403, False), (404, False), (413, True), (429, False), (503, False)],
)
def test_what_a_status_means(service: HookServer, status: int, refused: bool) -> None:
    service.status = status
    with pytest.raises(ChannelError, match=f"found {status} ") as failed:
        AppriseChannel(DISCORD).send(make_message(), None)
    assert isinstance(failed.value, MessageRefused) is refused
    assert "t0ken" not in str(failed.value)


def test_wrong_credentials_are_not_tried_without_the_picture_nor_told(
    service: HookServer, logged: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    service.status = 401
    channel = AppriseChannel(f"json://user:hunter2@{service.netloc}/token-4711?key=k3y")
    with pytest.raises(ChannelError, match=r"401 \(Unauthorized\): check the token or password") as failed:
        channel.send(make_message(), PICTURE)
    assert len(service.requests) == 1
    told = str(failed.value) + channel.name + logged.getvalue() + "".join(capfd.readouterr())
    assert f"json://127.0.0.1:{service.server_port}" in told
    assert not any(secret in told for secret in ("hunter2", "4711", "k3y", "user:"))


def test_after_a_500_the_same_message_is_taken(service: HookServer) -> None:
    service.answers = [500]
    channel = AppriseChannel(f"json://{service.netloc}")
    with pytest.raises(ChannelError, match="found 500"):
        channel.send(make_message(), None)
    channel.send(make_message(), None)
    first, second = service.requests
    assert first.body == second.body


def test_a_service_that_hangs_is_let_go_in_time_and_not_tried_twice(service: HookServer) -> None:
    service.held = True
    begun = time.monotonic()
    with pytest.raises(ChannelError, match="no answer in time"):
        AppriseChannel(f"json://{service.netloc}/?rto=0.2").send(make_message(), PICTURE)
    assert time.monotonic() - begun < 4.0
    assert len(service.requests) == 1


@pytest.mark.parametrize("call", ["send", "check"])
def test_a_host_that_is_not_there_is_told(call: str) -> None:
    for url, told in (
        (f"json://127.0.0.1:{free_port()}", "connection refused"),
        ("ntfy://nowhere.invalid/a", "no host"),
    ):
        channel = AppriseChannel(url)
        with pytest.raises(ChannelError, match=told):
            channel.send(make_message(), PICTURE) if call == "send" else channel.check()


@pytest.mark.parametrize("call", ["send", "check"])
def test_an_expired_certificate_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    tls = certified(tmp_path, expired=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls.ca)
    with hook_server(tls.context) as server:
        channel = AppriseChannel(f"ntfys://{server.netloc}/farm")
        with pytest.raises(ChannelError, match="certificate has expired"):
            channel.send(make_message(), PICTURE) if call == "send" else channel.check()
    assert not server.requests


def test_a_check_asks_the_host_and_sends_nothing(service: HookServer) -> None:
    for url in (f"ntfy://{service.netloc}/farm", DISCORD, TELEGRAM):
        assert AppriseChannel(url).check().startswith("its host answers")
    assert [(request.method, request.path) for request in service.requests] == [("HEAD", "/")] * 3
    assert AppriseChannel("mmost://127.0.0.1:1/abcdefgh").check().startswith("address accepted")


def test_many_messages_do_not_wait_for_each_other(service: HookServer) -> None:
    """Apprise lets 5.5 s pass between two requests, where it is not told otherwise."""
    channel, begun = AppriseChannel(f"ntfy://{service.netloc}/farm"), time.monotonic()
    for number in range(3):
        channel.send(make_message(id=f"m{number}"), None)
    assert time.monotonic() - begun < 5.0


def test_each_url_is_a_channel_with_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    mistakes: list[str] = []
    made = read(["json://a/1", "json://a/$TOKEN", "json://b", DISCORD], "alerts.apprise", mistakes)
    assert [channel.name for channel in made] == ["json://a #1", "json://a #2", "json://b", "discord://***"]
    assert not any(channel.escalation or channel.replaces for channel in made)
    escalated = read_escalation([DISCORD], "alerts.escalation", mistakes)
    assert [(one.name, one.escalation) for one in escalated] == [("escalation discord://***", True)]
    assert mistakes == []


def test_every_mistake_is_told_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    mistakes: list[str] = []
    found = [
        "jsonn://user:hunter2@host",
        "tgram://hunter2",
        "json://fine",
        "json://a/$NO_SUCH",
        "",
        "a://b, c://d",
    ]
    assert [channel.name for channel in read(found, "w", mistakes)] == ["json://fine"]
    for wrong in ("ntfy://hunter2/x", ["json://hunter2", 3], {"url": "hunter2"}, 5):
        assert read(wrong, "w", mistakes) == []
    see = "expected an Apprise URL: see https://appriseit.com"
    assert mistakes == [
        f"w: found jsonn://***, {see}",
        f"w: found tgram://***, {see}",
        "w: found $NO_SUCH, expected an environment variable of that name: set NO_SUCH",
        f"w: found ***, {see}",
        f"w: found a://***, {see}",
        "w: found ntfy://***, expected a list of Apprise URLs",
        "w: found a list with something else in it, expected a list of Apprise URLs",
        "w: found a table, expected a list of Apprise URLs",
        "w: found 5, expected a list of Apprise URLs",
    ]
