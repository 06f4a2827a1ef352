"""OctoPrint prints through the tap: OctoPrint, the link, the tap, a pty, OctoPrint's virtual printer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest.records import Action, EventKind
from tests.peers.octoprint_server import OctoPrintServer, serving, virtual_printer
from tests.peers.watch import Watch, watching

BAUD = 115_200
LAYERS, MOVES = 5, 12
WARM_C = 30.0
BY_COMMAND = (EventKind.PAUSED, EventKind.RESUMED, EventKind.CANCELLED)


def gcode(layers: int) -> list[str]:
    """Layers of back and forth, some 50 ms for each move of the virtual printer."""
    lines = ["G21", "G90", "M82", "G28", "M104 S205", "M140 S40", "M106 S255"]
    extruded = 0.0
    for layer in range(layers):
        lines += [f";LAYER:{layer}", f"G0 Z{0.2 * (layer + 1):.2f} F1200"]
        for n in range(MOVES):
            extruded += 0.8
            lines.append(f"G1 X{20 * (n % 2)} Y{10 + n} E{extruded:.3f} F1200")
    return [*lines, "M107"]


@pytest.fixture(scope="module")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watch, OctoPrintServer]]:
    """The tap's watch, and an OctoPrint that is connected to the tap's link."""
    folder = tmp_path_factory.mktemp("tap")
    link = folder / "printer"
    with (
        virtual_printer(folder / "virtual") as pty,
        watching(f"tap:{pty}?baud={BAUD}&link={link}", with_lines=True) as watch,
    ):
        watch.until(link.exists, "the tap's link")
        with serving(folder / "base", port=str(link), ports=[str(link)]) as octoprint:
            octoprint.ask("connection", {"command": "connect", "port": str(link), "baudrate": BAUD})
            octoprint.until("operational")
            yield watch, octoprint


def test_a_print_runs_to_its_end_and_the_tap_sees_all_of_it(tapped: tuple[Watch, OctoPrintServer]) -> None:
    watch, octoprint = tapped
    octoprint.print_file("cube.gcode", gcode(LAYERS))
    octoprint.until("printing")
    octoprint.until("ready")
    watch.until(lambda: 0.0 in watch.readings("fan"), "the last line")
    watch.until(lambda: max(watch.readings("hotend_c")) > WARM_C, "a warm hot end")

    moves = [line for line in gcode(LAYERS) if line.startswith("G1")]
    sent = [line for line in watch.lines(sent=True) if "G1 X" in line]
    assert [line.split("*")[0].split(" ", 1)[1] for line in sent] == moves, "each line once, in order"
    assert octoprint.ask("job")["progress"]["completion"] == 100
    assert 205.0 in watch.readings("hotend_target_c")
    assert max(watch.readings("layer")) == LAYERS - 1
    assert max(watch.readings("feed_mm_s")) == pytest.approx(20.0)
    assert max(watch.readings("extrusion_mm_s")) > 0.0
    assert not watch.readings("garbled")


def test_a_pause_through_the_tap_really_pauses_octoprints_job(tapped: tuple[Watch, OctoPrintServer]) -> None:
    watch, octoprint = tapped
    octoprint.print_file("long.gcode", gcode(400))
    octoprint.until("printing")
    before = len(watch.lines(sent=True))
    watch.until(lambda: len(watch.lines(sent=True)) > before + 20, "some moves")

    watch.tell(Action.PAUSE)
    assert octoprint.flag("paused")
    watch.tell(Action.RESUME)
    assert octoprint.flag("printing")
    assert not octoprint.flag("paused")
    watch.tell(Action.CANCEL)
    octoprint.until("ready")
    told = [kind for kind, _ in watch.events(*BY_COMMAND)]
    assert told == list(BY_COMMAND)
    assert not watch.events(EventKind.DISCONNECTED)
