"""E-mail against a real SMTP server: what is sent, that no name injects anything, what each failure means."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sinks.channels.mail import MailChannel, Table
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Phase
from tests.peers.hook_server import certified
from tests.peers.mosquitto import free_port
from tests.peers.smtp_server import Mail, Mailbox, smtp_server
from tests.sinks.messages import HOSTILE, make_message

LOGIN = ("farm", "hunter2")
PICTURE = b"\xff\xd8" + bytes(range(256)) * 400 + b"\xff\xd9"


@pytest.fixture(name="mailbox")
def _mailbox() -> Iterator[Mailbox]:
    with smtp_server() as mailbox:
        yield mailbox


@pytest.fixture(name="made")
def _made() -> Iterator[list[MailChannel]]:
    """Channels that are closed after the test."""
    made: list[MailChannel] = []
    yield made
    for channel in made:
        channel.close()


Made = list[MailChannel]


def channel(made: Made, box: Mailbox, scheme: str = "smtp", query: str = "", **fields: Any) -> MailChannel:
    host = f"localhost:{box.port}" if fields.get("ca") else f"127.0.0.1:{box.port}"
    user = f"{LOGIN[0]}:{fields.pop('password', LOGIN[1])}@" if fields.pop("login", False) else ""
    timeout_s = fields.pop("timeout_s", 10.0)
    told = {"sender": "Farm <farm@example.org>", "to": ("a@example.org",)} | fields
    made.append(MailChannel(Table(f"{scheme}://{user}{host}{query}", **told), timeout_s=timeout_s))
    return made[-1]


def parts(mail: Mail) -> tuple[str, str, bytes | None]:
    """Text, HTML and picture."""
    message = mail.read()
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    pictures = [part.get_content() for part in message.walk() if part.get_content_type() == "image/jpeg"]
    return text.get_content(), html.get_content(), pictures[0] if pictures else None


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_a_mail_holds_text_html_and_the_picture_shown_in_it(mailbox: Mailbox, made: Made) -> None:
    to = ("a@example.org", "B <b@example.org>")
    message = make_message(links={"see it": "https://farm/?a=1&b=2"})
    channel(made, mailbox, to=to).send(message, PICTURE)
    mail = mailbox.mails[0]
    told = mail.read()
    assert (mail.sender, mail.to) == ("farm@example.org", ["a@example.org", "b@example.org"])
    assert told["from"] == "Farm <farm@example.org>"
    assert told["to"] == "a@example.org, B <b@example.org>"
    assert told["subject"] == message.title
    assert told["date"].datetime.timestamp() * 1e9 == message.made_ns
    text, html, picture = parts(mail)
    assert text == "\r\n".join((*message.lines, "", "see it: https://farm/?a=1&b=2", ""))
    assert picture == PICTURE
    tags = Tags(html).seen
    assert [attributes["href"] for tag, attributes in tags if tag == "a"] == ["https://farm/?a=1&b=2"]
    image = next(part for part in told.walk() if part.get_content_type() == "image/jpeg")
    assert image["content-id"] == f"<{dict(tags)['img']['src'].removeprefix('cid:')}>"  # type: ignore[union-attr]
    assert image.get_filename() == "m1-1.jpg"
    assert told.get_content_type() == "multipart/related"


def test_without_a_picture_the_mail_is_text_and_html_alone(mailbox: Mailbox, made: Made) -> None:
    channel(made, mailbox).send(make_message(), None)
    _, html, picture = parts(mailbox.mails[0])
    assert picture is None
    assert "img" not in dict(Tags(html).seen)


def test_no_name_injects_a_header_or_markup(mailbox: Mailbox, made: Made) -> None:
    evil = f"{HOSTILE}\r\nBcc: x@evil.org\r\n\r\n<script>\n.\n[picture]"
    message = make_message(
        title=evil, lines=(evil, "."), links={evil: "javascript:alert(1)", "ok": 'http://x/"><i>'}
    )
    channel(made, mailbox).send(message, PICTURE)
    assert mailbox.mails[0].to == ["a@example.org"]
    told = mailbox.mails[0].read()
    assert "bcc" not in told
    assert told["subject"] == f"{HOSTILE} Bcc: x@evil.org <script> . [picture]"
    text, html, picture = parts(mailbox.mails[0])
    assert HOSTILE in text
    assert picture == PICTURE
    tags = Tags(html).seen
    assert {tag for tag, _ in tags} == {"html", "body", "h3", "p", "br", "img", "a"}
    assert [attributes["href"] for tag, attributes in tags if tag == "a"] == ['http://x/"><i>']


def test_a_mail_is_ascii_in_lines_that_every_server_takes(mailbox: Mailbox, made: Made) -> None:
    to = [f"Jörg der {number}. <{number}@example.org>" for number in range(100)]
    long = "Drücker🙂" * 200
    message = make_message(
        id="m" * 64, revision=2, title=long, lines=(long, "x" * 2_000), links={long: "http://x"}
    )
    channel(made, mailbox, to=to, sender="Früh <farm@example.org>").send(message, PICTURE)
    content, told = mailbox.mails[0].content, mailbox.mails[0].read()
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1
    assert not any(part.defects for part in told.walk())
    assert [address.display_name for address in told["to"].addresses][99] == "Jörg der 99."
    assert (told["subject"], told["from"]) == (long, "Früh <farm@example.org>")


def test_later_revisions_stand_below_the_first_and_a_repetition_is_known(
    mailbox: Mailbox, made: Made
) -> None:
    sender = channel(made, mailbox)
    for message in (make_message(), make_message(), make_message(revision=2, phase=Phase.CLOSED)):
        sender.send(message, None)
    first, again, closed = (mail.read() for mail in mailbox.mails)
    assert first["message-id"] == again["message-id"] == "<m1-1@example.org>"
    assert (first["in-reply-to"], first["references"]) == (None, None)
    assert closed["message-id"] == "<m1-2@example.org>"
    assert closed["in-reply-to"] == closed["references"] == first["message-id"]


def test_one_connection_serves_for_many_and_one_that_was_closed_is_made_anew(
    mailbox: Mailbox, made: Made
) -> None:
    sender = channel(made, mailbox)
    for number in range(3):
        sender.send(make_message(id=f"m{number}"), None)
    assert len(mailbox.sessions) == 1
    mailbox.hang_up()
    sender.send(make_message(id="m4"), None)
    assert (len(mailbox.mails), len(mailbox.sessions)) == (4, 2)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_tls_and_a_login_are_used(tmp_path: Path, made: Made, scheme: str) -> None:
    tls = certified(tmp_path)
    side = {"tls": tls.context} if scheme == "smtps" else {"starttls": tls.context}
    with smtp_server(**side, login=LOGIN) as box:  # type: ignore[arg-type]
        sender = channel(made, box, scheme, "?plain=no", ca=tls.ca, login=True)
        assert sender.check() == "lets us in with TLS"
        assert not box.mails
        sender.send(make_message(), None)
        assert (box.mails[0].user, box.mails[0].secured) == ("farm", True)
        sender.close()


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(
    ("host", "expired", "told"),
    [("localhost", True, "certificate has expired"), ("b", False, "Hostname mismatch")],
)
def test_a_bad_certificate_is_named(
    tmp_path: Path, made: Made, scheme: str, host: str, expired: bool, told: str
) -> None:
    tls = certified(tmp_path, host, expired=expired)
    side = {"tls": tls.context} if scheme == "smtps" else {"starttls": tls.context}
    with smtp_server(**side, login=LOGIN) as box:  # type: ignore[arg-type]
        sender = channel(made, box, scheme, "?plain=no", ca=tls.ca, login=True)
        for call in (lambda: sender.send(make_message(), None), sender.check):
            with pytest.raises(ChannelError, match=told) as failed:
                call()
            assert not isinstance(failed.value, MessageRefused)
            assert "hunter2" not in str(failed.value)
    assert not box.mails


def test_a_password_never_goes_over_a_line_that_was_to_be_secured(mailbox: Mailbox, made: Made) -> None:
    sender = channel(made, mailbox, query="?plain=no", login=True)
    with pytest.raises(ChannelError, match="STARTTLS"):
        sender.send(make_message(), None)
    assert not mailbox.mails


def test_a_wrong_password_is_told_without_it_and_may_be_corrected(made: Made) -> None:
    with smtp_server(login=LOGIN) as box:
        sender = channel(made, box, login=True, password="other-secret")
        for call in (lambda: sender.send(make_message(), None), sender.check):
            with pytest.raises(ChannelError, match="found 535, expected 235") as failed:
                call()
            assert not isinstance(failed.value, MessageRefused)
            assert "other-secret" not in str(failed.value)
        channel(made, box, login=True).send(make_message(), None)
        assert len(box.mails) == 1
        made[-1].close()


@pytest.mark.parametrize(("answer", "refused"), [("451 later", False), ("554 spam", True), ("550 no", True)])
def test_what_is_answered_to_a_mail_tells_whether_to_try_again(
    mailbox: Mailbox, made: Made, answer: str, refused: bool
) -> None:
    mailbox.answers = [answer]
    sender = channel(made, mailbox)
    with pytest.raises(ChannelError, match=f"found {answer[:3]}") as failed:
        sender.send(make_message(), None)
    assert isinstance(failed.value, MessageRefused) is refused
    sender.send(make_message(), None)
    assert len(mailbox.mails) == 1


def test_recipients_that_are_refused_for_now_are_the_only_ones_to_get_it_later(
    mailbox: Mailbox, made: Made
) -> None:
    mailbox.refused = {"b@example.org": "450 greylisted"}
    sender = channel(made, mailbox, to=("a@example.org", "b@example.org"))
    with pytest.raises(ChannelError, match="1 of 2 recipients: found 450") as failed:
        sender.send(make_message(), None)
    assert not isinstance(failed.value, MessageRefused)
    mailbox.refused = {}
    sender.send(make_message(), None)
    sender.send(make_message(id="m2"), None)
    assert [mail.to for mail in mailbox.mails] == [
        ["a@example.org"], ["b@example.org"], ["a@example.org", "b@example.org"],
    ]  # fmt: skip


def test_a_recipient_that_is_refused_for_good_is_told_and_the_others_have_it(
    mailbox: Mailbox, made: Made
) -> None:
    mailbox.refused = {"b@example.org": "550 no such user"}
    with pytest.raises(MessageRefused, match="1 of 2 recipients: found 550"):
        channel(made, mailbox, to=("a@example.org", "b@example.org")).send(make_message(), None)
    assert [mail.to for mail in mailbox.mails] == [["a@example.org"]]
    with pytest.raises(MessageRefused, match="1 of 1 recipients"):
        channel(made, mailbox, to=("b@example.org",)).send(make_message(), None)


def test_a_picture_of_5_mb_arrives_and_where_it_is_too_large_the_rest_does(made: Made) -> None:
    large = b"\xff\xd8" + bytes(5_000_000) + b"\xff\xd9"
    with smtp_server() as box:
        channel(made, box).send(make_message(), large)
        assert parts(box.mails[0])[2] == large
        made[-1].close()
    with smtp_server(most_bytes=1_000_000) as box:
        sender = channel(made, box)
        sender.send(make_message(), large)
        assert parts(box.mails[0])[2] is None
        with pytest.raises(MessageRefused, match="552"):
            sender.send(make_message(lines=("x" * 2_000_000,)), None)
        sender.close()


def test_a_server_that_hangs_is_let_go_in_time(mailbox: Mailbox, made: Made) -> None:
    mailbox.held = True
    begun = time.monotonic()
    with pytest.raises(ChannelError, match="no answer in time"):
        channel(made, mailbox, timeout_s=0.2).send(make_message(), None)
    assert time.monotonic() - begun < 5.0


def test_a_server_that_is_not_there_is_told_apart_from_one_that_has_no_name() -> None:
    for url, told in (
        (f"smtp://127.0.0.1:{free_port()}", "connection refused"),
        ("smtp://user:hunter2@nowhere.invalid", "no host of this name"),
    ):
        for call in ("send", "check"):
            sender = MailChannel(Table(url, "a@b.org", ("c@d.org",)))
            with pytest.raises(ChannelError, match=told) as failed:
                sender.send(make_message(), None) if call == "send" else sender.check()
            assert "hunter2" not in str(failed.value)
