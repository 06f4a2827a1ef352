"""The simulated SD card: what is asked about it, and prints from it, in virtual time."""

from __future__ import annotations

import pytest

from ingest.simulate.card import Card
from ingest.simulate.demo import idle_printers
from ingest.simulate.files import CUBE, LAYERS
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.toolpath import LAYER_MM

LINE = "G1 X{} E{} F600\n"
GCODE = "; a second for each\nM83\n" + "".join(LINE.format(10 * (n % 2), 0.5) for n in range(1, 31))
BUSY = "echo:busy: processing"  # of the last moves


def printer(gcode: str = GCODE, *, host_actions: bool = True, **files: str) -> SimulatedPrinter:
    card = Card({"a.gco": gcode, **files}, host_actions=host_actions)
    return SimulatedPrinter("p", 1, start=Start.IDLE, card=card)


def ask(simulated: SimulatedPrinter, command: str) -> list[str]:
    """A host's command and its answer, held back or not."""
    lines = simulated.receive(command, simulated.now_s)
    while not any(line.startswith("ok") for line in lines):
        lines += [line for _, line in simulated.said_until(simulated.now_s + 0.2)]
    return lines


def byte(simulated: SimulatedPrinter) -> int:
    found = ask(simulated, "M27")[0]
    assert found.startswith("SD printing byte "), found
    return int(found.removeprefix("SD printing byte ").split("/")[0])


def test_files_are_listed_and_opened_as_marlin_does() -> None:
    simulated, size = printer(), len(GCODE)
    assert ask(simulated, "M21") == ["echo:SD card ok", "ok"]
    assert ask(simulated, "M20") == ["Begin file list", f"A.GCO {size}", "End file list", "ok"]
    opened = [f"File opened: A.GCO Size: {size}", "File selected", "ok"]
    assert ask(simulated, "M23 a.gco") == ["echo:Now fresh file: a.gco", *opened]
    assert ask(simulated, "M27") == [f"SD printing byte 0/{size}", "ok"]
    assert ask(simulated, "M27 C") == ["Current file: A.GCO", "ok"]
    assert ask(simulated, "M23 B.GCO") == ["echo:Now fresh file: B.GCO", "open failed, File: B.GCO.", "ok"]
    assert ask(simulated, "M27") == ["Not SD printing", "ok"]
    assert ask(simulated, "M27 C") == ["Current file: (no file)", "ok"]


def test_the_card_cannot_be_written() -> None:
    simulated = printer()
    assert ask(simulated, "M28 NEW.GCO") == ["open failed, File: NEW.GCO.", "ok"]
    assert ask(simulated, "M29") == ["ok"]
    assert ask(simulated, "M30 A.GCO") == ["Deletion failed, File: A.GCO.", "ok"]
    assert "Cap:SD_WRITE:0" in ask(simulated, "M115")
    assert len(ask(simulated, "M20")) == 4


@pytest.mark.parametrize("command", ["M20", "M21", "M23 A.GCO", "M24"])
def test_without_a_card_there_is_none(command: str) -> None:
    simulated = SimulatedPrinter("p", 1, start=Start.IDLE)
    assert ask(simulated, command) == ["echo:No SD card", "ok"]
    assert ask(simulated, "M27") == ["Not SD printing", "ok"]


def test_a_print_from_the_card_takes_its_time_and_says_when_it_is_done() -> None:
    simulated = printer()
    ask(simulated, "M23 A.GCO")
    assert ask(simulated, "M24") == ["//action:resume", "ok"]
    *before, (at_s, done) = simulated.said_until(60.0)
    assert {line for _, line in before} == {BUSY}
    assert done == "Done printing file"
    assert 30.0 <= at_s <= 32.0
    assert simulated.printer.position().x_mm == 0.0
    assert ask(simulated, "M27") == ["Not SD printing", "ok"]
    assert ask(simulated, "M31") == [f"echo:Print time: {int(at_s)}s", "ok"]


