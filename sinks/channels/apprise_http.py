"""Apprise's requests, over connections that are kept for what comes in quick succession.

Apprise calls ``requests.post`` and the like, which connect anew for each request, TLS included, and look
through the whole environment for proxies: more than half of what a notification takes. Its services are given
a ``requests`` that asks the session of whoever sends now, and where nobody does, does as it always did.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import requests

IDLE_S = 20.0
"""For so long a connection is kept: later on somebody in between may have let it go without a word."""
_CALLS = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "request"})
"""What ``requests`` and a session of it have in common."""


class Connections(requests.Session):
    """What is kept of one channel's connections; nothing else is: each request is like the first one.

    What logs in is what the address holds, never a .netrc.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # see merge_environment_settings
        self._used_s = float("-inf")  # monotonic
        self._environment: dict[tuple[str, bool | str | None], Mapping[str, Any]] = {}

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        self.cookies.clear()
        if time.monotonic() - self._used_s > IDLE_S:
            self.close()
        try:
            return super().request(method, url, *args, **kwargs)
        finally:
            self._used_s = time.monotonic()

    def merge_environment_settings(
        self,
        url: str | bytes | None,
        proxies: MutableMapping[str, str] | None,
        stream: Any,
        verify: Any,
        cert: Any,
    ) -> Any:
        """The environment's proxies and authorities, looked up once for each host: they take a while."""
        told = {"proxies": proxies or {}, "stream": bool(stream), "verify": verify, "cert": cert}
        if proxies or not isinstance(url, str) or not isinstance(verify, bool | str | None):
            return told
        parts = urlsplit(url)
        asked = (f"{parts.scheme}://{parts.netloc}/", verify)
        found = self._environment[asked] = self._environment.get(asked) or _environment(*asked)
        return told | {"proxies": dict(found["proxies"]), "verify": found["verify"]}


def _environment(origin: str, verify: bool | str | None) -> Mapping[str, Any]:
    with requests.Session() as asked:
        return asked.merge_environment_settings(origin, {}, None, verify, None)


_now: ContextVar[Connections | None] = ContextVar("over which connections Apprise sends now", default=None)


class _Requests:
    """``requests`` as a service sees it."""

    def __getattr__(self, name: str) -> Any:
        connections = _now.get() if name in _CALLS else None
        return getattr(requests if connections is None else connections, name)


_REQUESTS = _Requests()


def lend_connections(service: object) -> None:
    """Let a service ask whoever sends for its connections, from now on."""
    for kind in type(service).__mro__:
        module = sys.modules.get(kind.__module__)
        if kind.__module__.startswith("apprise.plugins.") and getattr(module, "requests", None) is requests:
            setattr(module, "requests", _REQUESTS)  # noqa: B010 - no name of the module's type


@contextmanager
def sending(connections: Connections) -> Iterator[None]:
    """Send over these connections while the block runs."""
    token = _now.set(connections)
    try:
        yield
    finally:
        _now.reset(token)
