"""An anomaly in words: times with their zone, durations, nothing that breaks a line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from rich.console import Console

from detector.anomaly import Anomaly, State
from sinks import anomaly_text as text

S = 1_000_000_000
BERLIN = ZoneInfo("Europe/Berlin")
Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "under 1 s"),
        (0.4, "under 1 s"),
        (1, "1 s"),
        (38.9, "38 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3 * 3600 + 12 * 60 + 59, "3 h 12 min"),
        (3600 + 5, "1 h"),
        (2 * 86_400 + 3 * 3600, "2 d 3 h"),
        (-5, "-5 s"),
    ],
)
def test_durations_show_their_two_largest_units(seconds: float, told: str) -> None:
    assert text.duration_text(int(seconds * S)) == told


def test_one_line_tells_when_where_what_since_and_why(anomaly: Make) -> None:
    assert text.one_line(anomaly(0), BERLIN) == (
        "2026-02-03 13:00:38 CET  voron-2  layer shift opened  90 %  since 13:00:00, 38 s  "
        "the layers no longer lie above each other"
    )


def test_one_line_stays_one_line(anomaly: Make) -> None:
    told = text.one_line(anomaly(0, printer="a\nb\x1b[31m", text="c\r\nd\u202ee\x85f"), UTC)
    assert len(told.splitlines()) == 1
    assert "a b [31m" in told
    assert "c d e f" in told


def test_several_lines_show_both_zones_where_they_differ(anomaly: Make) -> None:
    assert text.several_lines(anomaly(0), BERLIN).splitlines() == [
        "Printer: voron-2",
        "Job: benchy.gcode",
        "Kind: layer shift (opened, 92 % at most)",
        "Since: 2026-02-03 13:00:00 CET (12:00:00 UTC)",
        "Told: 2026-02-03 13:00:38 CET (12:00:38 UTC), 38 s after it began",
        "Why: the layers no longer lie above each other",
        "Channels: x_mm 70 %, y_mm 30 %",
    ]
    assert "Since: 2026-02-03 12:00:00 UTC\n" in text.several_lines(anomaly(0), UTC)


def test_headlines_say_whether_it_goes_on(anomaly: Make) -> None:
    assert text.headline(anomaly(0)) == "voron-2: layer shift (92 %)"
    assert text.headline(anomaly(0, state=State.CLOSED)) == "voron-2: layer shift is over after 38 s"


def test_the_table_shows_markup_as_text(anomaly: Make) -> None:
    out = io.StringIO()
    drawn = text.table([anomaly(0, printer="[red]x[/red]", text="[/oops]")], UTC, title="[b]farm")
    Console(file=out, width=200).print(drawn)
    for shown in ("[b]farm", "[red]x[/red]", "[/oops]", "2026-02-03", "12:00:00 UTC", "92 %", "layer shift"):
        assert shown in out.getvalue()


def test_the_dict_is_json_with_exact_times_and_everything_in_it(anomaly: Make) -> None:
    told = json.loads(json.dumps(text.to_dict(anomaly(0))))
    assert told["onset"] == "2026-02-03T12:00:00.000000001Z"
    assert told["at"] == "2026-02-03T12:00:38.500000000Z"
    assert (told["kind"], told["state"], told["text"]) == (
        "layer_shift",
        "opened",
        "the layers no longer lie above each other",
    )
    assert told["evidence"]["channels"] == {"x_mm": 0.7, "y_mm": 0.3}
    assert told["boxes"] == [{"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}]
    assert set(msgspec.structs.asdict(anomaly(0))) <= set(told)
    assert isinstance(anomaly(0), Anomaly)
