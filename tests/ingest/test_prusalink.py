"""What Prusa printers say, read through a protocol fake of PrusaLink."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import EventKind
from ingest.sources import parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.prusalink.source import PrusaLink
from tests.ingest.heard import reading, until
from tests.ingest.prusalink_heard import served, source_of, watched


def test_everything_that_the_printer_measures_is_told_in_our_units() -> None:
    async def run() -> None:
        async with watched() as (server, _, heard):
            server.prints("b.gcode")
            server.job["progress"] = 42.5
            server.printer |= {"temp_bed": 59.5, "target_bed": 60.0, "flow": 95, "speed": 150, "axis_z": 0.4}
            await until(lambda: heard.last().get("progress"))
            assert heard.last() == {
                "hotend_c": 214.9,
                "hotend_target_c": 215.0,
                "bed_c": 59.5,
                "bed_target_c": 60.0,
                "x_mm": 1.0,
                "y_mm": 2.0,
                "z_mm": 0.4,
                "feed_factor": 1.5,
                "flow_factor": 0.95,
                "progress": 0.425,
            }

    asyncio.run(run())


def test_a_print_is_told_from_its_start_to_its_end() -> None:
    steps = (
        ("PRINTING", 1),
        ("PAUSED", 3),
        ("PRINTING", 4),
        ("ATTENTION", 5),
        ("BUSY", 5),
        ("PRINTING", 6),
        ("FINISHED", 7),
        ("READY", 7),
    )

    async def run() -> None:
        async with watched() as (server, _, heard):
            server.prints("benchy.gcode")
            for state, events in steps:
                server.printer["state"] = state
                asked = len(server.said)
                await until(lambda: len(server.said) > asked + 3)  # noqa: B023
                assert len(heard.kinds()) in (events, events - 1)
            assert heard.events(EventKind.FIRMWARE) == [
                (EventKind.JOB_STARTED, "benchy.gcode"),
                (EventKind.PAUSED, "state: PAUSED"),
                (EventKind.RESUMED, "state: PRINTING"),
                (EventKind.PAUSED, "state: ATTENTION"),
                (EventKind.RESUMED, "state: PRINTING"),
                (EventKind.JOB_ENDED, "finished"),
            ]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("STOPPED", [(EventKind.CANCELLED, "state: STOPPED"), (EventKind.JOB_ENDED, "stopped")]),
        ("ERROR", [(EventKind.ERROR, "Heating failed"), (EventKind.JOB_ENDED, "error: Heating failed")]),
        ("IDLE", [(EventKind.JOB_ENDED, "idle")]),
    ],
)
def test_an_end_says_how(state: str, told: list[Any]) -> None:
    async def run() -> None:
        async with watched() as (server, _, heard):
            server.prints("b.gcode")
            await until(heard.kinds)
            heard.forget()
            server.printer |= {"state": state, "status_printer": {"ok": False, "message": "Heating failed"}}
            await until(lambda: EventKind.JOB_ENDED in heard.kinds())
            assert heard.events() == told

    asyncio.run(run())


def test_a_print_that_runs_already_is_told_once_however_often_the_connection_is_lost() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server, "&silence=1")
            server.prints("b.gcode")
            async with reading(source) as heard:
                await until(heard.kinds)
                assert heard.events() == [
                    (EventKind.FIRMWARE, "PrusaLink 0.7.0 3.10.1-4697"),
                    (EventKind.JOB_STARTED, "b.gcode"),
                ]
                await server.stop()
                await until(lambda: heard.lost)
                assert isinstance(heard.lost, PrinterUnreachable)
            await server.start()
            async with reading(source) as heard:
                await until(lambda: heard.values("bed_c"))
                assert heard.events() == []
                server.prints("c.gcode", 421)
                await until(lambda: len(heard.kinds()) == 2)
                assert heard.events()[1] == (EventKind.JOB_STARTED, "c.gcode")

    asyncio.run(run())


def test_what_the_printer_is_stands_in_the_facts() -> None:
    async def run() -> dict[str, str]:
        async with watched() as (_, source, _):
            return source.facts

    assert asyncio.run(run()) == {
        "service": "PrusaLink 0.7.0",
        "firmware": "3.10.1-4697",
        "name": "MuadDib",
        "host": "prusa-mk3.lan",
    }


def test_an_address_that_is_no_url_of_a_service_is_refused() -> None:
    with pytest.raises(SourceError, match="expected prusalink:http://HOST:PORT"):
        PrusaLink(parse_address("prusalink:10.0.0.7", TELEMETRY), "p1")
