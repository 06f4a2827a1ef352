"""``nozzlewatch discover``: what there is to be watched, as lines of a farm file that are ready to paste."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from ingest.discover import Found, devices, services
from nozzlewatch.output import write_json

NOTHING = (
    "Found no camera, no serial port and no print service that announces itself.\n"
    "Cameras: is /dev/video* there, and may this user read it (group video)? Ports: cable and power.\n"
    "OctoPrint announces itself by its plugin Discovery, Moonraker with [zeroconf]; PrusaLink must be\n"
    "switched on at the printer. IP cameras and Bambu printers do not announce themselves so:\n"
    "docs/farm-file.md says how to name them."
)


def discover(listen_s: float) -> list[Found]:
    """Everything that can be found within ``listen_s``."""
    return [*devices(), *asyncio.run(services(listen_s))]


def farm_lines(found: Sequence[Found]) -> str:
    """Lines for a farm file, what each is in a comment above it."""
    return "\n".join(f"# {one.name}\n{one.line}" for one in found)


def tell(found: Sequence[Found], json: str | None) -> None:
    """Print the lines for people, or write what was found as JSON for programs."""
    if json is not None:
        write_json(json, [one._asdict() for one in found])
    else:
        sys.stdout.write(f"{farm_lines(found) or NOTHING}\n")
