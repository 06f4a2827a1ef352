"""Apprise's connections: kept for what comes in quick succession, and nothing else is kept with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.channels import apprise_http
from sinks.channels.apprise_http import Connections
from sinks.channels.apprise_urls import AppriseChannel
from tests.peers.hook_server import HookServer, hook_server
from tests.sinks.messages import make_message


@pytest.fixture(name="service")
def _service() -> Iterator[HookServer]:
    with hook_server() as server:
        yield server


def send(channel: AppriseChannel, count: int) -> None:
    for number in range(count):
        channel.send(make_message(id=f"m{number}"), None)
    channel.close()


def test_one_connection_serves_for_many_messages(service: HookServer) -> None:
    send(AppriseChannel(f"json://{service.netloc}"), 5)
    assert (len(service.requests), service.connections) == (5, 1)


def test_each_channel_has_connections_of_its_own(service: HookServer) -> None:
    send(AppriseChannel(f"json://{service.netloc}/one"), 2)
    send(AppriseChannel(f"json://{service.netloc}/other"), 2)
    assert (len(service.requests), service.connections) == (4, 2)


def test_a_connection_that_was_idle_for_long_is_not_trusted(
    service: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_http, "IDLE_S", -1.0)
    send(AppriseChannel(f"json://{service.netloc}"), 2)
    assert (len(service.requests), service.connections) == (2, 2)


def test_no_cookie_and_no_netrc_goes_with_a_request(
    service: HookServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Connections() as connections:
        connections.cookies.set("of", "the last one")
        connections.post(service.url)
    assert not {"cookie", "authorization"} & {name.lower() for name in service.requests[0].headers}


def test_the_proxy_of_the_environment_is_used(service: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", service.url)
    send(AppriseChannel("json://only-the-proxy-knows.example/hook"), 1)
    assert len(service.requests) == 1
