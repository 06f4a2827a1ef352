"""An export is read back by other programs as what was exported."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pa_parquet
import pytest

from detector.anomaly import Anomaly, State
from ingest.errors import UsageError
from sinks.export import Format, export, format_of
from sinks.parquet_records import anomalies_of
from sinks.parquet_schema import ANOMALIES, SCHEMAS

Make = Callable[..., Anomaly]
NASTY = 'a "quoted", text\nover two lines; 210 °C'


@pytest.fixture(name="told")
def _told(anomaly: Make) -> list[Anomaly]:
    return [
        anomaly(0, text=NASTY, printer="ender, left"),
        anomaly(5, state=State.CLOSED, revision=3, boxes=(), job=""),
    ]


def test_json_holds_every_field_and_times_in_both_forms(tmp_path: Path, told: list[Anomaly]) -> None:
    export(told, tmp_path / "out.json", Format.JSON)
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [(row["id"], row["state"], row["revision"]) for row in rows] == [
        ("a0", "opened", 1),
        ("a5", "closed", 3),
    ]
    first = rows[0]
    assert set(first) >= set(Anomaly.__struct_fields__)
    assert (first["text"], first["printer"]) == (NASTY, "ender, left")
    assert (first["onset_ns"], first["onset"]) == (told[0].onset_ns, "2026-02-03T12:00:00.000000001Z")
    assert first["boxes"] == [{"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}]
    assert first["evidence"]["channels"] == {"x_mm": 0.7, "y_mm": 0.3}
    assert first["lasted_s"] == pytest.approx(38.5)


def test_csv_has_a_row_each_and_every_column_but_the_nested_ones(tmp_path: Path, told: list[Anomaly]) -> None:
    export(told, tmp_path / "out.csv", Format.CSV)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    nested_or_internal = {"evidence", "boxes", "stream", "entry_id", "pictures"}
    assert set(rows[0]) == set(SCHEMAS[ANOMALIES].names) - nested_or_internal
    assert [(row["id"], row["state"], row["revision"]) for row in rows] == [
        ("a0", "opened", "1"),
        ("a5", "closed", "3"),
    ]
    assert (rows[0]["text"], rows[0]["printer"]) == (NASTY, "ender, left")
    assert [float(row["severity"]) for row in rows] == [0.92, 0.92]
    assert rows[0]["onset"] == "2026-02-03 12:00:00.000000001Z"


def test_parquet_gives_the_very_same_anomalies_back(tmp_path: Path, told: list[Anomaly]) -> None:
    export(told, tmp_path / "out.parquet", Format.PARQUET)
    assert anomalies_of(pa_parquet.read_table(tmp_path / "out.parquet")) == told


@pytest.mark.parametrize("chosen", Format)
def test_no_anomalies_are_an_export_too(tmp_path: Path, chosen: Format) -> None:
    out = tmp_path / f"out.{chosen}"
    export([], out, chosen)
    read = {
        Format.JSON: lambda: len(json.loads(out.read_bytes())),
        Format.CSV: lambda: len(out.read_text().splitlines()) - 1,
        Format.PARQUET: lambda: pa_parquet.read_table(out).num_rows,
    }
    assert read[chosen]() == 0


def test_the_names_ending_says_the_format() -> None:
    assert [format_of(Path(f"a.b/c.{one}")) for one in Format] == list(Format)


@pytest.mark.parametrize("name", ["out.xlsx", "out", ".json", "out.json.gz"])
def test_another_ending_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError) as told:
        format_of(Path("folder") / name)
    assert str(told.value) == f"found the name '{name}', expected one that ends in .json, .csv, .parquet"


@pytest.mark.parametrize("chosen", Format)
@pytest.mark.parametrize("place", ["missing/out", "folder"], ids=["no-such-folder", "a-folder"])
def test_a_place_that_cannot_be_written_is_told(
    tmp_path: Path, told: list[Anomaly], chosen: Format, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError) as failed:
        export(told, tmp_path / place, chosen)
    assert str(failed.value).startswith(f"{tmp_path / place}: found ")
    assert str(failed.value).endswith(", expected a file to write")
