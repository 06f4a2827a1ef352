"""``preprocess`` makes prints of recordings, tells what is broken, and goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.learning.shards import facts_of
from ingest.simulate.produce import Wanted, produce
from ingest.simulate.splits import Split
from nozzlewatch.cli import app


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    wanted = Wanted(prints=1, seed=5, split=Split.TRAIN, folder=folder, minutes=0.3334, size=(160, 120))
    produce(wanted, 1, lambda made: None, lambda: False)
    return folder


def told(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["preprocess", *map(str, arguments), "--jobs", "1", "--json", "-"])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_prints_are_made_once(recordings: Path, tmp_path: Path) -> None:
    first = told(recordings, "-o", tmp_path / "out")
    assert (first["made"], first["already_there"], first["broken"]) == (1, 0, [])
    assert facts_of(tmp_path / "out" / "train-5-00000.beats").simulator
    again = told(recordings, "-o", tmp_path / "out")
    assert (again["made"], again["already_there"]) == (0, 1)


def test_a_broken_recording_is_told_and_passed_over(recordings: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(b"no recording")
    found = told(broken, recordings, "-o", tmp_path / "out", code=1)
    assert found["made"] == 1
    assert len(found["broken"]) == 1
    assert str(broken) in found["broken"][0]
    people = CliRunner().invoke(app, ["preprocess", str(broken), "-o", str(tmp_path / "out"), "--jobs", "1"])
    assert people.exit_code == 1
    assert "0 prints made, 0 were there, 1 recordings passed over" in people.stdout
    assert "passed over: " in people.stderr


def test_nothing_to_make_prints_of_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["preprocess", str(tmp_path), "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "found no *.mcap" in result.stderr
