"""What the commands in OctoPrint's terminal tell: motion, filament, heat, layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import pytest

from ingest.records import NS_PER_S, Reading
from ingest.telemetry.gcode.e_mode import EMode
from ingest.telemetry.octoprint.news import News
from ingest.telemetry.octoprint.numbering import Numbering, Place
from tests.ingest.octoprint_heard import NOW_NS, PRINTING, begun, heard, readings, state

BATCH_NS = NS_PER_S // 2
STARTED = {"type": "PrintStarted", "payload": {"name": "cube.gcode"}}
HEAD = ("M110 N0", "G21", "G90", "M82", "M104 S225", "G28", "G92 E0", "G1 Z0.2 F6000", "G1 X0 Y0 F3000")


def started() -> News:
    """A printer whose print begins."""
    news = begun()
    heard(news, event=STARTED)
    return news


def numbered(commands: Iterable[str], first: int = 0) -> Iterator[str]:
    return (f"N{number} {command}*99" for number, command in zip(count(first), commands, strict=False))


def batches(news: News, lines: Iterable[str], per_batch: int = 10, start_ns: int = NOW_NS) -> list[Reading]:
    """Lines as OctoPrint shows them, so many in each message."""
    told, waiting = [], list(lines)
    for at_ns, first in zip(count(start_ns, BATCH_NS), range(0, len(waiting), per_batch), strict=False):
        logs = [text for line in waiting[first : first + per_batch] for text in (f"Send: {line}", "Recv: ok")]
        told += heard(news, at_ns, current={"logs": logs})
    return [item for item in told if isinstance(item, Reading)]


def layer_lines(moves: int, *, relative: bool = False, z_mm: float = 0.2, e_mm: float = 0.0) -> list[str]:
    """Moves of 20 mm, each with 1 mm of filament; relative ones with a little more and less in turn."""
    lines = [f"G1 Z{z_mm:.2f} F600"]
    for move in range(moves):
        e_mm = 1.0 + (move % 2 - 0.5) * 0.1 if relative else e_mm + 1.0
        lines.append(f"G1 X{20 * ((move + 1) % 2)} Y10 E{e_mm:.3f} F3000")
    return lines


def values(told: list[Reading], channel: str) -> list[float]:
    return [reading.value for reading in told if reading.channel == channel]


def test_feed_filament_heat_and_place_are_learned_from_the_lines() -> None:
    last = readings(batches(started(), numbered([*HEAD, *layer_lines(80)])))
    assert last["feed_mm_s"] == 50.0
    assert last["extrusion_mm_s"] == pytest.approx(20.0)  # ten moves in each half second
    assert last["melt_w"] == pytest.approx(20.0 * 5.6e-3 * 200)
    assert (last["y_mm"], last["z_mm"], last["layer"]) == (10.0, 0.2, 0.0)
    assert last["lines"] == 10.0


def test_layers_are_counted_from_the_start_of_a_print_to_its_end() -> None:
    news = started()
    lines = [*HEAD, *layer_lines(20), *layer_lines(20, z_mm=0.4, e_mm=20.0), "M106 S255"]
    assert sorted(set(values(batches(news, numbered(lines)), "layer"))) == [0.0, 1.0]
    heard(news, event={"type": "PrintDone", "payload": {}})
    assert not values(batches(news, layer_lines(20), start_ns=NOW_NS + 10 * NS_PER_S), "layer")
    heard(news, event=STARTED)
    next_one = batches(news, numbered([*HEAD, *layer_lines(20)]), start_ns=NOW_NS + 20 * NS_PER_S)
    assert set(values(next_one, "layer")) == {0.0}


def test_a_line_that_is_sent_again_counts_once() -> None:
    lines = list(numbered([*HEAD, "M83", *layer_lines(80, relative=True)]))
    again = [*lines[:60], *lines[50:60], *lines[60:]]
    assert values(batches(started(), again), "e_mm")[-1] == pytest.approx(80.0)


@pytest.mark.parametrize("relative", [False, True])
def test_lines_that_are_missing_push_no_filament_and_are_recovered_from(relative: bool) -> None:
    lines = list(numbered([*HEAD, *["M83"] * relative, *layer_lines(400, relative=relative)]))[:400]
    news = started()
    batches(news, lines[:100])
    rest = batches(news, lines[300:], start_ns=NOW_NS + 15 * NS_PER_S)
    assert values(rest, "extrusion_mm_s") == pytest.approx([20.0] * len(values(rest, "extrusion_mm_s")))
    whole = readings(batches(started(), lines))
    for channel in ("x_mm", "y_mm", "z_mm", "feed_mm_s", "extrusion_mm_s", "melt_w"):
        assert readings(rest)[channel] == pytest.approx(whole[channel]), channel


def test_a_zero_of_e_that_was_missed_pulls_no_filament_and_heat_goes_on() -> None:
    lines = list(numbered([*HEAD, *layer_lines(100), "G92 E0", *layer_lines(60)]))[:170]
    told = batches(started(), [*lines[:105], *lines[115:]])
    assert min(values(told, "extrusion_mm_s")) >= 0
    assert values(told, "melt_w")[-1] == pytest.approx(20.0 * 5.6e-3 * 200, rel=0.05)


@pytest.mark.parametrize("relative", [False, True])
def test_who_joins_a_print_sees_how_e_is_counted_and_tells_no_layer(relative: bool) -> None:
    running = layer_lines(400, relative=relative, z_mm=12.0, e_mm=3000.0)[1:]
    past = [f"Send: {line}" for line in numbered(running[:20], 5000)]
    heat = [{"time": 1, "tool0": {"actual": 225.0, "target": 225.0}}]
    news = begun(**PRINTING, logs=past, temps=heat, currentZ=12.0)
    told = batches(news, numbered(running[20:], 5020))
    rates = values(told, "extrusion_mm_s")
    assert rates[-1] == pytest.approx(20.0, rel=0.01)
    assert 0 <= min(rates) <= max(rates) <= 20.0 * 1.2
    assert readings(told)["melt_w"] == pytest.approx(20.0 * 5.6e-3 * 200, rel=0.01)
    assert set(values(told, "z_mm")) == {12.0}
    assert not values(told, "layer")


def test_filament_is_not_told_before_it_is_known_how_e_is_counted() -> None:
    news = begun(**PRINTING)
    told = readings(batches(news, ["G1 X0 Y0 F3000", "G1 X20 E1", "G1 X40 E2"]))
    assert told["feed_mm_s"] == 50.0
    assert not told.keys() & {"extrusion_mm_s", "melt_w", "e_mm"}


def test_the_height_is_told_in_one_way_alone() -> None:
    news = started()
    at_rest = heard(news, current={"logs": [], "currentZ": 5.0})
    assert readings(at_rest)["z_mm"] == 5.0
    batches(news, [*HEAD, "G91", "G1 Z0.4", "G90"])
    logs = ["Send: G1 X5", "Recv: ok", "Recv: X:5.00 Y:0.00 Z:7.00 E:0.00 Count X:0 Y:0 Z:0", "Recv: ok"]
    told = heard(news, NOW_NS + 5 * NS_PER_S, current={"logs": logs, "currentZ": 0.4})
    heights = [item.value for item in told if isinstance(item, Reading) and item.channel == "z_mm"]
    assert heights == [pytest.approx(0.6)]


def test_after_silence_the_first_moves_are_not_spread_over_it() -> None:
    news = started()
    batches(news, HEAD)
    told = batches(news, layer_lines(10), start_ns=NOW_NS + 600 * NS_PER_S, per_batch=20)
    assert values(told, "extrusion_mm_s")[-1] >= 5.0


def test_a_print_from_the_printers_card_is_not_mistaken_for_one_that_stands() -> None:
    news = started()
    batches(news, [*HEAD, *layer_lines(20)])
    batches(news, ["M23 CUBE.GCO", "M24"], start_ns=NOW_NS + 20 * NS_PER_S)
    told = batches(news, ["M27"] * 10, start_ns=NOW_NS + 21 * NS_PER_S, per_batch=2)
    assert {reading.channel for reading in told} == {"lines"}


@pytest.mark.parametrize(
    "lost",
    [
        {"event": {"type": "PrinterStateChanged", "payload": {"state_id": "OFFLINE"}}},
        {"current": {"logs": ["Recv: start"]}},
    ],
)
def test_a_printer_that_is_offline_or_has_just_booted_is_nowhere(lost: dict[str, Any]) -> None:
    news = started()
    batches(news, [*HEAD, *layer_lines(20)])
    heard(news, NOW_NS + 10 * NS_PER_S, **lost)
    assert heard(news, NOW_NS + 20 * NS_PER_S, current={"state": state("Offline"), "logs": []}) == []


def test_numbers_show_what_is_new_again_or_missing() -> None:
    numbering = Numbering()
    lines = ["N7 G1", "N8 G1", "N8 G1", "N9 G1", "M105", "N12 G1", "N10 G1", "N0 M110 N0", "N1 G1", "N500 G1"]
    assert [numbering.place(line) for line in lines] == [
        *(Place.NEXT, Place.NEXT, Place.AGAIN, Place.NEXT, Place.NEXT, Place.AFTER_A_GAP, Place.AGAIN),
        *(Place.NEXT, Place.NEXT, Place.AFTER_A_GAP),
    ]
    assert numbering.place("N3 G1") is Place.AFTER_A_GAP  # the M110 between them was missed
    assert numbering.place("N4 G1") is Place.NEXT


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([(1000.0, 20.0)], "M82"),
        ([(0.1 * n, 20.0) for n in range(1, 14)], "M82"),
        ([(0.5, 15.0), (0.2, 6.0), (0.4, 12.0), (0.3, 9.0), (0.1, 3.0)], "M83"),
        ([(0.5, 15.0)] * 50, ""),
        ([(-2.0, 0.0), (2.0, 0.0)] * 10, ""),
    ],
)
def test_e_is_a_sum_or_a_length_by_its_words(words: list[tuple[float, float]], code: str) -> None:
    mode = EMode()
    for e_mm, path_mm in words:
        mode.take(e_mm, path_mm)
    assert mode.code == code
