"""Klipper printers, read through a protocol fake of Moonraker."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import NS_PER_S, EventKind, Reading
from ingest.sources import parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.moonraker.source import Moonraker
from tests.fakes.moonraker import FakeMoonraker
from tests.ingest.heard import lost_by, reading, until
from tests.ingest.moonraker_heard import served, source_of, watched


def test_everything_that_klipper_measures_is_told_in_our_units() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            await server.change(
                extruder={"temperature": 209.5, "target": 210.0, "power": 0.55},
                heater_bed={"temperature": 60.25, "target": 60.0, "power": 1.25},
                temperature_sensor__chamber={"temperature": 38.0},
                fan={"speed": 0.75},
                gcode_move={"speed_factor": 1.5, "extrude_factor": 0.95},
                motion_report={
                    "live_position": [11.0, 12.0, 0.25, 130.5],
                    "live_velocity": 80.0,
                    "live_extruder_velocity": 2.5,
                },
                print_stats={"info": {"total_layer": 100, "current_layer": 7}},
                display_status={"progress": 0.42},
                virtual_sdcard={"progress": 0.31},
            )
            await until(lambda: heard.last().get("melt_w"))
            assert heard.last() == {
                "hotend_c": 209.5,
                "hotend_target_c": 210.0,
                "hotend_power": 0.55,
                "bed_c": 60.25,
                "bed_target_c": 60.0,
                "bed_power": 1.0,
                "chamber_c": 38.0,
                "fan": 0.75,
                "feed_factor": 1.5,
                "flow_factor": 0.95,
                "x_mm": 11.0,
                "y_mm": 12.0,
                "z_mm": 0.25,
                "e_mm": 130.5,
                "feed_mm_s": 80.0,
                "extrusion_mm_s": 2.5,
                "layer": 6.0,
                "progress": 0.42,
                "melt_w": pytest.approx(2.5 * 5.6e-3 * (210 - 25)),
            }

    asyncio.run(run())


def test_filament_that_is_pushed_back_takes_no_heat_again() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            await server.change(extruder={"target": 225.0})
            for e_mm, mm_s in ((10.0, 2.0), (7.0, -40.0), (8.5, 40.0), (10.5, 3.0)):
                motion = {"live_position": [0.0, 0.0, 0.2, e_mm], "live_extruder_velocity": mm_s}
                await server.change(motion_report=motion)
            await until(lambda: heard.last().get("extrusion_mm_s") == 3.0)
            melt_w = [*dict.fromkeys(heard.values("melt_w"))]
            assert melt_w == [0.0, pytest.approx(2.0 * 5.6e-3 * 200), pytest.approx(3.0 * 5.6e-3 * 200)]

    asyncio.run(run())


def test_the_hot_end_is_that_of_the_extruder_in_use() -> None:
    async def run() -> None:
        async with served() as server:
            server.objects["extruder1"] = {"temperature": 190.0, "target": 190.0, "power": 0.3}
            server.objects["toolhead"]["extruder"] = "extruder1"
            async with reading(source_of(server)) as heard:
                await until(lambda: heard.values("hotend_c"))
                await server.change(extruder={"temperature": 25.0}, extruder1={"temperature": 191.0})
                await until(lambda: heard.last()["hotend_c"] == 191.0)
                assert set(heard.values("hotend_c")) == {190.0, 191.0}

    asyncio.run(run())


def test_what_does_not_change_is_told_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.telemetry.moonraker.source.WHOLE_NS", NS_PER_S // 20)

    async def run() -> None:
        async with watched() as (server, heard):
            for step in range(1000):
                await server.change(extruder={"power": step / 1000})
                await asyncio.sleep(0.002)
                if len(heard.values("bed_c")) == 4:
                    break
            times = [
                item.at_ns for item in heard.items if isinstance(item, Reading) and item.channel == "bed_c"
            ]
            assert len(times) == 4
            assert min(later - earlier for earlier, later in pairwise(times)) >= NS_PER_S // 20
            assert len(heard.values("hotend_power")) > 4

    asyncio.run(run())


def test_times_are_klippers_own_laid_on_our_axis_and_never_run_backwards() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            heard.forget()
            now_s = server.eventtime()
            for age_s in (0.2, 0.1, 0.0):  # they come in a burst, after their time
                await server.change(now_s - age_s, extruder={"power": age_s})
            await server.says("!! told without a stamp")
            await until(lambda: EventKind.ERROR in heard.kinds())
            times = [item.at_ns for item in heard.items]
            assert times == sorted(times)
            assert times[-1] // NS_PER_S - time.time_ns() // NS_PER_S in (-1, 0)

    asyncio.run(run())


def test_bytes_sent_again_to_a_microcontroller_count_once_per_report() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            for total in (9, 700, 700, 1500):
                await server.change(mcu={"last_stats": {"bytes_retransmit": total}})
            await server.change(fan={"speed": 0.5})
            await until(lambda: heard.last()["fan"] == 0.5)
            assert heard.values("resends") == [1.0, 1.0]

    asyncio.run(run())


def test_a_print_is_told_from_its_start_to_its_end() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            await server.prints("benchy.gcode")
            await server.change(print_stats={"state": "paused"})
            await server.change(print_stats={"state": "printing"})
            await server.change(print_stats={"state": "complete"})
            await server.prints("cube.gcode")
            await server.change(print_stats={"state": "cancelled"})
            await server.prints("cube.gcode")
            await server.change(print_stats={"state": "error", "message": "Move out of range"})
            await until(lambda: len(heard.kinds()) == 9)
            assert heard.events(EventKind.FIRMWARE) == [
                (EventKind.JOB_STARTED, "benchy.gcode"),
                (EventKind.PAUSED, "print_stats: paused"),
                (EventKind.RESUMED, "print_stats: printing"),
                (EventKind.JOB_ENDED, "complete"),
                (EventKind.JOB_STARTED, "cube.gcode"),
                (EventKind.CANCELLED, "print_stats: cancelled"),
                (EventKind.JOB_ENDED, "cancelled"),
                (EventKind.JOB_STARTED, "cube.gcode"),
                (EventKind.JOB_ENDED, "error: Move out of range"),
            ]

    asyncio.run(run())


def test_a_print_that_runs_already_is_told_once_however_often_the_connection_is_lost() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            server.objects["print_stats"] |= {
                "state": "paused",
                "filename": "b.gcode",
                "total_duration": 900.0,
            }
            async with reading(source) as heard:
                await until(lambda: len(heard.kinds()) == 2)
                assert heard.kinds() == [EventKind.JOB_STARTED, EventKind.PAUSED]
                await server.stop()
                await until(lambda: heard.lost)
                assert isinstance(heard.lost, PrinterUnreachable)
            await server.start()
            server.objects["print_stats"] |= {"total_duration": 950.0}
            async with reading(source) as heard:
                await until(lambda: heard.values("bed_c"))
                assert heard.events() == []

    asyncio.run(run())


def test_another_print_of_the_same_file_is_another_print() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            await server.prints("b.gcode", total_duration=900.0)
            async with reading(source) as heard:
                await until(heard.kinds)
            server.objects["print_stats"] |= {"total_duration": 20.0}
            async with reading(source) as heard:
                await until(lambda: len(heard.kinds()) == 2)
                assert heard.kinds() == [EventKind.JOB_ENDED, EventKind.JOB_STARTED]

    asyncio.run(run())


def test_a_run_out_is_told_only_of_a_print() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            sensor = {"filament_switch_sensor__runout": {"filament_detected": False}}
            back = {"filament_switch_sensor__runout": {"filament_detected": True}}
            await server.change(**sensor)
            await server.change(**back)
            await server.prints("b.gcode")
            await server.change(**sensor, print_stats={"state": "paused"})
            await server.change(**back)
            await server.change(**sensor)
            await server.change(fan={"speed": 0.5})
            await until(lambda: heard.last()["fan"] == 0.5)
            assert heard.kinds() == [EventKind.JOB_STARTED, EventKind.RUNOUT, EventKind.PAUSED]

    asyncio.run(run())


def test_the_firmware_and_the_service_are_facts_and_one_event_each() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            for _ in range(2):
                async with reading(source) as heard:
                    await until(lambda: heard.values("bed_c"))
                    told = heard.events()
            assert source.facts == {
                "firmware": "Klipper v0.13.0-1-g2",
                "service": "Moonraker v0.9.3-0-g1",
                "host": "pi",
            }
            assert told == []  # the second time nothing was new

    asyncio.run(run())


def test_lines_go_out_where_they_are_wanted_and_errors_are_events() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            async with reading(source) as heard:
                await until(lambda: heard.values("bed_c"))
                await server.says("// not wanted yet")
                await server.says("!! Must home axis first\n// action:paused filament_runout 0")
                await until(lambda: len(heard.kinds()) == 2)
                assert heard.lines() == []
                source.with_lines = True
                await server.says("// Klipper state: Shutdown")
                await server.says("!! MCU 'mcu' shutdown: Timer too close")
                await until(lambda: len(heard.kinds()) == 3)
                assert heard.lines() == [
                    "// Klipper state: Shutdown",
                    "!! MCU 'mcu' shutdown: Timer too close",
                ]
                assert heard.kinds() == [EventKind.ERROR, EventKind.RUNOUT, EventKind.ERROR]

    asyncio.run(run())


@pytest.mark.parametrize("url", ["10.0.0.7:7125", "http://10.0.0.7/?a=b", "ftp://10.0.0.7"])
def test_an_address_that_is_no_url_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(SourceError, match="expected moonraker:http://HOST:PORT"):
        Moonraker(parse_address(f"moonraker:{url}", TELEMETRY), "p1")


def test_nobody_there_says_what_to_check() -> None:
    async def run() -> str:
        server = FakeMoonraker()
        await server.start()
        await server.stop()
        return str(await lost_by(source_of(server)))

    assert "expected a server: check its power" in asyncio.run(run())
