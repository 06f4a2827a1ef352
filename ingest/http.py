"""One HTTP session per source, with whatever login the other end asks for, and words for what goes wrong.

A server is asked without a login first; where it answers 401, its challenges decide between digest
(RFC 7616) and basic (RFC 7617). So no password goes out in clear where the server knows digest, and none
at all to another machine than the address names, wherever a redirect leads.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, DigestAuthMiddleware
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ingest.errors import SourceError
from ingest.sources import LOGIN_OPTIONS, Address

HTTP_OPTIONS: Mapping[str, str] = {**LOGIN_OPTIONS, "insecure": "yes: certificates are not checked"}
"""Options of every source that is read over HTTP."""

CONNECT_S = 5.0
"""How long a connection may take to come about, in s: these are machines of the same network."""
READ_S = 10.0
"""How long a server that is connected may say nothing, unless the source knows better, in s."""
USER_AGENT = "nozzlewatch"
OK, UNAUTHORIZED = 200, 401


class LedAway(aiohttp.ClientError):
    """A redirect leads to another machine (``origin``)."""

    def __init__(self, origin: URL) -> None:
        super().__init__(f"a redirect to {origin}")
        self.origin = origin


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (
        aiohttp.ClientConnectorDNSError,
        "found no machine named {error.host}, expected one: check the name, or use its IP address",
    ),
    (
        aiohttp.ClientConnectorCertificateError,
        "found a certificate that does not hold ({error.certificate_error}), expected a valid one: use the "
        "name it was made for, or add #insecure=yes where the network is your own",
    ),
    (
        aiohttp.ClientSSLError,
        "found no TLS that works, expected https: write http:// where the server has none",
    ),
    (
        aiohttp.ClientConnectorError,
        "found nobody at {error.host}:{error.port} ({found}), expected a server: check its power, its "
        "network and the port",
    ),
    (
        TimeoutError,
        "found no answer in time, expected one: check whether the machine is on and not overloaded",
    ),
    (
        LedAway,
        "found a redirect to {error.origin}, expected the machine that the address names: name the other one "
        "there if it is the right one",
    ),
    (
        aiohttp.TooManyRedirects,
        "found redirects without an end, expected a page: open the address in a browser",
    ),
    (
        aiohttp.RedirectClientError,
        "found a redirect to what is no page, expected one: open the address in a browser",
    ),
    (
        OSError,
        "found that the connection broke ({found}), expected a whole answer: is the server restarting?",
    ),
    (
        aiohttp.ServerDisconnectedError,
        "found that the connection was closed, expected an answer: is the server restarting?",
    ),
    (
        aiohttp.ClientPayloadError,
        "found that the connection broke, expected a whole answer: is the server restarting?",
    ),
)
"""What each failure means, the narrower ones first."""
_NO_HTTP = "found an answer that cannot be understood ({found}), expected a web server: check host and port"
_REFUSALS: Mapping[int, str] = {
    403: "expected to be let in: allow this user, or this machine, to see it",
    404: "expected a page: open the address in a browser and check its path",
    503: "expected 200: the server has too much to do, or no camera",
}

_DIGEST = re.compile(r"(?:^|,\s*)(digest\s.*)", re.IGNORECASE | re.DOTALL)
_BASIC = re.compile(r"(?:^|,\s*)basic\b", re.IGNORECASE)


def open_session(
    address: Address,
    *,
    read_s: float | None = READ_S,
    headers: dict[str, str] | None = None,
    leaves_home: bool = True,
) -> aiohttp.ClientSession:
    """A session for one source; ``async with`` closes it. ``read_s`` None: the source watches the time.

    The login is that of the address (``user`` and ``password``). Certificates are checked, unless the address
    says ``insecure=yes``. ``leaves_home`` False: a redirect to another machine raises LedAway before anything
    is sent there, which is what a websocket needs that is told a key: it follows every redirect.
    """
    stay = () if leaves_home else (_Stay(address),)
    login = (_Login(address),) if _has_login(address) else ()
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=read_s),
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        middlewares=(*stay, *login),
        connector=aiohttp.TCPConnector(limit=0, ssl=address.options.get("insecure") != "yes"),
        response_class=_Response,
    )


def base_url(address: Address) -> str:
    """The URL of a service without a slash at its end. Raises SourceError for what is no URL of one."""
    url = address.where.rstrip("/")
    if not _is_url(url) or "?" in url:
        expected = f"expected {address.kind}:http://HOST:PORT, its options after #"
        raise SourceError(f"{address}: found {address.where!r}, {expected}")
    _check_login(address)
    return url


def page_url(address: Address) -> URL:
    """The URL of one page, picture or stream, with its query. Raises SourceError for what is none."""
    if not _is_url(address.where):
        expected = f"expected {address.kind}:http://HOST/PATH, its options after #"
        raise SourceError(f"{address}: found {address.where!r}, {expected}")
    _check_login(address)
    return URL(address.where)


@contextmanager
def told_as(unreachable: type[SourceError], address: Address) -> Iterator[None]:
    """Raise what goes wrong with a request in here as ``unreachable``, with what to do about it."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise unreachable(f"{address}: {why(error)}") from error


