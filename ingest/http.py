"""One HTTP session per source, with whatever login the other end asks for.

A server is asked without a login first; where it answers 401, its challenge decides between digest
(RFC 7616) and basic (RFC 7617). So no password goes out in clear where the server knows digest.
"""

from __future__ import annotations

import aiohttp
from aiohttp import BasicAuth, ClientHandlerType, ClientRequest, ClientResponse, DigestAuthMiddleware

from ingest.errors import SourceError
from ingest.sources import Address

CONNECT_S = 5.0
"""How long a connection may take to come about, in s: these are machines of the same network."""
READ_S = 10.0
"""How long a server that is connected may say nothing, unless the source knows better, in s."""
USER_AGENT = "nozzlewatch"
UNAUTHORIZED = 401


def open_session(
    address: Address, *, read_s: float | None = READ_S, headers: dict[str, str] | None = None
) -> aiohttp.ClientSession:
    """A session for one source; ``async with`` closes it. ``read_s`` None: the source watches the time.

    The login is that of the address (``user`` and ``password``). Certificates are checked, unless the address
    says ``insecure=yes``.
    """
    login = (address.options.get("user", ""), address.options.get("password", ""))
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=read_s),
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        middlewares=(_Login(*login),) if any(login) else (),
        connector=aiohttp.TCPConnector(limit=0, ssl=address.options.get("insecure") != "yes"),
    )


def base_url(address: Address) -> str:
    """The URL of a service without a slash at its end. Raises SourceError for what is no URL of one."""
    url = address.where.rstrip("/")
    if not url.startswith(("http://", "https://")) or "?" in url:
        expected = f"expected {address.kind}:http://HOST:PORT, its options after #"
        raise SourceError(f"{address}: found {address.where!r}, {expected}")
    return url


class _Login:
    """Middleware of a session: answers a challenge once, and knows the scheme from then on."""

    def __init__(self, user: str, password: str) -> None:
        self._basic = BasicAuth(user, password, encoding="utf-8").encode()
        self._digest = DigestAuthMiddleware(user, password)
        self._is_basic = False

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if self._is_basic:
            request.headers["Authorization"] = self._basic
            return await handler(request)
        response = await self._digest(request, handler)
        challenges = response.headers.getall("WWW-Authenticate", [])
        if response.status != UNAUTHORIZED or not any(c.lower().startswith("basic") for c in challenges):
            return response
        response.release()
        self._is_basic = True
        request.headers["Authorization"] = self._basic
        return await handler(request)
