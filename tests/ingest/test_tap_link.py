"""The link of a tap: where hosts find it, and what they may set there."""

from __future__ import annotations

import asyncio
import os
import stat
import termios
from pathlib import Path

import pytest
import serial

from ingest.errors import PrinterUnreachable, SourceError
from ingest.sources import parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.tap import Tap
from ingest.telemetry.wire.host_pty import HostPty
from tests.ingest.tap_ends import Printer, tapped, until


def speed(descriptor: int) -> int:
    """The speed constant of a pty."""
    return int(termios.tcgetattr(descriptor)[5])


def host_at(link: Path, baud: int) -> serial.Serial:
    """A host as most are: on pyserial, exclusively."""
    return serial.Serial(str(link), baud, timeout=5, exclusive=True)


@pytest.mark.parametrize(("options", "expected"), [("", termios.B230400), ("&baud=115200", termios.B115200)])
def test_the_port_takes_the_hosts_speed_unless_the_address_says_one(
    tmp_path: Path, options: str, expected: int
) -> None:
    async def run() -> None:
        async with tapped(tmp_path, options) as setup:
            with await asyncio.to_thread(host_at, setup.link, 230_400) as host:
                await asyncio.to_thread(host.write, b"M110 N0\n")
                assert await asyncio.to_thread(host.readline) == b"ok\n"
                assert speed(setup.printer.descriptor) == expected

    asyncio.run(run())


def test_speeds_without_a_constant_of_their_own_are_known_too(tmp_path: Path) -> None:
    pty = HostPty(tmp_path / "link", "/dev/null")
    assert pty.baud() == 115_200
    with host_at(tmp_path / "link", 250_000):
        assert pty.baud() == 250_000
    pty.close()


def test_a_link_left_behind_is_renewed_and_taken_away_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/pts/left-behind")

    async def run() -> None:
        async with tapped(tmp_path) as setup:
            await until((tmp_path / "link").exists)
            await setup.host()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_who_may_open_the_port_may_open_the_link(tmp_path: Path) -> None:
    like = tmp_path / "port"
    like.touch()
    like.chmod(0o660)
    pty = HostPty(tmp_path / "link", str(like))
    assert stat.S_IMODE((tmp_path / "link").stat().st_mode) == 0o660
    assert (tmp_path / "link").stat().st_gid == os.getgid()
    pty.close()


@pytest.mark.parametrize(("link", "found"), [("file", "found a file"), ("none/link", "found no such folder")])
def test_a_link_that_cannot_be_made_says_so_and_spares_what_is_there(
    tmp_path: Path, link: str, found: str
) -> None:
    (tmp_path / "file").write_text("precious")

    async def run() -> None:
        printer = Printer()
        address = parse_address(f"tap:{printer.path}?link={tmp_path / link}", TELEMETRY)
        try:
            await anext(Tap(address, "p1").items())
        finally:
            printer.close()

    with pytest.raises(PrinterUnreachable, match=found):
        asyncio.run(run())
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("options", ["", "?link=relative", "?link=/tmp/x&baud=1", "?link=/tmp/x&poll=0"])
def test_an_address_without_sense_is_refused_when_it_is_read(options: str) -> None:
    with pytest.raises(SourceError, match="expected"):
        Tap(parse_address(f"tap:/dev/ttyUSB0{options}", TELEMETRY), "p1")


def test_a_port_that_is_not_there_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        address = parse_address(f"tap:/dev/ttyUSB_none?link={tmp_path / 'link'}", TELEMETRY)
        await anext(Tap(address, "p1").items())

    with pytest.raises(PrinterUnreachable, match="ttyUSB_none: found no such port"):
        asyncio.run(run())
