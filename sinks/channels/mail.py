"""E-mail: text and HTML, the picture in it, the revisions of a message in one thread.

One connection serves for what comes in quick succession; a server that has closed it is connected anew.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import time
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from ingest.errors import UsageError
from sinks.channels.addresses import redact
from sinks.channels.channel import Channel
from sinks.channels.mail_address import mailbox, server
from sinks.channels.mail_text import host_of, mail
from sinks.channels.reasons import reason
from sinks.channels.tables import numbered, read_tables, tls_context
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Message

TIMEOUT_S = 10.0
"""For each answer of the server."""
IDLE_S = 20.0
"""For so long a connection is kept for the next message: servers close it after some minutes."""
OWED = 200
"""Messages of which it is remembered who is still to get them."""
_PERMANENT = 500
"""Replies from here on mean never, those below later (RFC 5321, 4.2.1)."""
_CLOSING, _TOO_LARGE = 421, 552


class TooLarge(MessageRefused):
    """The server takes no mail of this size."""


class Table(NamedTuple):
    """``[alerts.mail]``."""

    url: str
    sender: str
    to: tuple[str, ...]
    ca: str = ""
    escalation: bool = False


_SCHEMA = msgspec.defstruct(  # a class statement cannot have a field "from"
    "MailTable",
    [
        ("url", Annotated[str, Meta(description='an address as "smtps://user:$PASSWORD@host:465"')]),
        ("from", Annotated[str, Meta(description="an e-mail address")]),
        ("to", Annotated[list[str], Meta(min_length=1, description="a list of e-mail addresses")]),
        ("ca", Annotated[str, Meta(description="a file with certificates (PEM)")], ""),
        ("escalation", Annotated[bool, Meta(description="true or false")], False),
    ],
    frozen=True,
)


class MailChannel:
    """Mails through one server."""

    replaces = False
    pictured = True

    def __init__(self, table: Table, name: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raises ChannelError or UsageError for an address or a file that cannot be used."""
        self.name = name or f"mail {redact(table.url)}"
        self.escalation = table.escalation
        self._server = server(table.url)
        self._sender = mailbox(table.sender, "from")
        self._to = tuple(mailbox(one, "to") for one in table.to)
        self._tls = tls_context(table.ca)
        self._timeout_s = timeout_s
        self._open: smtplib.SMTP | None = None
        self._used_s = 0.0  # monotonic
        self._owed: dict[tuple[str, int], list[str]] = {}

    def send(self, message: Message, picture: bytes | None) -> None:
        try:
            self._offer(message, picture)
        except TooLarge:
            if picture is None:
                raise
            self._offer(message, None)  # better without the picture than not at all

    def _offer(self, message: Message, picture: bytes | None) -> None:
        key = (message.id, message.revision)
        to = self._owed.get(key, [address.addr_spec for address in self._to])
        content = mail(message, picture, self._sender, self._to)
        refused = self._deliver(content, to)
        self._owed.pop(key, None)
        if later := [address for address, code in refused.items() if code < _PERMANENT]:
            self._remember(key, later)
        if refused:
            raise self._refusal(refused, len(to), bool(later))

    def check(self) -> str:
        self.close()
        try:
            connection = self._connect()
            try:
                connection.noop()
                secured = "with TLS" if self._server.tls or self._server.starttls else "without TLS"
            finally:
                _quit(connection)
        except (OSError, smtplib.SMTPException) as error:
            raise self._failure(error) from None
        return f"lets us in {secured}" if self._server.user else f"answers {secured}, nobody logs in"

    def close(self) -> None:
        if self._open is not None:
            _quit(self._open)
        self._open = None

    def _deliver(self, content: bytes, to: list[str]) -> dict[str, int]:
        """Send to all of ``to``; the codes of those who were refused. Raises ChannelError."""
        fresh = self._open is None or time.monotonic() - self._used_s > IDLE_S
        try:
            try:
                return self._transact(content, to, fresh)
            except smtplib.SMTPException as error:
                if fresh or not _was_closed(error):
                    raise
                return self._transact(content, to, True)
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise self._failure(error) from None

    def _transact(self, content: bytes, to: list[str], fresh: bool) -> dict[str, int]:
        if fresh or self._open is None:
            self.close()
            self._open = self._connect()
        try:
            refused = self._open.sendmail(self._sender.addr_spec, to, content)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        self._used_s = time.monotonic()
        return {address: code for address, (code, _) in refused.items()}

    def _connect(self) -> smtplib.SMTP:
        """A connection that is secured and logged in."""
        host, port, ehlo = self._server.host, self._server.port, host_of(socket.gethostname())
        if self._server.tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, local_hostname=ehlo, timeout=self._timeout_s, context=self._tls
            )
        else:
            connection = smtplib.SMTP(host, port, local_hostname=ehlo, timeout=self._timeout_s)
        try:
            if self._server.starttls:
                connection.starttls(context=self._tls)
            if self._server.user:
                connection.login(self._server.user, self._server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _remember(self, key: tuple[str, int], to: list[str]) -> None:
        self._owed[key] = to
        if len(self._owed) > OWED:
            self._owed.pop(next(iter(self._owed)))

    def _refusal(self, refused: dict[str, int], asked: int, later: bool) -> ChannelError:
        codes = ", ".join(map(str, sorted(set(refused.values()))))
        found = f"{self.name} did not take it for {len(refused)} of {asked} recipients: found {codes}"
        if later:
            return ChannelError(f"{found}; it is tried again for them")
        return MessageRefused(f"{found}: check the addresses under to")

    def _failure(self, error: Exception) -> ChannelError:
        """What an error of the conversation means. What the server said is not repeated: only its code."""
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return ChannelError(
                f"{self.name} does not let us in: found {error.smtp_code}, expected 235: check user and "
                "password (many providers want an app password)"
            )
        if isinstance(error, smtplib.SMTPNotSupportedError):
            wanted = "STARTTLS and a login" if self._server.user else "STARTTLS"
            return ChannelError(f"{self.name} cannot be used: expected {wanted}, found it lacks one of them")
        if isinstance(error, smtplib.SMTPResponseException):
            found = f"{self.name} did not take it: found {error.smtp_code}, expected 250"
            if error.smtp_code == _TOO_LARGE:
                return TooLarge(f"{found}: it is too large for it")
            if error.smtp_code >= _PERMANENT and isinstance(error, smtplib.SMTPDataError):
                return MessageRefused(f"{found}: taken for spam, or from somebody who may not send")
            return ChannelError(f"{found}: {_advice(error.smtp_code)}")
        return ChannelError(f"{self.name} cannot be reached: {_broken(error)}")


def read(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``[alerts.mail]``: a channel; several ``[[alerts.mail]]``: a channel each."""
    channels: list[Channel] = []
    for place, told in read_tables(found, _SCHEMA, where, mistakes, ("from", "to", "ca", "escalation")):
        try:
            table = _table(msgspec.structs.asdict(told))
            name = numbered(f"mail {redact(table.url)}", [channel.name for channel in channels])
            channels.append(MailChannel(table, name))
        except (ChannelError, UsageError) as error:
            mistakes.append(f"{place}: {error}")
    return channels


def _table(told: dict[str, Any]) -> Table:
    return Table(told["url"], told["from"], tuple(told["to"]), told["ca"], told["escalation"])


def _advice(code: int) -> str:
    return "it is tried again" if code < _PERMANENT else "check the server and the address under from"


def _was_closed(error: smtplib.SMTPException) -> bool:
    """Whether a kept connection ended because the server had enough of it, not because it is slow."""
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return not isinstance(error.__context__, TimeoutError)
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code == _CLOSING


def _broken(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "it broke off" if error.__context__ is None else reason(error.__context__)
    return reason(error)


def _quit(connection: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        connection.quit()
    with contextlib.suppress(OSError):
        connection.close()
