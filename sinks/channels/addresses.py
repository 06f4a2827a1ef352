"""Addresses in the farm file: how they may be logged, and the secrets in them that stand elsewhere."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from ingest.errors import UsageError

_HOST_IS_PUBLIC = frozenset(
    {
        "form", "forms", "http", "https", "json", "jsons", "kafka", "mailto", "mailtos", "mqtt", "mqtts",
        "smtp", "smtps", "xml", "xmls",
    }
)  # fmt: skip
"""Schemes whose host is a host; elsewhere Apprise often has a token in that place."""
_NAMED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


def redact(url: str) -> str:
    """A URL as it may be logged: its scheme, its host where that is no secret, and nothing else."""
    try:
        parts = urlsplit(url)
        # "u:1/2@host" reads as the host u at port 1: a password that was not escaped.
        torn = ":" in parts.netloc and "@" not in parts.netloc and "@" in url
        host = parts.hostname if parts.scheme in _HOST_IS_PUBLIC and not torn else None
        port = f":{parts.port}" if host and parts.port else ""
    except ValueError:
        return "***"
    if not parts.scheme or "://" not in url:
        return "***"
    return f"{parts.scheme}://{host}{port}" if host else f"{parts.scheme}://***"


def redacted(value: object) -> Any:
    """The value with each text in it that may be an address as it may be logged."""
    if isinstance(value, dict):
        return {name: redacted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return redact(value) if isinstance(value, str) and set(value) & set(":/@") else value


def filled(text: str) -> str:
    """The text with each ``$NAME`` or ``${NAME}`` in it as the environment has it.

    Raises UsageError for a name that the environment does not have.
    """
    missing = [name for name in _NAMED.findall(text) if name not in os.environ]
    if missing:
        raise UsageError(
            f"found ${missing[0]}, expected an environment variable of that name: set {missing[0]}"
        )
    return _NAMED.sub(lambda found: os.environ[found[1]], text)
