"""A printer's name is a name, on every service of Apprise's: no mention, no link, no markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram

from sinks.channels.apprise_urls import AppriseChannel
from sinks.message import Message
from tests.peers.hook_server import HookServer, hook_server
from tests.sinks.messages import HOSTILE, make_message

PICTURE = b"\xff\xd8" + bytes(range(256)) * 40 + b"\xff\xd9"
LINK = "https://farm.example.org/p/my_part?a=1&b=2"
DISCORD = "discord://4711/t0ken"
TELEGRAM = "tgram://123456789:t0ken-abcdefgh_ijk/4711"
GAP = "\u200b"


@pytest.fixture(name="service")
def _service(monkeypatch: pytest.MonkeyPatch) -> Iterator[HookServer]:
    """A server that Discord, Telegram and Slack are sent to; others name it in their address."""
    with hook_server() as server:
        monkeypatch.setattr(NotifyDiscord, "notify_url", f"{server.url}/discord")
        monkeypatch.setattr(NotifyTelegram, "notify_url", f"{server.url}/bot")
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/slack")
        yield server


def hostile() -> Message:
    return make_message(
        title=f"{HOSTILE}: stall", lines=(f"Printer: {HOSTILE}", "Job: a_b_c"), links={"see": LINK}
    )


def test_what_reads_names_as_they_are_gets_them_so(service: HookServer) -> None:
    AppriseChannel(f"json://{service.netloc}").send(hostile(), None)
    assert service.requests[0].json()["title"] == f"{HOSTILE}: stall"


def assert_asleep(text: str) -> None:
    """No mention, no tag and no link is left but the farm's own, and the text looks as it was."""
    own = text.replace(LINK, "")
    assert "@everyone" not in own
    assert "<b>" not in own
    assert "](http" not in own
    assert "://" not in own
    assert HOSTILE in own.replace(GAP, "").replace("\\", "")


@pytest.mark.parametrize("picture", [None, PICTURE])
def test_a_name_injects_nothing_on_ntfy(service: HookServer, picture: bytes | None) -> None:
    AppriseChannel(f"ntfy://{service.netloc}/farm").send(hostile(), picture)
    request = service.requests[0]
    if picture is None:
        told = request.json()
    else:
        assert request.body == PICTURE
        told = {key: value for key, (value,) in parse_qs(urlsplit(request.path).query).items()}
        assert (urlsplit(request.path).path, told["filename"]) == ("/farm", "m1-1.jpg")
    assert_asleep(told["title"])
    assert_asleep(told["message"])
    assert LINK in told["message"]
    assert "x-markdown" not in request.headers


@pytest.mark.parametrize("url", [DISCORD, f"{DISCORD}?format=markdown"])
def test_a_name_injects_nothing_on_discord(service: HookServer, url: str) -> None:
    AppriseChannel(url).send(hostile(), PICTURE)
    text, picture = service.requests
    told = text.json()
    said = (
        told["content"]
        if "content" in told
        else told["embeds"][0]["title"] + told["embeds"][0]["description"]
    )
    assert text.path.startswith("/discord/4711/t0ken")
    assert_asleep(said)
    assert f"[see]({LINK})" in said
    assert "a\\_b\\_c" in said
    unescaped = re.sub(r"\\[_*\[\]()~`>#+=|{}.!-]", "", said.replace(f"[see]({LINK})", ""))
    assert not set(unescaped) & set("*_[]()`~|")
    assert "allowed_mentions" not in told or not told["allowed_mentions"]["parse"]
    assert picture.form()["files[0]"] == PICTURE


def test_a_native_discord_address_is_read_as_discords(service: HookServer) -> None:
    AppriseChannel("https://discord.com/api/webhooks/4711/t0ken").send(hostile(), None)
    assert "a\\_b\\_c" in service.requests[0].json()["content"]


def test_a_name_injects_nothing_on_telegram(service: HookServer) -> None:
    channel = AppriseChannel(TELEGRAM)
    channel.send(hostile(), None)
    channel.send(hostile(), PICTURE)
    text, photo = service.requests
    told, form = text.json(), photo.form()
    assert photo.path.endswith("/sendPhoto")
    assert form["photo"] == PICTURE
    for said, mode in (
        (told["text"], told["parse_mode"]),
        (form["caption"].decode(), form["parse_mode"].decode()),
    ):
        assert mode == "HTML"
        assert set(re.findall(r"<[^>]*>", said)) == {"<b>", "</b>"}  # Apprise's own, about the title
        assert_asleep(unescape(re.sub(r"</?b>", "", said)))
        assert "&amp;amp;" not in said
        assert "&amp;lt;" not in said


def test_a_name_injects_nothing_on_telegram_with_markdown(service: HookServer) -> None:
    AppriseChannel(f"{TELEGRAM}/?format=markdown").send(hostile(), None)
    told = service.requests[0].json()["text"]
    assert "\\*y\\*" in told
    assert "a\\_b\\_c" in told
    assert_asleep(told)


def test_a_name_injects_nothing_on_slack(service: HookServer) -> None:
    service.content = b"ok"
    message = make_message(title="<!channel> stall", lines=("<!here|x> <https://evil|good>",))
    AppriseChannel("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ").send(message, None)
    told = service.requests[0].json()["attachments"][0]
    assert "<" not in told["title"] + told["text"]
