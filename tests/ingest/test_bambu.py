"""A Bambu Lab printer (a protocol fake) behind a real broker with TLS, as readings, events and commands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import CommandFailed
from ingest.records import CHANNEL, Action, EventKind
from ingest.telemetry.bambu.report import Fields, events, merged, readings
from ingest.telemetry.bambu.source import BambuPrinter
from tests.fakes.bambu import IDLE, FakeBambu, fake_bambu
from tests.ingest.bambu_heard import CODE, SERIAL, Heard, reading, source_of
from tests.peers.mosquitto import Mosquitto, certificates, passwords, tls

PRINTING = {"gcode_state": "RUNNING", "subtask_name": "benchy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("bambu"), SERIAL)


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[Mosquitto]:
    config = f"{tls(folder)}\nallow_anonymous false\npassword_file {passwords(folder, bblp=CODE)}"
    with Mosquitto(folder, config) as broker:
        yield broker


def with_printer(
    broker: Mosquitto, source: BambuPrinter, scene: Callable[[FakeBambu, Heard], Awaitable[None]]
) -> Heard:
    """Play a scene with a printer that is on and read."""

    async def run() -> Heard:
        async with fake_bambu(broker.port, SERIAL, CODE) as printer, reading(source) as heard:
            await heard.until(lambda: bool(heard.channel("hotend_c")) or heard.error is not None)
            await scene(printer, heard)
            return heard

    return asyncio.run(run())


# What it reports


def test_deltas_are_merged_and_come_in_our_units(broker: Mosquitto) -> None:
    async def scene(printer: FakeBambu, heard: Heard) -> None:
        await printer.report(nozzle_temper="219.8", cooling_fan_speed="15", spd_mag=124, layer_num=3)
        await printer.report(mc_percent=42, unheard_of={"a": [1]}, nozzle_target_temper="warm")
        await heard.until(lambda: 0.42 in heard.channel("progress"))

    heard = with_printer(broker, source_of(broker.port), scene)
    assert heard.channel("hotend_c") == [24.5, 219.8, 219.8]
    assert heard.channel("hotend_target_c") == [0.0, 0.0]
    assert heard.channel("bed_c") == [23.75] * 3
    assert heard.channel("fan") == [0.0, 1.0, 1.0]
    assert heard.channel("feed_factor") == [1.0, 1.24, 1.24]
    assert heard.channel("layer") == [2.0, 2.0]
    assert heard.channel("chamber_c") == []  # 5 says that there is no sensor


def test_a_print_is_told_from_its_start_to_its_end(broker: Mosquitto) -> None:
    async def scene(printer: FakeBambu, heard: Heard) -> None:
        await printer.report(gcode_state="PREPARE", subtask_name="benchy")
        for state in ("RUNNING", "PAUSE", "RUNNING", "FINISH", "IDLE"):
            await printer.report(gcode_state=state)
        await heard.until(lambda: EventKind.JOB_ENDED in heard.kinds())

    assert with_printer(broker, source_of(broker.port), scene).events() == [
        (EventKind.FIRMWARE, "Bambu Lab 01.08.02.00"),
        (EventKind.JOB_STARTED, "benchy"),
        (EventKind.PAUSED, "PAUSE"),
        (EventKind.RESUMED, "RUNNING"),
        (EventKind.JOB_ENDED, "FINISH"),
    ]


def test_a_print_that_runs_already_is_told_when_reading_begins(broker: Mosquitto) -> None:
    async def run() -> None:
        async with fake_bambu(broker.port, SERIAL, CODE) as printer:
            printer.state |= {**PRINTING, "subtask_name": "", "gcode_file": "/data/Metadata/plate_1.gcode"}
            async with reading(source_of(broker.port)) as heard:
                await heard.until(lambda: (EventKind.JOB_STARTED, "plate_1") in heard.events())

    asyncio.run(run())


def test_errors_come_once_in_the_codes_that_people_look_up(broker: Mosquitto) -> None:
    async def scene(printer: FakeBambu, heard: Heard) -> None:
        fan = {"attr": 0x0300_1200, "code": 0x0002_0001}
        await printer.report(hms=[fan], print_error=117473284)
        await printer.report(hms=[fan, {"attr": str(0x0700_2100), "code": 0x0002_0001}], print_error=0)
        await printer.report(print_error=0x0300_8004)
        await printer.report(print_error=0x0300_400C)
        await heard.until(lambda: EventKind.CANCELLED in heard.kinds())

    assert with_printer(broker, source_of(broker.port), scene).events()[1:] == [
        (EventKind.ERROR, "0700_8004"),
        (EventKind.ERROR, "HMS_0300_1200_0002_0001"),
        (EventKind.RUNOUT, "HMS_0700_2100_0002_0001"),
        (EventKind.RUNOUT, "0300_8004"),
        (EventKind.CANCELLED, "0300_400C"),
    ]


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b"[1]", b'"x"', b"[" * 100_000, b"x" * 2_000_000]
)
def test_a_malformed_message_is_counted_and_the_next_is_read(broker: Mosquitto, payload: bytes) -> None:
    source = source_of(broker.port)

    async def scene(printer: FakeBambu, heard: Heard) -> None:
        await printer.say(payload)
        await printer.say(b'{"print": 3, "info": {"module": {"name": "ota"}}}')
        await printer.report(hms="none", print_error=[], gcode_state=7, nozzle_temper="inf", bed_temper=60)
        await heard.until(lambda: 60.0 in heard.channel("bed_c"))

    with_printer(broker, source, scene)
    assert source.counts == {"garbled": 1}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["RUNNING", "PAUSE"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["attr", "code"]), inner),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # other tests may have the cores
@given(st.lists(st.dictionaries(st.sampled_from(sorted(IDLE)), json_values), max_size=4))
def test_no_report_is_too_strange(reports: list[dict[str, object]]) -> None:
    state: Fields = {}
    for report in reports:
        before, state = state, merged(state, report)
        assert all(isinstance(text, str) for _, text in events(before, state))
        for channel, value in readings(state):
            assert channel in CHANNEL
            assert math.isfinite(value)


# What it is told


def test_commands_are_confirmed_by_the_printers_state(broker: Mosquitto) -> None:
    source = source_of(broker.port)

    async def scene(printer: FakeBambu, heard: Heard) -> None:
        await printer.report(**PRINTING)
        await heard.until(lambda: EventKind.JOB_STARTED in heard.kinds())
        assert await source.command(Action.PAUSE) == "gcode_state PAUSE"
        assert await source.command(Action.RESUME) == "gcode_state RUNNING"
        assert await source.command(Action.CANCEL) == "gcode_state FAILED"
        ids = [request["sequence_id"] for request in printer.requests]
        assert len(set(ids)) == len(ids) == 5

    with_printer(broker, source, scene)


def test_a_command_that_makes_no_sense_is_not_sent(broker: Mosquitto) -> None:
    source = source_of(broker.port)

    async def scene(printer: FakeBambu, _: Heard) -> None:
        for action in Action:
            with pytest.raises(CommandFailed, match="found gcode_state IDLE, expected"):
                await source.command(action)
        assert [request["command"] for request in printer.requests] == ["get_version", "pushall"]

    with_printer(broker, source, scene)


def test_a_printer_that_takes_commands_from_its_maker_alone_says_what_to_do(broker: Mosquitto) -> None:
    source = source_of(broker.port)

    async def scene(printer: FakeBambu, heard: Heard) -> None:
        printer.locked = True
        await printer.report(**PRINTING)
        await heard.until(lambda: EventKind.JOB_STARTED in heard.kinds())
        with pytest.raises(CommandFailed, match=r"takes no commands.*Developer Mode"):
            await source.command(Action.PAUSE)

    with_printer(broker, source, scene)
