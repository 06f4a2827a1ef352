"""A real SMTP server for tests (aiosmtpd): with or without TLS and login, answering as it is told to."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.peers.mosquitto import free_port

LIMIT_S = 10.0


class Mail(NamedTuple):
    """What came in."""

    sender: str
    to: list[str]
    content: bytes
    secured: bool
    user: str

    def read(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


class Mailbox:
    """Keeps every mail in ``mails``. ``answers`` go to the next DATA, one after the other; ``refused`` says
    by recipient what is answered to RCPT; ``held``: while it is set, no mail is answered."""

    def __init__(self, user: str = "", password: str = "") -> None:
        self.mails: list[Mail] = []
        self.answers: list[str] = []
        self.refused: dict[str, str] = {}
        self.sessions: set[Session] = set()
        self._servers: set[SMTP] = set()
        self.held = False
        self.freed = threading.Event()
        self.port = 0
        self._login = (user, password)

    def hang_up(self) -> None:
        """Close every connection, as a server does that has waited for too long."""
        for server in self._servers:
            server.loop.call_soon_threadsafe(server.transport.close)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.held:
            await server.loop.run_in_executor(None, self.freed.wait, LIMIT_S)
        self.sessions.add(session)
        self._servers.add(server)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("2"):
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            user = session.auth_data.login.decode() if session.authenticated else ""
            secured = server.transport.get_extra_info("sslcontext") is not None
            self.mails.append(Mail(str(envelope.mail_from), envelope.rcpt_tos, content, secured, user))
        return answer

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        told = (given.login.decode(), given.password.decode()) if isinstance(given, LoginPassword) else None
        known = told == self._login
        return AuthResult(success=known, handled=False, auth_data=given if known else None)


@contextmanager
def smtp_server(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    most_bytes: int = 20_000_000,
) -> Iterator[Mailbox]:
    """A server while the block runs, on a free port of 127.0.0.1."""
    mailbox = Mailbox(*(login or ()))
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=mailbox.authenticate if login else None,
        auth_require_tls=starttls is not None,
        data_size_limit=most_bytes,
    )
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        mailbox.freed.set()
        controller.stop()
