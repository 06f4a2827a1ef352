"""A real OctoPrint that prints on its virtual printer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, EventKind
from ingest.sources import Commandable
from ingest.telemetry import open_telemetry
from ingest.telemetry.octoprint import server as octoprint_link
from tests.peers.octoprint_server import STATUS_KEY, OctoPrintServer, serving
from tests.peers.watch import reading, watching

E_MM = 0.02
"""Filament of each move."""
JOB = (EventKind.JOB_STARTED, EventKind.JOB_ENDED)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OctoPrintServer]:
    with serving(tmp_path_factory.mktemp("octoprint") / "base") as octoprint:
        yield octoprint


@pytest.fixture
def octoprint(server: OctoPrintServer) -> OctoPrintServer:
    """The server, with nothing printing."""
    server.idle()
    return server


def gcode(moves: int) -> Sequence[str]:
    """A print that takes the virtual printer some 50 ms for each move."""
    head = ["G21", "G90", "M82", "G92 E0", "G28", "M104 S60", "M140 S40", "M106 S127.5", "M221 S95"]
    print_ = [
        f"G1 X{20 * (n % 2)} Y10 Z{0.2 * (1 + n // 20):.2f} E{E_MM * n:.3f} F1200" for n in range(moves)
    ]
    return [*head, *print_, "M107"]


ENDLESS = gcode(5000)
SETTLED = 6
"""Readings after which an average over four messages is past its beginning."""


def test_a_print_is_told_from_its_start_to_its_end(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address()) as watch:
        watch.until(lambda: watch.readings("hotend_c"), "a temperature")
        octoprint.print_file("cube.gcode", gcode(60))
        watch.until_told(EventKind.JOB_ENDED)
        watch.until(lambda: 0.0 in watch.readings("fan"), "the last lines")  # twice a second, events at once

    assert watch.events(*JOB) == [(EventKind.JOB_STARTED, "cube.gcode"), (EventKind.JOB_ENDED, "done")]
    progress = watch.readings("progress")
    assert all(before < after for before, after in pairwise(progress))
    assert 0 <= progress[0] < progress[-1] == 1
    assert {"hotend_c", "bed_c", "hotend_power", "lines", "z_mm"} <= {
        item.channel for item in watch.items if hasattr(item, "channel")
    }
    assert 60.0 in watch.readings("hotend_target_c")
    assert watch.readings("fan") == [0.5, 0.0]
    assert watch.readings("flow_factor") == [0.95]
    assert watch.readings("resends"), "the virtual printer asked for a line again"
    times = [item.at_ns for item in watch.items]
    assert times == sorted(times)


def test_feed_extrusion_and_layer_are_learned_from_the_terminal(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address()) as watch:
        watch.until(lambda: watch.readings("hotend_c"), "a temperature")
        octoprint.print_file("long.gcode", ENDLESS)
        watch.until(lambda: 2.0 in watch.readings("layer"), "the third layer")
        watch.until(lambda: len(watch.readings("extrusion_mm_s")) >= SETTLED, "extrusion, averaged")

    begun = next(n for n, item in enumerate(watch.items) if getattr(item, "channel", "") == "layer")
    watch.items = watch.items[begun:]  # before it the head is where the print before this one left it
    assert watch.readings("layer")[0] == 0
    assert set(watch.readings("feed_mm_s")) == {20.0}  # F1200
    assert set(watch.readings("x_mm")) <= {0.0, 20.0}
    e_mm, rates = watch.readings("e_mm"), watch.readings("extrusion_mm_s")
    assert all(before <= after for before, after in pairwise(e_mm))
    assert watch.readings("z_mm")[-1] == pytest.approx(0.2 * (1 + e_mm[-1] // (20 * E_MM)), abs=0.2)
    moves_s = rates[-1] / E_MM / 0.95  # M221 S95
    assert 2 < moves_s <= 1 / 0.05
    assert watch.readings("melt_w")[-1] == pytest.approx(rates[-1] * 5.6e-3 * (60 - 25), rel=0.01)


def test_a_print_that_runs_when_the_watch_begins_is_joined(octoprint: OctoPrintServer) -> None:
    octoprint.print_file("long.gcode", ENDLESS)
    with watching(octoprint.address()) as watch:
        watch.until(lambda: watch.readings("extrusion_mm_s"), "extrusion")
    assert 0 < watch.readings("extrusion_mm_s")[-1] < E_MM / 0.05 * 1.05
    assert not watch.readings("layer")  # nobody heard how many there were before


def test_what_it_is_stands_among_the_facts(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address()) as watch:
        watch.until(lambda: watch.items, "anything")
        facts = watch.source.facts
    assert facts["version"].startswith("OctoPrint 1.11")
    assert facts["firmware"] == "Virtual Marlin 1.0"
    assert facts["printer profile"] == "Default"


def test_a_pause_that_we_ask_for_really_pauses(octoprint: OctoPrintServer) -> None:
    octoprint.print_file("long.gcode", ENDLESS)
    with watching(octoprint.address()) as watch:
        watch.until_told(EventKind.JOB_STARTED, "long.gcode")  # it ran before we looked

        assert watch.tell(Action.PAUSE) == "Paused"
        assert octoprint.flag("paused")
        assert watch.tell(Action.RESUME) == "Printing"
        assert octoprint.flag("printing")
        assert not octoprint.flag("paused")
        assert watch.tell(Action.CANCEL) == "Operational"
        assert octoprint.flag("ready")
        watch.until_told(EventKind.JOB_ENDED, "cancelled")

    told = [kind for kind, _ in watch.events() if kind is not EventKind.RESEND]
    assert told == [
        EventKind.JOB_STARTED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.CANCELLED,
        EventKind.JOB_ENDED,
    ]


def test_a_pause_from_elsewhere_is_told_and_so_is_one_from_before(octoprint: OctoPrintServer) -> None:
    octoprint.print_file("long.gcode", ENDLESS)
    with watching(octoprint.address()) as watch:
        watch.until_told(EventKind.JOB_STARTED)
        octoprint.ask("job", {"command": "pause", "action": "pause"})
        watch.until_told(EventKind.PAUSED)
    with watching(octoprint.address()) as late:
        late.until_told(EventKind.PAUSED, "Paused")
        octoprint.ask("job", {"command": "pause", "action": "resume"})
        late.until_told(EventKind.RESUMED)


def test_what_cannot_be_done_fails_in_octoprints_own_words(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address()) as watch:
        watch.until(lambda: watch.items, "anything")
        with pytest.raises(CommandFailed, match="neither printing nor paused"):
            watch.tell(Action.PAUSE)


def test_a_printer_that_is_not_being_read_cannot_be_told_anything(octoprint: OctoPrintServer) -> None:
    source = open_telemetry(octoprint.address(), "p")
    assert isinstance(source, Commandable)
    with pytest.raises(PrinterUnreachable, match="no connection to OctoPrint"):
        asyncio.run(source.command(Action.PAUSE))


def test_a_wrong_key_says_where_to_make_one(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address("not-one-of-its-keys")) as watch:
        error = watch.until_ended()
    assert isinstance(error, PrinterUnreachable)
    assert "Settings > Application Keys" in str(error)
    assert "not-one-of-its-keys" not in str(error)


def test_the_terminals_lines_go_out_and_no_temperature_twice(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address(), with_lines=True) as watch:
        watch.until(lambda: watch.items, "anything")
        octoprint.send("M105", "M220 S90")
        watch.until(lambda: len(watch.readings("hotend_c")) >= 2, "two temperatures")
        watch.until(lambda: watch.readings("feed_factor"), "the factor")
    assert "M220 S90" in watch.lines(sent=True)
    reports = [line for line in watch.lines(sent=False) if "T:" in line]
    assert len(reports) == len(watch.readings("hotend_c"))
    assert watch.readings("feed_factor") == [0.9]


def test_without_the_terminal_octoprints_own_temperatures_are_told(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address(STATUS_KEY), with_lines=True) as watch:
        octoprint.print_file("short.gcode", gcode(20))
        watch.until_told(EventKind.JOB_ENDED, "done")
        watch.until(lambda: 60.0 in watch.readings("hotend_target_c"), "the target")
    assert watch.readings("hotend_c")
    assert watch.readings("bed_c")
    assert not watch.readings("lines")
    assert not watch.readings("hotend_power")
    assert not watch.lines(sent=True)
    with pytest.raises(CommandFailed, match="permission"), watching(octoprint.address(STATUS_KEY)) as looker:
        looker.until(lambda: looker.items, "anything")
        looker.tell(Action.CANCEL)


def test_a_halt_of_the_firmware_is_told_once_and_the_printer_is_gone(octoprint: OctoPrintServer) -> None:
    with watching(octoprint.address()) as watch:
        octoprint.print_file("long.gcode", ENDLESS)
        watch.until_told(EventKind.JOB_STARTED)
        octoprint.send("!!DEBUG:trigger_fatal_error_marlin")
        watch.until_told(EventKind.DISCONNECTED)
        watch.until_told(EventKind.JOB_ENDED, "failed")
        watch.until_told(EventKind.HALTED)
        octoprint.idle()
        watch.until_told(EventKind.FIRMWARE, "Virtual Marlin 1.0")
        watch.until_told(EventKind.START)  # the terminal's lines come after the events
    assert len(watch.events(EventKind.HALTED)) == 1
    assert len(watch.events(EventKind.DISCONNECTED)) == 1


def test_a_server_that_dies_is_lost_and_is_read_anew_when_it_is_back(octoprint: OctoPrintServer) -> None:
    octoprint.print_file("long.gcode", ENDLESS)
    source = open_telemetry(octoprint.address(), "p")
    with reading(source) as watch:
        watch.until_told(EventKind.JOB_STARTED)
        octoprint.kill()
        error = watch.until_ended()
    assert isinstance(error, PrinterUnreachable)
    assert watch.events()[-1][0] is EventKind.DISCONNECTED

    with reading(source) as watch:
        assert isinstance(watch.until_ended(), PrinterUnreachable)
    assert not watch.items

    octoprint.start()
    with reading(source) as watch:
        watch.until_told(EventKind.JOB_ENDED)  # nobody could see how
        watch.until(lambda: watch.readings("hotend_c"), "a temperature")


def test_a_server_that_says_nothing_any_more_is_lost(
    octoprint: OctoPrintServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert octoprint_link.HEARTBEAT_S * 1.5 <= 30
    monkeypatch.setattr(octoprint_link, "HEARTBEAT_S", 1.0)
    with watching(octoprint.address()) as watch:
        watch.until(lambda: watch.items, "anything")
        with octoprint.frozen():
            assert isinstance(watch.until_ended(), PrinterUnreachable)
