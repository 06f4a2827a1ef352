"""How a live source that goes away is read again: backoff with jitter, one warning, one all-clear.

``Connection`` is the state machine; it reads no clock and logs nothing. ``keep_reading`` drives it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from enum import StrEnum
from typing import TypeVar

from ingest.errors import SourceError

log = logging.getLogger("nozzlewatch.ingest")

RETRY_FIRST_S, RETRY_MOST_S = 1.0, 30.0
"""Waits between two tries to reach a source that has gone: doubled from the first up to the most."""

JITTER = 0.2
"""Share by which waits differ, so that a hundred cameras do not knock at a restarted switch at once."""

STEADY_S = 10.0
"""A source that stays for so long is well again: the next loss begins with the first wait."""

T = TypeVar("T")


class Link(StrEnum):
    """How a live source is."""

    CONNECTING = "connecting"  # nothing has come of it yet
    UP = "up"
    LOST = "lost"


class Connection:
    """One live source's way through losses and returns. Times are seconds of one monotonic clock.

    Waits grow while it flaps: only one that stayed up for ``STEADY_S`` begins anew. ``why`` says what it was
    lost by, "" while it is up.
    """

    def __init__(self) -> None:
        self.link = Link.CONNECTING
        self.why = ""
        self._wait_s = RETRY_FIRST_S
        self._up_since_s = 0.0

    def heard(self, now_s: float) -> bool:
        """Something came; True when this ends an outage that was told."""
        if self.link is Link.UP:
            return False
        ended, self.link = self.link is Link.LOST, Link.UP
        self.why, self._up_since_s = "", now_s
        return ended

    def lost(self, why: str, now_s: float) -> bool:
        """It has gone; True when that is news."""
        news = self.link is not Link.LOST
        if self.link is Link.UP and now_s - self._up_since_s >= STEADY_S:
            self._wait_s = RETRY_FIRST_S
        self.link, self.why = Link.LOST, why
        return news

    def next_wait_s(self, chance: float) -> float:
        """How long to wait before the next try; ``chance`` is uniform in [0, 1)."""
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, RETRY_MOST_S)
        return wait_s * (1 + JITTER * (2 * chance - 1))


async def keep_reading(
    name: str,
    connection: Connection,
    read: Callable[[], AsyncIterator[T]],
    deliver: Callable[[T], None],
) -> None:
    """Read a live source for ever. ``name`` stands in the log: one warning per loss, one when it is back.

    Whatever a source raises is a loss of this source alone: the others go on.
    """
    loop = asyncio.get_running_loop()
    while True:
        why = "found that it ended, expected it to go on"
        try:
            async with aclosing(read()) as items:  # type: ignore[type-var]
                async for item in items:
                    if connection.heard(loop.time()):
                        log.warning("%s is back", name)
                    deliver(item)
        except SourceError as error:
            why = str(error)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if connection.link is not Link.LOST:
                log.exception("%s failed in a way that nobody expected", name)
        if connection.lost(why, loop.time()):
            log.warning("%s lost: %s; trying again", name, why)
        await asyncio.sleep(connection.next_wait_s(random.random()))  # noqa: S311 - jitter, no secret
