"""The printability table: rows that were measured elsewhere are kept, and what is told of each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import bench.printability as table
from bench.printability_networks import costs
from bench.printability_tables import Right, Told, in_findings, page
from bench.printability_trials import TRIALS, USUAL
from detector.printability.evaluate import Figure

ROW = Told(
    commit="abc", date="2026-01-01", epochs=USUAL.epochs, accuracy=Figure(0.5, (0.4, 0.6)),
    f1=Figure(0.25, (0.2, 0.3)), auc=Figure(0.75, (0.7, 0.8)), samples=10, parts=4,
    defects={"none": Right(0.9, 10)},
)  # fmt: skip


def test_rows_that_the_file_of_results_has_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path / "results.json")
    assert table.kept().rows == {}
    told = {"commit": "def", "rows": {"honest-resnet18": msgspec.to_builtins(ROW)}}
    (tmp_path / "results.json").write_bytes(msgspec.json.encode(told))
    assert table.kept().rows == {"honest-resnet18": ROW}


def test_the_results_that_come_along_have_their_rows() -> None:
    assert table.kept().rows["rotated-ours"].samples > 0


def test_a_row_is_told_with_its_epochs_where_they_are_not_the_usual_ones() -> None:
    longer = msgspec.structs.replace(ROW, epochs=USUAL.epochs + 2)
    text = page({"honest-resnet18": ROW, "random-resnet18": longer, "rotated-ours": longer}, costs())
    cell = "**.500** [0.400, 0.600] / .250 / .750"
    assert f"| {cell} ({USUAL.epochs + 2} epochs) | {cell} |" in text
    assert f"ours: {cell} (published" in text
    assert "| rotated-ours | 0.900 (10) |" in text


def test_what_learns_from_less_says_so() -> None:
    less = TRIALS["honest-vanilla_large"].budget
    assert less.epochs * less.samples < USUAL.epochs * USUAL.samples
    assert f"Vanilla3DCNN_large: {less.epochs} epoch of {less.samples} samples" in page({}, costs())


def test_the_table_goes_between_its_marks() -> None:
    before = "a\n<!-- printability: begin -->\nold\n<!-- printability: end -->\nb"
    after = in_findings(before, "new")
    assert "old" not in after
    assert after.startswith("a\n<!--")
    assert after.endswith("-->\nb")
    assert in_findings(after, "new") == after
