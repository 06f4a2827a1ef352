"""The page of an evaluation: all of it is there, no name becomes markup, and it needs no network."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from detector.evaluation.baselines import always_on, never_on
from detector.evaluation.calibration import reliability
from detector.evaluation.figures import Figures, measured
from ingest.errors import UsageError
from nozzlewatch.watching import report_charts
from nozzlewatch.watching.report import SHOWN, Example, write_report
from nozzlewatch.watching.report_headline import headline
from nozzlewatch.watching.report_text import methods
from tests.detector.evaluation.farm import ONSET_S, SHARES, failing, farm, normal, told

JPEG = b"\xff\xd8\xff\xe0 a small picture"
DATA = "160 simulated prints of the split test"


@pytest.fixture(name="figures", scope="module")
def _figures() -> Figures:
    prints = farm()
    return measured(prints, SHARES, baselines={"never on": never_on(prints), "always on": always_on(prints)})


def write(out: Path, figures: Figures, **what: Any) -> str:
    write_report(out / "page.html", **{"title": "Night shift", "data": DATA, "figures": figures} | what)
    return (out / "page.html").read_text()


def rows(page: str) -> list[str]:
    """The text of each row of each table, on one line."""
    found = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in found]


def test_figures_methods_and_kinds_are_on_the_page(tmp_path: Path, figures: Figures) -> None:
    page = write(tmp_path, figures, about={"always on": "alarms all the time"})
    shown = rows(page)
    low, high = figures.mistakes_ci or (0, 0)
    assert f"{figures.mistakes_per_100:.1f} mistakes in 100 prints" in page
    assert any(
        f"{figures.mistakes_per_100:.1f} {low:.1f} to {high:.1f} Of 100 prints" in row for row in shown
    )
    assert any(row.startswith("never on 10.0 10.0 to 10.0") for row in shown)
    assert any("always on alarms all the time 100.0" in row and "beyond" in row for row in shown)
    assert any(row.startswith("heater fault 10 30 %") for row in shown)
    assert any(row.startswith("visual kinds 30") for row in shown)


def test_reasons_are_on_the_page_where_any_are_known(tmp_path: Path, figures: Figures) -> None:
    assert not any("Reason right" in line.name for line in headline(figures))
    alarm = replace(told(ONSET_S + 5.0), rests_on="camera")
    known = measured([normal(), failing("a", alarm), failing("b", replace(alarm, rests_on="fan"))], SHARES)
    shown = rows(write(tmp_path, known))
    assert any(row.startswith("spaghetti") and row.endswith("1 of 2: 50 % [9, 91]") for row in shown)
    assert any(
        row.startswith("Reason right 50 % 9 to 91 %") and "of 2 failures found" in row for row in shown
    )


def test_what_was_measured_on_stands_beside_the_headline(tmp_path: Path, figures: Figures) -> None:
    (verdict,) = re.findall(r'<p class="verdict">.*</p>', write(tmp_path, figures))
    assert DATA in verdict


def test_mistakes_are_shown_with_picture_and_reason(tmp_path: Path, figures: Figures) -> None:
    missed = Example("print-17", "no_extrusion", 754.0, "too dark", "full_clog", 0.4, picture=JPEG)
    wrong = Example("print-40", None, 61.0, "a filament change", told="stall")
    page = write(tmp_path, figures, missed=[missed], wrong=[wrong])
    shown = rows(page)
    assert "print-17 no extrusion by full clog severity 40 % 12 min 34 s too dark" in shown
    assert "print-40 nothing stall 1 min 1 s a filament change" in shown
    assert f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}" in page
    assert "1 print failed" in page


def test_a_long_list_of_mistakes_is_cut_and_says_so(tmp_path: Path, figures: Figures) -> None:
    missed = [Example(f"print-{n}", "stall", 5.0, "") for n in range(SHOWN + 7)]
    page = write(tmp_path, figures, missed=missed)
    assert "and 7 more" in page
    assert f"{SHOWN + 7} prints failed" in page
    assert f"print-{SHOWN}<" not in page


def test_nothing_that_was_named_becomes_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    prints = [normal(), failing("f", told(ONSET_S, evil))]
    figures = measured(prints, SHARES, baselines={evil: never_on(prints)})
    example = Example(evil, evil, 1.0, evil, evil, 0.5, evil, b'\xff\xd8"><script>')
    what = {"missed": [example], "wrong": [example], "ours": evil, "about": {evil: evil}}
    page = write(tmp_path, figures, title=evil, data=evil, **what)
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") > 10


def test_the_page_needs_no_network_and_no_scripts(tmp_path: Path, figures: Figures) -> None:
    tags: set[str] = set()
    sources: list[str] = []

    class Fetched(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            sources.extend(value or "" for name, value in attrs if name in {"src", "href"})

    Fetched().feed(write(tmp_path, figures, missed=[Example("p", "stall", 1.0, "", picture=JPEG)]))
    assert not {"script", "link", "iframe"} & tags
    assert all(source.startswith("data:image/") for source in sources)


def test_a_watch_that_said_nothing_has_a_page_too(tmp_path: Path) -> None:
    page = write(tmp_path, measured([normal(), failing()], SHARES))
    assert "No failure is named here as missed" in page
    assert "nan" not in re.sub(r"<[^>]*>", " ", page).lower().split()
    assert "Beside other methods" not in page


def test_probabilities_are_drawn_where_they_are_known(tmp_path: Path, figures: Figures) -> None:
    said = np.array([0.05, 0.05, 0.95])
    known = reliability(said, np.array([False, False, True]))
    page = write(tmp_path, figures, reliability=known)
    assert "0.9 to 1.0: 1 beats, 100 % of them failing" in page
    assert "off by 5.0 points" in page
    assert "expected calibration error" not in write(tmp_path, figures)


def test_the_bars_of_the_delays_hold_all_failures_to_one_scale(figures: Figures) -> None:
    columns = report_charts.columns(figures.delays)
    missed = columns[-1]
    assert (missed.missed, missed.label) == (True, "missed")
    tallest = max(columns, key=lambda one: one.height)
    assert tallest.height == pytest.approx(report_charts.HEIGHT)
    share = 1 - sum(bar.share for bar in figures.delays)
    most = max(bar.share for bar in figures.delays)
    assert missed.height / tallest.height == pytest.approx(share / most)
    labels = [one.label for one in columns]
    assert labels[:2] == ["0 to 5 s", "5 to 10 s"]
    assert labels[4:6] == ["30 s to 1 min", "1 to 2 min"]
    assert labels[-2:] == ["over 10 min", "missed"]


def test_a_firmware_that_was_faster_is_told_as_such() -> None:
    late = failing("f", told(ONSET_S + 60), kind="heater_fault", halted_s=ONSET_S + 40)
    lines = headline(measured([normal(), late], SHARES))
    (line,) = (line for line in lines if "firmware" in line.name)
    assert line.value == "0 %"
    assert "20 s later" in line.means


def test_a_method_is_coloured_where_no_doubt_is_left(figures: Figures) -> None:
    judged = {one.name: one.apart_judged for one in methods(figures, "ours", {})}
    assert judged == {"ours": "", "never on": "", "always on": "good"}


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path, figures: Figures) -> None:
    with pytest.raises(UsageError, match="expected a file to write"):
        write_report(tmp_path, title="x", data="y", figures=figures)
