"""Why a connection or a request failed, in words that hold no address and no credentials.

What the libraries say themselves repeats whole URLs, and so what is secret in them.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from http import HTTPStatus

import requests

_WORDS: tuple[tuple[type[BaseException], Callable[[BaseException], str]], ...] = (
    (ssl.SSLCertVerificationError, lambda error: f"its certificate is not valid: {_verification(error)}"),
    (ssl.SSLError, lambda error: f"no TLS with it ({getattr(error, 'reason', None) or 'it broke off'})"),
    (socket.gaierror, lambda _: "no host of this name: check the address and the network's DNS"),
    (ConnectionRefusedError, lambda _: "connection refused: is it running, and at this port?"),
    (TimeoutError, lambda _: "no answer in time"),
    (requests.Timeout, lambda _: "no answer in time"),
    (http.client.HTTPException, lambda _: "it broke off, or speaks no HTTP"),
    (OSError, lambda error: getattr(error, "strerror", None) or ""),
)
"""What an error means, the most telling first."""


def log_no_addresses() -> None:
    """Keep urllib3 from logging the paths that it asks for: tokens stand in them."""
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def reason(error: BaseException) -> str:
    """The cause at the bottom of an error, e.g. "its certificate is not valid: certificate has expired"."""
    causes = list(_causes(error))
    for kind, words in _WORDS:
        for cause in causes:
            if isinstance(cause, kind) and (told := words(cause)):
                return told
    return type(causes[-1]).__name__


def status_text(status: int) -> str:
    """An HTTP status in words: "401 (Unauthorized)"."""
    known = status in HTTPStatus._value2member_map_
    return f"{status} ({HTTPStatus(status).phrase})" if known else str(status)


def _verification(error: BaseException) -> str:
    return str(getattr(error, "verify_message", "") or "unknown reason")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of: requests and urllib3 keep it as an argument, as ``reason`` or as
    its context."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        one = left.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
