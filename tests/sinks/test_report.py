"""The report: what was found is in it, nothing that was said becomes markup, and it needs no network."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detector.anomaly import Kind, State
from sinks import report_charts
from sinks.errors import SinkError
from sinks.parquet_rows import to_table
from sinks.parquet_schema import SCHEMAS
from sinks.report import write_report

JPEG = b"\xff\xd8\xff\xe0 a small picture"
S = 1_000_000_000
Make = Callable[..., Any]


@pytest.fixture(name="table")
def _table(scores: Make, delivered: Make) -> pa.Table:
    """Two minutes of two printers; the first one's spaghetti score peaks for one window."""
    told = [
        scores(n, printer=name, probabilities={Kind.SPAGHETTI: 0.8 if n == 77 else 0.01, Kind.BLOB: 0.04})
        for name in ("voron-2", "mk4")
        for n in range(120)
    ]
    return to_table("scores", [delivered(one, n) for n, one in enumerate(told)])


def write(out: Path, table: pa.Table, **what: Any) -> tuple[dict[str, Any], str]:
    told: dict[str, Any] = {
        "title": "Night shift",
        "anomalies": [],
        "thumbnails": {},
        "counts": {"windows": 12_240},
        "sources": ["prints/benchy.mcap"],
    }
    write_report(out, scores=table, **told | what)
    return json.loads((out / "report.json").read_text()), (out / "report.html").read_text()


def test_what_was_found_is_in_both_files(tmp_path: Path, table: pa.Table, anomaly: Make) -> None:
    told = [anomaly(60), anomaly(60, revision=2, state=State.CLOSED, at_ns=anomaly(60).onset_ns + 50 * S)]
    data, page = write(tmp_path / "out", table, anomalies=told, thumbnails={"a60": JPEG})
    assert [(one["id"], one["revision"], one["onset"]) for one in data["anomalies"]] == [
        ("a60", 2, "2026-02-03T12:01:00.000000001Z")
    ]
    assert (data["counts"], data["sources"]) == ({"windows": 12_240}, ["prints/benchy.mcap"])
    assert data["figures"]["voron-2"]["windows"] == 120
    assert data["figures"]["voron-2"]["peaks"]["spaghetti"] == pytest.approx(0.8)
    for shown in (
        "Night shift",
        "1 anomaly found",
        "layer shift",
        "92 %",
        "over after 50 s",
        "1 min into the watch",
        "the layers no longer lie above each other",
        "x_mm 70 %",
        "12 240",
        "prints/benchy.mcap",
        "2026-02-03 12:01:00 UTC",
        base64.b64encode(JPEG).decode(),
    ):
        assert shown in page, shown


def test_only_kinds_that_showed_get_a_line(tmp_path: Path, table: pa.Table) -> None:
    _, page = write(tmp_path, table)
    assert ">spaghetti <" in page
    assert "up to 0.80" in page
    assert "blob" not in page
    assert "up to 1.5 sd" in page


def test_names_with_markup_stay_names(tmp_path: Path, scores: Make, anomaly: Make, delivered: Make) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
    table = to_table("scores", [delivered(scores(n, printer=evil), n) for n in range(10)])
    told = anomaly(1, printer=evil, job=evil, text=evil)
    data, page = write(
        tmp_path,
        table,
        title=evil,
        anomalies=[told],
        thumbnails={"a1": JPEG},
        counts={evil: 1},
        sources=[evil],
    )
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert [
        attributes for tag, attributes in tags.attributes if tag == "img" and "onerror" in attributes
    ] == []
    assert page.count("{{ 7*7 }}") >= 6
    assert data["anomalies"][0]["printer"] == evil


def test_the_page_needs_no_network(tmp_path: Path, table: pa.Table, anomaly: Make) -> None:
    _, page = write(tmp_path, table, anomalies=[anomaly(1)], thumbnails={"a1": b"\x89PNG and so on"})
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\(", page)
    assert re.findall(r'src="([^"]{0,22})', page) == ["data:image/png;base64,"]


def test_nothing_found_and_nothing_judged_is_said(tmp_path: Path) -> None:
    data, page = write(tmp_path, SCHEMAS["scores"].empty_table())
    assert data["anomalies"] == []
    assert "No anomaly found" in page
    assert "No scores." in page


def test_what_was_said_of_the_finished_part_is_in_both_files(
    tmp_path: Path, table: pa.Table, inspection: Make
) -> None:
    sound = inspection(1, verdict="good", sound=True, text="surface: good <b>97 %</b>")
    data, page = write(tmp_path, table, inspections=[inspection(0), sound])
    assert '<p class="verdict bad">After the print: surface: stringing 93 % (1 of 2 pictures)</p>' in page
    assert '<p class="verdict good">After the print: surface: good &lt;b&gt;97 %' in page
    first = data["inspections"][0]
    assert (first["verdict"], first["at"]) == ("stringing", "2026-02-03T12:00:00.000000000Z")
    assert [one["label"] for one in first["pictures"]] == ["stringing", None]
    assert write(tmp_path, table)[0]["inspections"] == []


def test_an_open_anomaly_is_shaded_to_the_end(table: pa.Table, anomaly: Make) -> None:
    closed = anomaly(60, id="b", state=State.CLOSED, at_ns=anomaly(90).onset_ns)
    (_, chart) = report_charts.charts(table, [anomaly(60), closed])
    open_span, closed_span = chart.spans
    end = report_charts.WIDTH - report_charts.RIGHT
    assert open_span.x + open_span.width == pytest.approx(end)
    assert closed_span.width == pytest.approx(open_span.width / 2, rel=0.01)
    assert open_span.label_y != closed_span.label_y  # labels side by side would lie on each other


def test_a_long_series_is_thinned_and_keeps_its_peaks() -> None:
    values = np.zeros(100_000)
    values[[0, 33_333, 99_999]] = (0.7, 0.9, 0.8)
    values[5:50] = np.nan
    times, heights = report_charts.thinned(np.arange(100_000), values)
    assert len(times) == len(heights) <= 2000
    assert sorted(heights)[-3:] == [0.7, 0.8, 0.9]
    assert times[heights.argmax()] == 33_333


def test_a_line_breaks_where_nothing_was_watched(scores: Make, delivered: Make) -> None:
    told = [*range(20), *range(100, 120)]
    table = to_table("scores", [delivered(scores(n), n) for n in told])
    (chart,) = report_charts.charts(table, [])
    assert all(line.path.count("M") == 2 for line in chart.lines)


def test_missing_and_odd_numbers_do_not_stop_a_report(tmp_path: Path, scores: Make, delivered: Make) -> None:
    told = [scores(0, novelty=None, probabilities={Kind.STALL: float("nan")}), scores(1, novelty=None)]
    data, _ = write(tmp_path, to_table("scores", [delivered(one, n) for n, one in enumerate(told)]))
    assert data["figures"]["voron-2"]["novelty_max"] is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, table: pa.Table) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SinkError, match="cannot write the report"):
        write(tmp_path / "file" / "out", table)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, set[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.append((tag, {name for name, _ in attrs}))