def check_status(response: ClientResponse, unreachable: type[SourceError], address: Address) -> None:
    """Raise ``unreachable`` for an answer that is not 200."""
    if response.status != OK:
        raise unreachable(f"{address}: {_refusal(response, address)}")


def why(error: Exception) -> str:
    """What a failed request found, what was expected, and what to do; never a login."""
    number = error.errno if isinstance(error, OSError) else None
    found = os.strerror(number) if number and number > 0 else type(error).__name__
    text = next((text for kind, text in _REASONS if isinstance(error, kind)), _NO_HTTP)
    return text.format(error=error, found=found)


def _refusal(response: ClientResponse, address: Address) -> str:
    """What an answer other than 200 means."""
    if response.status != UNAUTHORIZED:
        text = _REFUSALS.get(response.status, "expected 200: open the address in a browser")
        return f"found the answer {response.status} {response.reason}, {text}"
    if not _is_home(URL(address.where), response.url):
        led = response.url.origin()
        return f"found a redirect to {led}, which asks for a login: name that address in the farm file"
    if _has_login(address):
        return (
            "found that the server refuses the login (401), expected it to be right: check user and password"
        )
    return "found that the server asks for a login (401): add #user=NAME&password=$VARIABLE to the address"


def _is_url(text: str) -> bool:
    try:
        url = URL(text)
        return url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        return False


def _has_login(address: Address) -> bool:
    return any(address.options.get(name) for name in LOGIN_OPTIONS)


def _check_login(address: Address) -> None:
    if ":" in address.options.get("user", ""):
        raise SourceError(f"{address}: found a colon in the option user, expected a name: HTTP allows none")


def _is_home(home: URL, url: URL) -> bool:
    """Whether a login for ``home`` may go to ``url``: the same server, or TLS on the same machine."""
    upgraded = url.host == home.host and url.scheme == "https" and home.scheme == "http"
    return upgraded or url.origin() == home.origin()


class _Response(ClientResponse):
    """An answer whose digest challenge stands first: aiohttp's digest looks at the first one alone."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        headers = super().headers
        return _digest_first(headers) if self.status == UNAUTHORIZED else headers


def _digest_first(headers: CIMultiDictProxy[str]) -> CIMultiDictProxy[str]:
    challenges = headers.getall("WWW-Authenticate", [])
    digests = [digest[1] for challenge in challenges if (digest := _DIGEST.search(challenge))]
    sorted_headers = CIMultiDict(headers)
    sorted_headers.popall("WWW-Authenticate", None)
    sorted_headers.extend(("WWW-Authenticate", challenge) for challenge in (*digests, *challenges))
    return CIMultiDictProxy(sorted_headers)


class _Stay:
    """Middleware of a session: asks the server that the address names, and no other."""

    def __init__(self, address: Address) -> None:
        self._home = URL(address.where)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if not _is_home(self._home, request.url):
            raise LedAway(request.url.origin())
        return await handler(request)


class _Login:
    """Middleware of a session: logs in where the address leads, each server in the way it asks for."""

    def __init__(self, address: Address) -> None:
        self._home = URL(address.where)
        self._login = address.options.get("user", ""), address.options.get("password", "")
        self._servers: dict[URL, _ServerLogin] = {}

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if not _is_home(self._home, request.url):
            return await handler(request)
        origin = request.url.origin()
        login = self._servers.setdefault(origin, _ServerLogin(*self._login))
        return await login(request, handler)


class _ServerLogin:
    """Answers one server's challenge, and knows its scheme from then on."""

    def __init__(self, user: str, password: str) -> None:
        self._basic = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        self._digest = DigestAuthMiddleware(user, password)
        self._is_basic = False

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if self._is_basic:
            request.headers["Authorization"] = self._basic
            return await handler(request)
        response = await self._digest(request, _releasing(handler))
        challenges = response.headers.getall("WWW-Authenticate", [])
        self._is_basic = response.status == UNAUTHORIZED and _asks_for_basic_alone(challenges)
        if not self._is_basic:
            return response
        response.release()
        return await self(request, handler)


def _asks_for_basic_alone(challenges: list[str]) -> bool:
    return any(map(_BASIC.search, challenges)) and not any(map(_DIGEST.search, challenges))


def _releasing(handler: ClientHandlerType) -> ClientHandlerType:
    """A handler that gives the connection of a challenge back before the request goes out once more."""
    before: list[ClientResponse] = []

    async def handle(request: ClientRequest) -> ClientResponse:
        while before:
            before.pop().release()
        before.append(response := await handler(request))
        return response

    return handle
