"""Requests to PrusaLink, one at a time, bounded in bytes and in time."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec

from ingest.errors import PrinterUnreachable
from ingest.http import base_url, why
from ingest.sources import Address
from ingest.telemetry.prusalink.state import Answer

LARGEST_ANSWER = 256 * 1024
"""Bytes; a status has some 500, a job with all its metadata some thousands."""

ANSWER_SHARE = 0.5
"""Of the time after which a printer counts as lost, for one answer: so it is asked twice."""

OK, NO_CONTENT, TOO_MANY, INTERNAL = 200, 204, 429, 500
FORBIDDEN = (401, 403)
EXPECTED = "expected PrusaLink's API v1: check the URL, and that the printer's firmware is up to date"


class NoAnswer(Exception):
    """A printer that is busy or missed a question; to be asked again, not before ``wait_s`` have passed.

    The text says what was found, what was expected and what to do.
    """

    def __init__(self, found: str, wait_s: float = 0.0) -> None:
        super().__init__(found)
        self.wait_s = wait_s


class Garbled(NoAnswer):
    """An answer that is no JSON object."""


class Client:
    """The requests of one connection to a printer."""

    def __init__(self, session: aiohttp.ClientSession, address: Address, silence_s: float) -> None:
        self._session, self._url, self._where = session, base_url(address), str(address)
        key = address.options.get("key")
        self._headers = {"X-Api-Key": key} if key else {}  # no redirect is followed: it goes nowhere else
        self._limit_s = silence_s * ANSWER_SHARE
        self._turn = asyncio.Lock()  # a small controller serves one connection well, not two

    async def get(self, path: str) -> Answer:
        """The object at a path, empty where there is none now. Raises NoAnswer and PrinterUnreachable."""
        status, body = await self.request("GET", path)
        if status == NO_CONTENT:
            return {}
        if status != OK:
            raise self.unreachable(f"found HTTP {status} for {path}, {EXPECTED}")
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Garbled(f"found an answer to {path} that is no JSON, {EXPECTED}") from error
        if not isinstance(answer, dict):
            raise Garbled(f"found an answer to {path} that is no object, {EXPECTED}")
        return answer

    async def request(self, method: str, path: str) -> tuple[int, bytes]:
        """Status and body. Raises NoAnswer (429, 5xx, none in time), PrinterUnreachable where not let in."""
        try:
            async with (
                asyncio.timeout(self._limit_s),
                self._turn,
                self._session.request(
                    method, self._url + path, headers=self._headers, allow_redirects=False
                ) as response,
            ):
                status, body = response.status, await _bounded(response)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise NoAnswer(why(error)) from error
        if status in FORBIDDEN:
            expected = "expected to be let in: set key= to PrusaLink's API key, or user= and password="
            raise self.unreachable(
                f"found HTTP {status}, {expected} to its login (printer: Settings, Network)"
            )
        if status == TOO_MANY or status >= INTERNAL:
            raise NoAnswer(
                f"found HTTP {status}, expected 200: the printer is busy", _retry_after_s(response)
            )
        return status, body

    def unreachable(self, text: str) -> PrinterUnreachable:
        return PrinterUnreachable(f"{self._where}: {text}")


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError(f"an answer of more than {LARGEST_ANSWER} bytes")
    return bytes(body)


def _retry_after_s(response: aiohttp.ClientResponse) -> float:
    """What a busy printer asks for; a date instead of seconds counts as nothing asked."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
