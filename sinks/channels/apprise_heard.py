"""What Apprise says of a try, of which it tells nothing but yes or no: read from its log, and kept from ours.

Its lines may hold whole addresses. Only numbers and words of our own leave this module.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sinks.channels.reasons import log_no_addresses

_STATUS = re.compile(r"\berror=(\d{3})\b")
_SENT = re.compile(r"^Sent .*notification")
_WHY = (
    (re.compile(r"certificate verify failed: ([A-Za-z' -]+)"), r"its certificate is not valid: \1"),
    (re.compile(r"SSLError|SSL:"), "no TLS with it"),
    (re.compile(r"Connection refused"), "connection refused: is it running, and at this port?"),
    (re.compile(r"timed out|Timeout", re.I), "no answer in time"),
    (
        re.compile(r"Failed to resolve|Name or service not known|getaddrinfo|No address"),
        "no host of this name",
    ),
    (re.compile(r"Connection aborted|reset by peer|RemoteDisconnected|Socket Exception"), "it broke off"),
)
"""What a line of its debug log means, the most telling first."""


class Heard:
    """What was said during one try."""

    def __init__(self) -> None:
        self.status: int | None = None  # the HTTP status that was not liked, the last one
        self.why = ""  # what kept it from being reached, in our words
        self.sent = False  # a text went out, whatever became of the picture

    def take(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.DEBUG and "Exception" not in str(record.msg):
            return  # payloads and addresses: long, and of no use
        line = record.getMessage()
        self.sent = self.sent or _SENT.match(line) is not None
        if record.levelno >= logging.WARNING and (found := _STATUS.findall(line)):
            self.status = int(found[-1])
        if "Exception" in line:
            self.why = self.why or _why(line)


_now: ContextVar[Heard | None] = ContextVar("what Apprise says now", default=None)


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        heard = _now.get()
        if heard is not None:
            heard.take(record)


def keep_to_ourselves() -> None:
    """Let Apprise's log lines come here and nowhere else, from now on."""
    log_no_addresses()
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Ear) for handler in logger.handlers):
        logger.addHandler(_Ear())
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear what Apprise says in this context while the block runs."""
    heard = Heard()
    token = _now.set(heard)
    try:
        yield heard
    finally:
        _now.reset(token)


def _why(line: str) -> str:
    for pattern, words in _WHY:
        if found := pattern.search(line):
            return found.expand(words).strip()
    return ""
