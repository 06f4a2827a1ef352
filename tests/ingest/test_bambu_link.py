"""How a Bambu Lab printer is lost and found again: logins, certificates, silence, a broker that restarts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import Action, EventKind
from ingest.telemetry import open_telemetry
from ingest.telemetry.bambu.source import BambuPrinter
from tests.fakes.bambu import fake_bambu
from tests.ingest.bambu_heard import CODE, SERIAL, Heard, reading, source_of
from tests.peers.mosquitto import Mosquitto, certificates, free_port, passwords, tls


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("bambu_link"), SERIAL)


@pytest.fixture
def broker(folder: Path) -> Iterator[Mosquitto]:
    config = f"{tls(folder)}\nallow_anonymous false\npassword_file {passwords(folder, bblp=CODE)}"
    with Mosquitto(folder, config) as broker:
        yield broker


def until_lost(source: BambuPrinter) -> Heard:
    """Read a source until it raises; no secret may stand in what it raises."""

    async def run() -> Heard:
        async with reading(source) as heard:
            await heard.until(lambda: heard.error is not None)
            return heard

    heard = asyncio.run(run())
    assert isinstance(heard.error, PrinterUnreachable)
    assert CODE not in str(heard.error)
    return heard


def with_printer_on(broker: Mosquitto, source: BambuPrinter, *, answers: bool = True) -> Heard:
    """Read a source until something comes or it is lost, while a printer is on."""

    async def run() -> Heard:
        async with fake_bambu(broker.port, SERIAL, CODE) as printer, reading(source) as heard:
            printer.answers = answers
            await heard.until(lambda: bool(heard.channel("hotend_c")) or heard.error is not None)
            return heard

    return asyncio.run(run())


def test_a_wrong_access_code_says_so(broker: Mosquitto) -> None:
    heard = until_lost(source_of(broker.port, code="wrong"))
    assert "refuses the login" in str(heard.error)
    assert "read it anew on the printer's screen" in str(heard.error)


def test_a_serial_number_that_never_reports_says_so_within_a_limit(broker: Mosquitto) -> None:
    heard = with_printer_on(broker, source_of(broker.port, "&silence=2", serial="01P00A000000000"))
    assert "found no report of 01P00A000000000 for 2 s" in str(heard.error)


def test_a_printer_that_is_off_says_so() -> None:
    heard = until_lost(source_of(free_port()))
    assert "found nobody at port" in str(heard.error)
    assert not heard.items


def test_a_printer_that_falls_silent_is_lost(broker: Mosquitto) -> None:
    async def run() -> Heard:
        async with (
            fake_bambu(broker.port, SERIAL, CODE),
            reading(source_of(broker.port, "&silence=1")) as heard,
        ):
            await heard.until(lambda: heard.error is not None)
            return heard

    heard = asyncio.run(run())
    assert heard.channel("hotend_c") == [24.5]
    assert heard.kinds() == [EventKind.FIRMWARE, EventKind.DISCONNECTED]
    assert "found no report" in str(heard.error)


def test_a_broker_that_restarts_is_lost_and_then_back(broker: Mosquitto) -> None:
    source = source_of(broker.port)

    async def run() -> None:
        async with fake_bambu(broker.port, SERIAL, CODE) as printer, reading(source) as heard:
            await printer.report(gcode_state="RUNNING")
            await heard.until(lambda: EventKind.JOB_STARTED in heard.kinds())
            printer.answers = False
            asked = asyncio.create_task(source.command(Action.PAUSE))
            await heard.until(lambda: len(printer.requests) == 3)
            await asyncio.to_thread(broker.stop)
            await heard.until(lambda: heard.error is not None)
            assert heard.kinds()[-1] is EventKind.DISCONNECTED
            with pytest.raises(PrinterUnreachable, match="went away meanwhile"):
                await asked
            with pytest.raises(PrinterUnreachable, match="found no connection, expected one"):
                await source.command(Action.PAUSE)

    asyncio.run(run())
    broker.start()
    assert EventKind.JOB_ENDED in with_printer_on(broker, source).kinds()  # it ended while nobody watched


# Certificates


def test_a_certificate_is_checked_against_the_makers_and_the_serial_number(
    broker: Mosquitto, folder: Path
) -> None:
    source = source_of(broker.port, f"&ca={folder / 'ca.pem'}")
    assert with_printer_on(broker, source).channel("hotend_c")
    assert source.facts["certificate"] == "checked"


def test_a_certificate_of_another_printer_is_refused(broker: Mosquitto, folder: Path) -> None:
    heard = until_lost(source_of(broker.port, f"&ca={folder / 'ca.pem'}", serial="01P00A000000000"))
    assert "found a certificate that is not that of 01P00A000000000" in str(heard.error)


def test_a_certificate_of_nobody_we_know_is_refused(broker: Mosquitto, tmp_path: Path) -> None:
    other = certificates(tmp_path, SERIAL)
    heard = until_lost(source_of(broker.port, f"&ca={other / 'ca.pem'}"))
    assert "found a certificate that is not that of" in str(heard.error)


@pytest.mark.parametrize("file", ["none.pem", "server.key"])
def test_a_file_that_holds_no_certificate_says_so(folder: Path, file: str) -> None:
    heard = until_lost(source_of(free_port(), f"&ca={folder / file}"))
    assert f"found ca={folder / file} that cannot be read" in str(heard.error)


def test_an_unchecked_certificate_is_told_once(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    source = source_of(broker.port)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with_printer_on(broker, source)
    warnings = [record.getMessage() for record in caplog.records]
    assert [text for text in warnings if "without a check" in text] == warnings
    assert len(warnings) == 1
    assert "without a check" in source.facts["certificate"]
    assert CODE not in warnings[0]


# Addresses


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("bambu:10.0.0.9?code=1", "found no serial=, expected letters and digits"),
        ("bambu:10.0.0.9?serial=01P", "found no code=, expected the access code"),
        ("bambu:10.0.0.9?serial=%23&code=1", "found serial= with other signs in it"),
        ("bambu:a b?serial=01P&code=1", "found 'a b', expected the address or the name of the printer"),
        ("bambu:10.0.0.9?serial=01P&code=1&port=0", "found port='0', expected a number"),
    ],
)
def test_an_address_without_sense_says_so(address: str, found: str) -> None:
    with pytest.raises(SourceError, match=found):
        open_telemetry(address, "p1")


def test_a_host_stays_one_whatever_folder_the_farm_file_lies_in(tmp_path: Path) -> None:
    source = open_telemetry(f"bambu:127.0.0.1?serial=1&code=1&port={free_port()}", "p1", tmp_path)
    assert isinstance(source, BambuPrinter)
    assert "127.0.0.1: found nobody" in str(until_lost(source).error)
