"""The camera of a recording: ``recording:FILE.mcap?camera=TOPIC``, ours or any that holds pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from ingest.cameras.images import LeftOut
from ingest.cameras.jpeg import jpeg_size, to_jpeg
from ingest.clock import SteadyStamps
from ingest.errors import SourceError, SourceNotFound
from ingest.recordings.format import Picture
from ingest.recordings.reader import Arrival, Recording
from ingest.records import Frame
from ingest.sources import Address, BaseSource


class RecordedCamera(BaseSource):
    """The pictures of a recording at their own times, a JPEG's bytes untouched.

    ``counts``: what ``Recording`` has left out, and ``corrupt``, ``too_large`` (see ingest.cameras.jpeg),
    ``duplicate`` (a time that was already yielded), ``clock_jump``, how often the clock was set back and time
    went on from where it was.
    """

    recorded: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {"camera": "topic of the camera, where there are several"}

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._counts = self._left_out = LeftOut(str(address))
        self._stamps = SteadyStamps()
        self._last_ns: int | None = None

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield each usable picture once. Raises SourceNotFound, and SourceError for what is no recording."""
        self._stamps, self._last_ns = SteadyStamps(), None
        recording = await asyncio.to_thread(Recording, Path(self._address.where))
        self.witness = recording.about.witness if recording.about is not None else None
        batches = recording.read({self._topic(recording)}, self._printer)
        while (frames := await asyncio.to_thread(self._next, batches)) is not None:
            for frame in frames:
                yield frame
        self._counts.update(recording.counts)

    def _topic(self, recording: Recording) -> str:
        cameras = recording.cameras
        if not cameras:
            raise SourceNotFound(
                f"{self._address}: found no pictures, expected a camera: give it as telemetry alone"
            )
        wanted = self._address.options.get("camera", cameras[0])
        if wanted not in cameras or (len(cameras) > 1 and "camera" not in self._address.options):
            found = f"camera={wanted}" if wanted not in cameras else f"{len(cameras)} cameras"
            raise SourceError(
                f"{self._address}: found {found}, expected one of {', '.join(cameras)}: "
                f"choose with ?camera={cameras[0]}"
            )
        return wanted

    def _next(self, batches: Iterator[list[Arrival]]) -> list[Frame] | None:
        batch = next(batches, None)
        if batch is None:
            return None
        pictures = (arrival.content for arrival in batch)
        made = (self._frame(picture) for picture in pictures if isinstance(picture, Picture))
        return [frame for frame in made if frame is not None]

    def _frame(self, picture: Picture) -> Frame | None:
        what = f"the picture at {picture.at_ns} ns"
        jpeg = to_jpeg(picture.data)
        if isinstance(jpeg, str):
            self._left_out.add(jpeg, what)
            return None
        at_ns = self._stamps.steady(picture.at_ns)
        if self._stamps.jumps:
            self._counts["clock_jump"] = self._stamps.jumps
        if at_ns == self._last_ns:
            self._left_out.add("duplicate", what)
            return None
        self._last_ns = at_ns
        width, height = jpeg_size(jpeg)
        return Frame(
            printer=self._printer,
            camera=picture.camera,
            captured_ns=at_ns,
            jpeg=jpeg,
            width=width,
            height=height,
        )
