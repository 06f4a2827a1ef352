"""Reads the camera that it is given, as the ingest stage would, and prints what it gets as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from ingest.cameras.registry import open_camera
from ingest.errors import CameraUnreachable

AGAIN_S = 0.05


async def main(address: str) -> None:
    camera = open_camera(address, "p1")
    while True:
        try:
            async for frame in camera.frames():
                size = [frame.width, frame.height]
                tell(jpeg=frame.jpeg.hex(), at_ns=frame.captured_ns, size=size, facts=camera.facts)
        except CameraUnreachable as error:
            tell(lost=str(error), counts=camera.counts)
        await asyncio.sleep(AGAIN_S)


def tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
