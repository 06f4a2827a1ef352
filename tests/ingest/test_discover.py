"""Finding what there is to be watched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from ingest.discover import SERVICES, Found, services
from ingest.telemetry.wire.listing import list_ports

LISTEN_S = 2.0
LOOPBACK = ["127.0.0.1"]


@pytest.fixture
def network() -> Iterator[Zeroconf]:
    """mDNS on the loopback, where multicast is allowed there."""
    try:
        opened = Zeroconf(LOOPBACK, ip_version=IPVersion.V4Only)
    except OSError as error:
        pytest.skip(f"no multicast here ({error})")
    yield opened
    opened.close()


def test_services_that_announce_themselves_are_found_as_lines_of_a_farm_file(network: Zeroconf) -> None:
    announced = [
        ServiceInfo(
            kind, f"{name}.{kind}", port=port, addresses=[socket.inet_aton("127.0.0.1")], server="pi.local."
        )
        for kind, name, port in zip(SERVICES, ("my octopi", "voron", "mk4"), (80, 7125, 80), strict=True)
    ]
    for info in announced:
        network.register_service(info, cooperating_responders=True)
    found = asyncio.run(services(LISTEN_S, LOOPBACK))
    assert [one.line for one in found if one.name in ("my octopi", "voron", "mk4")] == [
        'telemetry = "prusalink:http://127.0.0.1#key=KEY"',
        'telemetry = "octoprint:http://127.0.0.1#key=KEY"',
        'telemetry = "moonraker:http://127.0.0.1:7125"',
    ]


def test_a_network_without_services_gives_nothing() -> None:
    assert asyncio.run(services(0.1, LOOPBACK)) == []


def test_ports_without_a_usb_name_are_left_out(tmp_path: Path) -> None:
    assert all(port.name and port.path.is_absolute() for port in list_ports(tmp_path))


def test_what_is_found_is_a_line_to_paste() -> None:
    assert Found("camera", "C270", "v4l2:/dev/v4l/by-id/c270").line == 'camera = "v4l2:/dev/v4l/by-id/c270"'
