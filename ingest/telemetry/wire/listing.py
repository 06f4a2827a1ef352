"""The serial ports of this machine, with the names that their USB devices give themselves."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from serial.tools.list_ports import comports

BY_ID = Path("/dev/serial/by-id")


class Port(NamedTuple):
    """A port. ``by_id`` stays when ttyUSB0 and ttyUSB1 change places; None where it has none."""

    name: str
    path: Path
    by_id: Path | None


def list_ports(by_id: Path = BY_ID) -> list[Port]:
    """The ports that something is plugged into, sorted; UARTs of the board itself are left out."""
    links = {link.resolve(): link for link in sorted(by_id.glob("*"))}
    return [
        Port(port.product or port.description, path := Path(port.device), links.get(path))
        for port in sorted(comports())
        if port.vid is not None
    ]