def test_progress_is_reported_by_itself() -> None:
    simulated = printer()
    assert ask(simulated, "M27 S2") == ["ok"]
    simulated.print_from_card("A.GCO")
    said = [line for _, line in simulated.said_until(40.0) if "SD printing" in line]
    done = [int(line.split()[3].split("/")[0]) for line in said if line.startswith("SD printing byte")]
    assert len(done) >= 15
    assert done == sorted(done)
    assert done[-1] == len(GCODE)
    assert said[-1] == "Not SD printing"


def test_a_pause_reads_no_further_and_a_resume_goes_on() -> None:
    simulated = printer(2 * GCODE)
    simulated.print_from_card("A.GCO")
    simulated.said_until(5.0)
    assert ask(simulated, "M25") == ["//action:pause", "ok"]
    paused_at = byte(simulated)
    simulated.said_until(50.0)
    assert byte(simulated) == paused_at, "what was planned is done, and no more is read"
    assert simulated.printer.planner.is_idle
    assert ask(simulated, "M24") == ["//action:resume", "ok"]
    simulated.said_until(52.0)
    assert byte(simulated) > paused_at
    assert not simulated.printer.planner.is_idle


def test_an_abort_drops_the_moves_and_cools_down() -> None:
    simulated = printer("M104 S100\nM106\nG0 Y100 F3000\n" + GCODE)
    simulated.print_from_card("A.GCO")
    simulated.said_until(5.0)
    assert simulated.printer.hotend.target_c == 100.0
    assert ask(simulated, "M524") == ["ok"]
    assert ask(simulated, "M27") == ["Not SD printing", "ok"]
    assert (simulated.printer.hotend.target_c, simulated.printer.fan) == (0.0, 0.0)
    said = [line for _, line in simulated.said_until(60.0)]
    assert "Done printing file" not in said
    assert simulated.printer.position()[:2] == (0.0, 0.0), "homed"


def test_an_abort_of_a_paused_print_closes_it() -> None:
    simulated = printer()
    simulated.print_from_card("A.GCO")
    simulated.said_until(3.0)
    ask(simulated, "M25")
    ask(simulated, "M524")
    assert ask(simulated, "M27") == ["Not SD printing", "ok"]


def test_a_file_may_be_begun_at_a_byte() -> None:
    simulated, last = printer(), len(GCODE) - len(LINE.format(0, 0.5))
    ask(simulated, "M23 A.GCO")
    ask(simulated, f"M26 S{last}")
    assert byte(simulated) == last
    ask(simulated, "M24")
    assert [line for _, line in simulated.said_until(5.0)] == ["Done printing file"]
    assert "File selected" in ask(simulated, f"M32 S{last} !a.gco#")
    assert [line for _, line in simulated.said_until(10.0)] == ["Done printing file"]


def test_a_file_chosen_at_the_screen_is_heard_without_an_ok() -> None:
    simulated = printer(host_actions=False)
    simulated.print_from_card("a.gco")
    said = [line for _, line in simulated.said_until(0.2)]
    assert said == ["echo:Now fresh file: a.gco", f"File opened: A.GCO Size: {len(GCODE)}", "File selected"]


def test_a_halt_or_a_boot_ends_the_print() -> None:
    for end in ("M112", "boot"):
        simulated = printer()
        simulated.print_from_card("A.GCO")
        simulated.said_until(3.0)
        if end == "M112":
            simulated.receive("M112", 3.0)
        simulated.firmware.boot()
        assert ask(simulated, "M27") == ["Not SD printing", "ok"]
        assert simulated.printer.planner.is_idle


def test_idle_printers_have_a_file_that_heats_prints_and_leaves_all_off() -> None:
    (simulated,) = idle_printers(1, seed=1)
    simulated.print_from_card(CUBE)
    said = simulated.said_until(900.0)
    assert said[-1][1] == "Done printing file"
    assert said[-2][1].startswith("echo:Print time: ")
    assert any(line.endswith(" W:?") for _, line in said)
    assert simulated.printer.position().z_mm == pytest.approx(LAYERS * LAYER_MM)
    heaters = (simulated.printer.hotend, simulated.printer.bed)
    assert [heater.target_c for heater in heaters] == [0.0, 0.0]
    assert simulated.printer.fan == 0.0
