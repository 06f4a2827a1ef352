"""The picture of a finished part: from a camera of its own, which is opened when a print ends."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import aclosing

from msgspec.structs import replace

from ingest.errors import SourceError
from ingest.records import SURFACE_CAMERA, Frame
from ingest.sources import Camera

log = logging.getLogger("nozzlewatch.ingest")

LIMIT_S = 15.0
"""How long the camera may take for its first picture: one that sleeps wakes up in some seconds."""
MISSED = "surface_missed"


class PartCamera:
    """A printer's surface camera. ``counts``: how often no picture came of it (``surface_missed``)."""

    def __init__(self, camera: Camera, printer: str) -> None:
        self.counts: Counter[str] = Counter()
        self._camera, self._printer = camera, printer

    async def picture(self) -> Frame | None:
        """The first picture that the camera gives from now on, under the name SURFACE_CAMERA.

        None where none comes within LIMIT_S, for whatever reason: that is told and counted, never raised.
        """
        why = "found that it ended, expected a picture"
        try:
            async with asyncio.timeout(LIMIT_S):
                if (frame := await self._first()) is not None:
                    return replace(frame, camera=SURFACE_CAMERA)
        except TimeoutError:
            why = f"found no picture within {LIMIT_S:g} s, expected one: is it switched on and connected?"
        except SourceError as error:
            why = str(error)
        except Exception as error:
            log.exception("%s: surface camera failed in a way that nobody expected", self._printer)
            why = f"{type(error).__name__}: {error}"
        self.counts[MISSED] += 1
        log.warning("%s: surface camera: %s; the print's last pictures have to do", self._printer, why)
        return None

    async def _first(self) -> Frame | None:
        """The camera is closed again before this returns."""
        async with aclosing(self._camera.frames()) as frames:  # type: ignore[type-var]
            return await anext(frames, None)
