"""Whether anything moves before a camera that has no printer's word beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.align import Timing
from ingest.cameras.motion import Motion
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.simulated import SimulatedPrinter
from ingest.writer import Captured
from tests.ingest.live_sources import plug_in
from tests.waiting import wait_until


def pictures(seconds: range, *faults: Fault) -> list[bytes]:
    printer = SimulatedPrinter("p", 3, faults)
    shown = [printer.jpeg_at(float(second)) for second in seconds]
    return [jpeg for jpeg in shown if jpeg is not None]


def test_a_printer_that_prints_moves_in_nearly_every_picture() -> None:
    motion = Motion()
    seen = [motion.moves(jpeg) for jpeg in pictures(range(60))]
    assert seen[0] is None
    assert sum(bool(moves) for moves in seen[1:]) >= 50


def test_sensor_noise_is_no_motion() -> None:
    motion = Motion()
    stands = Fault(at_s=5.0, kind=FaultKind.RESET)  # and the noise goes on
    still = pictures(range(40), stands)[10:]
    assert len(set(still)) == len(still)
    assert not any(motion.moves(jpeg) for jpeg in still)


def test_a_lamp_that_is_switched_says_nothing() -> None:
    motion = Motion()
    grey = np.full((240, 320, 3), 60, np.uint8)
    dark, bright = (cv2.imencode(".jpg", grey * factor)[1].tobytes() for factor in (1, 3))
    assert motion.moves(dark) is None
    assert motion.moves(bright) is None
    assert motion.moves(bright) is False


@pytest.mark.parametrize("jpeg", [b"", b"\xff\xd8\xff\xd9", b"noise"])
def test_what_cannot_be_decoded_says_nothing(jpeg: bytes) -> None:
    assert Motion().moves(jpeg) is None


def test_a_farm_with_a_camera_alone_finds_its_prints_in_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.jobs.MOVING_FOR_NS", 0)
    camera, _ = plug_in(monkeypatch)
    shown = iter(pictures(range(200)))
    monkeypatch.setattr("tests.ingest.live_sources.FakeCamera.picture", lambda *_: next(shown))
    jobs: list[str] = []

    async def keep(batch: Sequence[Captured]) -> None:
        jobs.extend(captured.window.job for captured in batch)

    async def run() -> None:
        feed = Feed(PrinterTable(name="p", camera="fake:eye"), Timing(lateness_ns=0), Path())
        feeding = asyncio.create_task(feed.run(keep, None))

        def printing() -> bool:
            camera.say()
            return any(job.startswith("print ") for job in jobs)

        await asyncio.to_thread(wait_until, printing, 10, "a print")
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)

    asyncio.run(run())
