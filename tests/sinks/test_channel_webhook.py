"""Signed webhooks against a real server: what is sent, how it is signed, and what each failure means."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sinks.channels.webhook import Patience, WebhookChannel, WebhookTable, read
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Phase
from tests.peers.hook_server import HookServer, certified, hook_server
from tests.sinks.conftest import make_anomaly
from tests.sinks.messages import HOSTILE, make_message

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes secret").decode()
QUICK = Patience(connect_s=2.0, read_s=0.2)
FIVE_MB = b"\xff\xd8" + bytes(5_000_000) + b"\xff\xd9"


@pytest.fixture(name="server")
def _server() -> Iterator[HookServer]:
    with hook_server() as server:
        yield server


def channel(server: HookServer, **fields: Any) -> WebhookChannel:
    return WebhookChannel(
        WebhookTable(**{"url": f"{server.url}/hook?token=t0ken", "secret": SECRET} | fields)
    )


def test_a_message_arrives_with_everything_it_tells(server: HookServer) -> None:
    anomaly = make_anomaly(printer=HOSTILE)
    message = make_message(printers=(HOSTILE,), anomalies=(anomaly,), links={"see": "https://x/1"})
    channel(server).send(message, b"jpeg")
    told = server.requests[0].json()
    assert server.requests[0].headers["content-type"] == "application/json"
    assert (told["version"], told["type"]) == (1, "failure.opened")
    assert (told["id"], told["revision"], told["about"], told["phase"]) == ("m1", 1, "failure", "opened")
    assert (told["made_ns"], told["made"]) == (message.made_ns, "2026-02-03T12:00:00.000000000Z")
    assert (told["title"], told["lines"]) == (message.title, list(message.lines))
    assert (told["printers"], told["kinds"]) == ([HOSTILE], ["layer_shift"])
    assert (told["loud"], told["escalated"], told["links"]) == (True, False, {"see": "https://x/1"})
    assert told["picture"] is None
    assert told["anomalies"][0]["onset"] == "2026-02-03T12:00:00.000000001Z"
    assert told["anomalies"][0]["boxes"] == [{"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}]
    assert set(told) == {
        "version", "type", "id", "revision", "about", "phase", "made_ns", "made", "title", "lines",
        "printers", "kinds", "anomalies", "loud", "escalated", "links", "picture",
    }  # fmt: skip


@pytest.mark.parametrize("secret", [SECRET, SECRET.rstrip("="), "any text: päss 🙂"])
def test_what_arrives_is_signed_and_a_changed_body_is_not(server: HookServer, secret: str) -> None:
    channel(server, secret=secret).send(make_message(title=HOSTILE), None)
    request = server.requests[0]
    key = secret if secret.startswith("whsec_") else secret.encode()
    assert Webhook(key).verify(request.body, dict(request.headers)) == json.loads(request.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(request.body.replace(b"opened", b"closed"), dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(b"another").verify(request.body, dict(request.headers))


def test_a_repetition_bears_the_same_id_and_a_later_revision_another(server: HookServer) -> None:
    sender = WebhookChannel(WebhookTable(server.url, SECRET), clock=iter((1000.7, 2000.2, 3000.0)).__next__)
    for message in (make_message(), make_message(), make_message(revision=2, phase=Phase.CLOSED)):
        sender.send(message, None)
    heads = [request.headers for request in server.requests]
    assert [head["webhook-id"] for head in heads] == ["m1-1", "m1-1", "m1-2"]
    assert [head["webhook-timestamp"] for head in heads] == ["1000", "2000", "3000"]
    assert server.requests[2].json()["type"] == "failure.closed"


def test_a_picture_of_5_mb_is_sent_where_it_is_asked_for(server: HookServer) -> None:
    channel(server, picture=True).send(make_message(), FIVE_MB)
    assert base64.b64decode(server.requests[0].json()["picture"]) == FIVE_MB
    Webhook(SECRET).verify(server.requests[0].body, dict(server.requests[0].headers))


def test_a_receiver_that_finds_the_picture_too_large_gets_the_rest(server: HookServer) -> None:
    server.answers = [413, 200]
    channel(server, picture=True).send(make_message(), FIVE_MB)
    large, small = server.requests
    assert large.headers["webhook-id"] == small.headers["webhook-id"]
    assert small.json()["picture"] is None
    server.answers = [413]
    with pytest.raises(MessageRefused, match="413"):
        channel(server).send(make_message(), FIVE_MB)


@pytest.mark.parametrize("status", [400, 404, 405, 410, 413, 414, 415, 422])
def test_what_will_never_be_taken_is_told_apart(server: HookServer, status: int) -> None:
    server.status = status
    with pytest.raises(MessageRefused, match=f"found {status} "):
        channel(server).send(make_message(), None)


@pytest.mark.parametrize("status", [301, 308, 401, 403, 408, 409, 425, 429, 500, 502, 503, 504])
def test_what_may_be_taken_later_is_not_refused(server: HookServer, status: int) -> None:
    server.status = status
    with pytest.raises(ChannelError, match=f"found {status} ") as failed:
        channel(server).send(make_message(), None)
    assert not isinstance(failed.value, MessageRefused)


def test_after_a_500_the_same_message_is_taken(server: HookServer) -> None:
    server.answers = [500]
    sender = channel(server)
    with pytest.raises(ChannelError, match=r"500 \(Internal Server Error\)"):
        sender.send(make_message(), None)
    sender.send(make_message(), None)
    first, second = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_nothing_is_sent_on_to_where_a_receiver_points(server: HookServer) -> None:
    with hook_server() as other:
        server.status, server.headers = 307, {"location": f"{other.url}/elsewhere"}
        with pytest.raises(ChannelError, match="elsewhere"):
            channel(server).send(make_message(), None)
        with pytest.raises(ChannelError, match="307"):
            channel(server).check()
    assert not other.requests


def test_one_connection_serves_for_many_messages(server: HookServer) -> None:
    sender = channel(server)
    for number in range(5):
        sender.send(make_message(id=f"m{number}"), None)
    sender.close()
    assert (len(server.requests), server.connections) == (5, 1)


def test_a_receiver_that_hangs_is_let_go_in_time(server: HookServer) -> None:
    server.held = True
    sender = WebhookChannel(WebhookTable(server.url, SECRET), patience=QUICK)
    begun = time.monotonic()
    with pytest.raises(ChannelError, match="no answer in time"):
        sender.send(make_message(), None)
    assert time.monotonic() - begun < 5.0


def test_a_receiver_that_is_not_there_is_told_apart_from_one_that_has_no_name() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for call in ("send", "check"):
            sender = WebhookChannel(WebhookTable(f"http://127.0.0.1:{port}/t0ken", SECRET))
            with pytest.raises(ChannelError, match="connection refused") as failed:
                sender.send(make_message(), None) if call == "send" else sender.check()
            assert "t0ken" not in str(failed.value)
    with pytest.raises(ChannelError, match="no host of this name"):
        WebhookChannel(WebhookTable("http://nowhere.invalid/t0ken", SECRET)).check()


def test_a_certificate_that_is_vouched_for_is_accepted_and_no_other(tmp_path: Path) -> None:
    tls = certified(tmp_path)
    with hook_server(tls.context) as server:
        channel(server, ca=tls.ca).send(make_message(), None)
        assert channel(server, ca=tls.ca).check().startswith("answers with 200 (OK)")
        with pytest.raises(ChannelError, match="unable to get local issuer certificate"):
            channel(server).send(make_message(), None)
    assert len(server.requests) == 2


def test_the_proxy_and_the_authorities_of_the_environment_are_used(
    server: HookServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certified(tmp_path)
    with hook_server(tls.context) as secured:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls.ca)
        channel(secured).send(make_message(), None)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    channel(server, url="http://nowhere.invalid/hook").send(make_message(), None)
    assert server.requests[0].path == "http://nowhere.invalid/hook"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    channel(server).send(make_message(), None)
    assert server.requests[1].path == "/hook?token=t0ken"


def test_an_expired_certificate_and_one_of_another_host_are_named(tmp_path: Path) -> None:
    for host, expired, told in (("localhost", True, "certificate has expired"), ("other", False, "Hostname")):
        tls = certified(tmp_path, host, expired=expired)
        with hook_server(tls.context) as server:
            for call in ("send", "check"):
                sender = channel(server, ca=tls.ca)
                with pytest.raises(ChannelError, match=told) as failed:
                    sender.send(make_message(), None) if call == "send" else sender.check()
                assert "t0ken" not in str(failed.value)
        assert not server.requests


def test_a_check_sends_no_event_and_tells_wrong_credentials(server: HookServer) -> None:
    assert "405" in (channel(server, url=_answering(server, 405)).check())
    assert {request.method for request in server.requests} == {"OPTIONS"}
    assert server.requests[0].body == b""
    Webhook(SECRET).verify(b"", dict(server.requests[0].headers), json_parse=False)
    for status in (401, 403, 500, 503):
        with pytest.raises(ChannelError, match=str(status)):
            channel(server, url=_answering(server, status)).check()


def _answering(server: HookServer, status: int) -> str:
    server.status = status
    return server.url


def test_what_logs_in_is_what_the_address_holds_and_no_error_tells_it(
    server: HookServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    channel(server).send(make_message(), None)
    assert "authorization" not in server.requests[0].headers
    server.status = 401
    url = f"http://user:hunter2@{server.netloc}/t0ken"
    with pytest.raises(ChannelError, match=r"401 \(Unauthorized\)") as failed:
        channel(server, url=url).send(make_message(), None)
    expected = base64.b64encode(b"user:hunter2").decode()
    assert server.requests[1].headers["authorization"] == f"Basic {expected}"
    assert not any(secret in str(failed.value) for secret in ("hunter2", "t0ken", SECRET, "user"))


def test_tables_become_channels_with_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "from the environment")
    mistakes: list[str] = []
    told = {"url": "https://user:pw@example.org:8443/a?b=c", "secret": "$HOOK_SECRET"}
    made = read([told, told | {"escalation": True}, {"url": "http://b", "secret": "x"}], "w", mistakes)
    assert mistakes == []
    assert [one.name for one in made] == [
        "webhook https://example.org:8443", "webhook https://example.org:8443 #2", "webhook http://b",
    ]  # fmt: skip
    assert [one.escalation for one in made] == [False, True, False]
    assert all(one.replaces for one in made)


def test_every_mistake_is_told_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    mistakes: list[str] = []
    good = {"url": "https://a/hunter2", "secret": "hunter2"}
    found = [
        good | {"url": "ftp://hunter2@a/hunter2"},
        good | {"url": "https://a:port/hunter2"},
        good | {"url": "https://two words/hunter2"},
        good | {"secret": ""},
        good | {"secret": "whsec_hunter2!"},
        good | {"secret": "$NO_SUCH"},
        good | {"ca": "/no/such/file.pem"},
        good | {"sekret": "hunter2", "picture": "yes"},
        {"url": ["hunter2"]},
        "https://hunter2",
        good,
    ]
    assert [one.name for one in read(found, "alerts.webhooks", mistakes)] == ["webhook https://a"]
    assert mistakes == [
        'alerts.webhooks[0]: url: found ftp://***, expected an address as "https://host/path"',
        'alerts.webhooks[1]: url: found ***, expected an address as "https://host/path"',
        'alerts.webhooks[2]: url: found https://two words, expected an address as "https://host/path"',
        "alerts.webhooks[3]: secret: found an empty text, expected what the receiver checks signatures with",
        "alerts.webhooks[4]: secret: found whsec_ and something else, expected base64 after it",
        "alerts.webhooks[5]: found $NO_SUCH, expected an environment variable of that name: set NO_SUCH",
        "alerts.webhooks[6]: ca: found '/no/such/file.pem' (No such file or directory), "
        "expected a file with certificates (PEM)",
        "alerts.webhooks[7].sekret: found an unknown key (= '***'), expected none of this name; "
        "did you mean secret?",
        "alerts.webhooks[7].picture: found 'yes', expected true or false",
        "alerts.webhooks[8].url: found ['***'], expected an address as \"https://host/path\"",
        "alerts.webhooks[8].secret: found nothing, expected what the receiver checks signatures with, "
        'as "$HOOK_SECRET"',
        "alerts.webhooks[9]: found a text, expected a table",
    ]
