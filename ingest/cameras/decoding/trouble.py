"""What keeps a stream from being opened, in words. FFmpeg's own may hold the password: none is passed on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from av import error as av_error

from ingest.errors import SourceError
from ingest.http import CONNECT_S
from ingest.sources import LOGIN_OPTIONS, Address

PORTS: Mapping[str, int] = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Ports where a URL names none (RFC 7826, RFC 9110)."""
TLS_KINDS = frozenset({"rtsps", "https"})

_ANSWERS: tuple[tuple[type[av_error.FFmpegError], str], ...] = (
    (
        av_error.HTTPForbiddenError,
        "found that the camera lets nobody see this (403), expected to be let in: allow this user to see it",
    ),
    (
        av_error.HTTPNotFoundError,
        "found no such path (404), expected one of the camera's: its manual or its web page names it",
    ),
    (
        av_error.HTTPClientError,
        "found that the camera refuses to play this (4xx), expected a video: check the path",
    ),
    (
        av_error.HTTPServerError,
        "found that the camera fails by itself (5xx), expected a video: restart it, or close other viewers",
    ),
)
"""What each answer of a server means, the narrower ones first."""


def host_of(address: Address) -> tuple[str, int]:
    """The host and the port that a stream's address names. Raises SourceError where it names none."""
    try:
        url = urlsplit(f"{address.kind}:{address.where}")
        host, port = (url.hostname or "").encode("idna").decode(), url.port
    except ValueError:  # a UnicodeError is one
        host, port = "", None
    if not host:
        raise SourceError(f"{address}: found no host in it, expected {address.kind}://HOST/PATH")
    return host, port or PORTS[address.kind]


def is_checked(address: Address) -> bool:
    """Whether the camera's certificate is to be checked."""
    return address.options.get("insecure") != "yes"


def why_not_opened(error: av_error.FFmpegError, address: Address) -> str:
    """What was found instead of a stream, what was expected, what to do; blocks for CONNECT_S at most."""
    if isinstance(error, av_error.HTTPUnauthorizedError):
        return _login_refused(address)
    answer = next((text for kind, text in _ANSWERS if isinstance(error, kind)), None)
    return (
        answer
        or _why_no_connection(address)
        or (
            "found no video that FFmpeg can read, expected one: see whether a player such as VLC shows it; "
            "if it does not, restart the camera"
        )
    )


def _login_refused(address: Address) -> str:
    if any(address.options.get(name) for name in LOGIN_OPTIONS):
        return (
            "found that the camera refuses the login (401), expected it to be right: check user and password"
        )
    return "found that the camera asks for a login (401): add #user=NAME&password=$VARIABLE to the address"


def _why_no_connection(address: Address) -> str | None:
    """What a connection of our own finds wrong with the way to the camera; None where it comes about."""
    host, port = host_of(address)
    try:
        with socket.create_connection((host, port), CONNECT_S) as connection:
            if address.kind in TLS_KINDS:
                _shake_hands(connection, host, is_checked(address))
    except ssl.SSLCertVerificationError as error:
        return (
            f"found a certificate that does not hold ({error.verify_message}), expected a valid one: use the "
            "name it was made for, or add #insecure=yes where the network is your own"
        )
    except ssl.SSLError:
        plain = address.kind.removesuffix("s")
        return f"found no TLS at port {port}, expected it: write {plain}:// where the camera has none"
    except OSError as error:
        return _unreachable(error, host, port)
    return None


def _shake_hands(connection: socket.socket, host: str, checked: bool) -> None:
    context = ssl.create_default_context()
    context.check_hostname = checked
    context.verify_mode = ssl.CERT_REQUIRED if checked else ssl.CERT_NONE
    context.wrap_socket(connection, server_hostname=host).close()


def _unreachable(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"found no machine named {host}, expected one: check the name, or use its IP address"
    found = error.strerror or "no answer in time"
    hint = "check its power, its network and the port"
    return f"found nobody at {host}:{port} ({found}), expected a camera: {hint}"
