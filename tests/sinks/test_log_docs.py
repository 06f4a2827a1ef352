"""What docs/log.md shows works as it stands there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.anomaly import Kind, State
from sinks.log_settings import LogTable
from sinks.parquet_schema import SCHEMAS
from tests.sinks.logs import parquet, written

PAGE = (Path(__file__).parents[2] / "docs" / "log.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# example: (\w+)\n(.*?)```", PAGE, flags=re.S))
Make = Callable[..., Any]


@pytest.fixture(name="log")
def _log(
    tmp_path: Path, scores: Make, anomaly: Make, label: Make, one_of_each: list[Any], delivered: Make
) -> Path:
    """Two printers, three anomalies of which one was called false and one true after all."""
    told = [scores(n, printer=name) for n in range(20) for name in ("voron-2", "mk4")]
    told += [anomaly(n) for n in range(3)] + [anomaly(0, revision=2, state=State.CLOSED)]
    told += [label(0, anomaly="a0", kind=None), label(0, anomaly="a1", kind=None)]
    told += [label(0, anomaly="a1", kind=Kind.LAYER_SHIFT), *one_of_each[2:]]
    rows = [delivered(one, n) for n, one in enumerate(told)]
    written(tmp_path, [rows[:30], rows[30:]])
    return tmp_path


def run(name: str, log: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"LOG": str(log), "first_file": parquet(log)[0]}
    exec(compile(EXAMPLES[name], f"docs/log.md: {name}", "exec"), names)
    return names


def test_every_column_is_told_with_its_meaning(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("columns", log)
    assert "novelty float distance from the print's own past" in capsys.readouterr().out


def test_duckdb_reads_a_printers_day(log: Path) -> None:
    worst = run("duckdb", log)["worst"]
    assert len(worst) == 10
    assert {row[0] for row in worst} == {"voron-2"}


@pytest.mark.parametrize("name", ["polars", "pandas"])
def test_data_frames_read_a_printers_day(log: Path, name: str) -> None:
    scores = run(name, log)["scores"]
    assert scores.shape[0] == 20
    assert set(scores["printer"]) == {"voron-2"}
    assert set(SCHEMAS["scores"].names) <= set(scores.columns)


def test_anomalies_as_they_stand(log: Path) -> None:
    assert len(run("anomalies", log)["anomalies"]) == 3


def test_the_last_word_on_an_anomaly_counts(log: Path) -> None:
    assert run("labels", log)["said"] == [("layer_shift", 2, 1)]


def test_every_dataset_is_on_the_page_and_every_setting_with_its_default() -> None:
    assert all(f"| `{dataset}/date=" in PAGE for dataset in SCHEMAS)
    (told,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)
    table = tomllib.loads(told)["log"]
    assert msgspec.convert(table, LogTable) == LogTable()
    assert set(table) == set(LogTable.__struct_fields__)
    assert set(table["retention"]) == set(type(LogTable().retention).__struct_fields__)
