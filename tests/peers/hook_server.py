"""A real HTTP(S) server for tests of what sends: it keeps every request and answers as it is told to."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import trustme

LIMIT_S = 10.0


class Request(NamedTuple):
    """What was asked for."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def form(self) -> dict[str, bytes]:
        """The contents of a multipart form by their names."""
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        whole = message_from_bytes(head + self.body, policy=policy.HTTP)
        parts = whole.get_payload()
        assert isinstance(parts, list)
        return {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)  # type: ignore[union-attr,misc]
            for part in parts
        }


class HookServer(ThreadingHTTPServer):
    """Keeps what comes in ``requests``; answers with ``answers`` one after the other, then with ``status``.

    ``held``: while it is set, no request is answered.
    """

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self.answers: list[int] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.content = b'{"ok": true}'
        self.connections = 0
        self.held = False
        self.freed = threading.Event()
        self.tls = tls

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.netloc}"

    @property
    def netloc(self) -> str:
        return f"{'localhost' if self.tls else '127.0.0.1'}:{self.server_port}"

    def take(self, request: Request) -> int:
        """Note a request; the status that it is answered with."""
        self.requests.append(request)
        if self.held:
            self.freed.wait(LIMIT_S)
        return self.answers.pop(0) if self.answers else self.status

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        self.connections += 1
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not like the certificate, is no error of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else head and body of an answer go 40 ms apart
    server: HookServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.take(Request(self.command, self.path, headers, body))
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in self.server.headers.items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(self.server.content)))
            self.end_headers()
            self.wfile.write(self.server.content)

    do_GET = do_POST = do_PUT = do_OPTIONS = do_HEAD = answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hook_server(tls: ssl.SSLContext | None = None) -> Iterator[HookServer]:
    """A server while the block runs, on a free port."""
    with HookServer(tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.freed.set()
            server.shutdown()
            thread.join(LIMIT_S)


class Certified(NamedTuple):
    """A server's side of TLS and the file with the authority that vouches for it."""

    context: ssl.SSLContext
    ca: str


def certified(folder: Path, host: str = "localhost", *, expired: bool = False) -> Certified:
    """A certificate for ``host`` by an authority of its own; ``expired``: since yesterday."""
    authority = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = authority.issue_cert(host, not_after=yesterday if expired else None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return Certified(context, str(path))
