"""What a command loads before it begins: each in an interpreter of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.records import Action
from sinks.export import Format
from tests.nozzlewatch.checked import box, write_stl

LIMIT_S = 60
HEAVY = (
    "torch",
    "pandas",
    "pyarrow",
    "scipy",
    "trimesh",
    "cv2",
    "aiohttp",
    "av",
    "redis",
    "jinja2",
    "apprise",
)
OF_FARMS = (
    "pandas",
    "pyarrow",
    "aiohttp",
    "av",
    "redis",
    "jinja2",
    "apprise",
    "ingest.farm",
    "sinks.settings",
)
START = """
import sys
from nozzlewatch.cli import app
app(sys.argv[2:], standalone_mode=False)
sys.exit(", ".join(set(sys.argv[1].split()) & set(sys.modules)) or 0)
"""
LISTED = {
    "preprocess": "Make prints that training reads out of recordings",
    "train": "Train the watch on preprocessed prints.",
    "tune": "Search for a good temporal network and rate.",
    "finetune": "Teach the watch your own labelled prints, in minutes",
    "predict": "Say of your own pictures which failure they show",
    "evaluate": "Measure the watch on labelled prints",
    "anomalies": "Read the log of anomalies, follow them live, export them.",
    "alert": "Try the alert channels, and answer alerts.",
    "printability": "Tell which parts can be printed: check, train, evaluate.",
    "surface": "Tell which defect a surface has: train on folders, inspect, evaluate.",
}
"""What is loaded when it is asked for, in its order, and how its text begins."""
GROUPS = {
    "anomalies": ["list", "tail", "export", "label"],
    "alert": ["test", "seen", "fine", "snooze", "wake"],
    "printability": ["check", "preprocess", "train", "tune", "evaluate"],
    "surface": ["train", "tune", "finetune", "inspect", "evaluate", "demo"],
}


def start(line: str, unwanted: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command in an interpreter of its own, which fails where it has loaded what is unwanted."""
    return subprocess.run(
        [sys.executable, "-c", START, " ".join(unwanted), *line.split()],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "300"},
        timeout=LIMIT_S,
    )


def listed(told: str) -> dict[str, str]:
    """The commands that a help text lists, each with its text."""
    return dict(re.findall(r"^│ ([a-z]+) +(\S.*?) *│$", told, re.MULTILINE))


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        *("--help", "watch --help", "replay --help", "train --help", "printability check --help"),
        *(f"{group} --help" for group in GROUPS),
    ],
)
def test_version_and_help_come_without_what_the_work_needs(line: str) -> None:
    ran = start(line, HEAVY)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_a_check_of_a_part_loads_neither_farms_nor_torch_nor_tables_for_programs(tmp_path: Path) -> None:
    part, found = write_stl(tmp_path / "box.stl", box((20, 20, 20))), tmp_path / "found.json"
    ran = start(f"printability check {part} --json {found}", (*OF_FARMS, "rich.table", "torch"))
    assert ran.returncode == 0, ran.stderr
    assert found.exists()


def test_a_check_that_writes_a_page_loads_no_cameras(tmp_path: Path) -> None:
    part, page = write_stl(tmp_path / "box.stl", box((20, 20, 20))), tmp_path / "page.html"
    ran = start(f"printability check {part} --report {page}", ("torch", "aiohttp", "av"))
    assert ran.returncode == 0, ran.stderr
    assert page.exists()


def test_help_lists_what_is_loaded_late_after_the_rest_with_its_text() -> None:
    told = listed(start("--help").stdout)
    assert next(iter(told)) == "watch"
    assert list(told)[-len(LISTED) :] == list(LISTED)
    assert [name for name, text in LISTED.items() if not told[name].startswith(text)] == []


@pytest.mark.parametrize("group", GROUPS)
def test_a_groups_help_lists_its_commands_in_order(group: str) -> None:
    told = start(f"{group} --help").stdout
    assert list(listed(told)) == GROUPS[group]
    assert LISTED[group] in told


def test_a_typo_is_told_the_command_that_was_meant() -> None:
    assert "Did you mean 'surface'?" in start("surfase").stderr
    assert "Did you mean 'check'?" in start("printability chekc").stderr


def test_choices_that_the_command_line_spells_out_are_all_there_are() -> None:
    assert f"<{'|'.join(Action)}>" in start("tell --help").stdout
    assert f"<{'|'.join(Format)}>" in start("anomalies export --help").stdout
