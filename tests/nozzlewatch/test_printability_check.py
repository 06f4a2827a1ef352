"""``printability check``: what it says, to people and to programs, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from nozzlewatch.printability.check import check
from tests.nozzlewatch.checked import box, table, together, write_stl

THIN = together(box((30, 30, 5)), box((0.2, 30, 20), (10, 0, 5)))


class Told(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    said: str  # on standard error


def run(*arguments: object) -> Told:
    app = typer.Typer()
    app.command()(check)
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Told(result.exit_code, result.stdout, result.stderr)


def told(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json", "-").out)
    return found


def test_a_good_part_ends_with_0_and_is_called_printable(tmp_path: Path) -> None:
    ended = run(write_stl(tmp_path / "cube.stl", box((20, 20, 20))))
    assert ended.code == 0
    assert ended.out.startswith("Printable  ")
    assert "20.0 x 20.0 x 20.0 mm, 12 triangles, closed surface" in ended.out


def test_a_part_that_fails_ends_with_1_and_says_where_why_and_what_to_do(tmp_path: Path) -> None:
    ended = run(write_stl(tmp_path / "thin.stl", THIN))
    assert ended.code == 1
    assert ended.out.startswith("Not printable  ")
    assert "Thin wall: 1 place fails; it is 0.2 mm thick at (10" in ended.out
    assert "Make walls 0.8 mm thick or more" in ended.out


def test_a_part_that_needs_support_ends_with_0(tmp_path: Path) -> None:
    ended = run(write_stl(tmp_path / "table.stl", table()))
    assert ended.code == 0
    assert "Printable with support" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--material", "cheese"),
        ("--nozzle", "9"),
        ("--layer", "0.9"),
        ("--unit", "mile"),
        ("--model", "no.file"),
    ],
)
def test_wrong_usage_ends_with_2_and_without_a_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = run(write_stl(tmp_path / "cube.stl", box((20, 20, 20))), *arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.said
    assert ended.said


def test_a_broken_file_ends_with_2_and_says_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "part.stl").write_bytes(b"\x00" * 90)
    ended = run(tmp_path / "part.stl")
    assert ended.code == 2
    assert "found" in ended.said
    assert ended.out == ""


def test_a_slip_in_a_name_to_write_is_told_before_the_work(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "cube.stl", box((20, 20, 20)))
    assert "found a folder" in run(path, "--report", tmp_path).said
    assert "found no folder" in run(path, "--json", tmp_path / "nowhere" / "part.json").said
    ended = run(path, "--report", path)
    assert (ended.code, "found the part itself" in ended.said) == (2, True)
    assert path.read_bytes()[80:84] == b"\x0c\x00\x00\x00"


def test_json_holds_everything_for_a_program(tmp_path: Path) -> None:
    found = told(write_stl(tmp_path / "thin.stl", THIN), "--nozzle", 0.6, "--material", "petg")
    assert found["printable"] is False
    assert found["network"] is None or 0 <= found["network"]["probability"] <= 1
    assert found["process"] == {"nozzle_mm": 0.6, "layer_mm": 0.2, "material": "petg"}
    wall = next(one for one in found["findings"] if one["problem"] == "thin wall")
    assert wall["severity"] == "fails"
    assert wall["size_mm"] == pytest.approx(0.2, abs=0.02)
    assert 10 <= wall["where_mm"][0] <= 10.2
    assert found["orientations"][0]["rotation"]
    assert found["seconds"]["geometry"] >= 0


def test_a_finer_nozzle_or_a_larger_part_changes_the_verdict(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "thin.stl", THIN)
    assert told(path)["printable"] is False
    assert not any(one["problem"] == "thin wall" for one in told(path, "--unit", "inch")["findings"])


def test_json_and_the_report_are_written_into_files(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "table.stl", table())
    ended = run(path, "--json", tmp_path / "part.json", "--report", tmp_path / "part.html")
    assert (ended.code, ended.out) == (0, "")
    assert json.loads((tmp_path / "part.json").read_text())["needs_support"] is True
    page = (tmp_path / "part.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<h1>table.stl</h1>" in page
    assert "Printable with support" in page


def test_no_name_steers_the_terminal_or_becomes_markup(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "[red]\x1b[31m<script>.stl", box((20, 20, 20)))
    ended = run(path, "--report", tmp_path / "part.html")
    assert "\x1b" not in ended.out
    assert "[red]" in ended.out
    assert "<script>.stl" not in (tmp_path / "part.html").read_text()


def test_a_name_that_is_no_utf8_is_told_and_written(tmp_path: Path) -> None:
    path = write_stl(tmp_path / b"\xff.stl".decode(errors="surrogateescape"), box((20, 20, 20)))
    assert told(path, "--report", tmp_path / "part.html")["file"].endswith("\ufffd.stl")
