"""All figures at once: those that programs read are there, fit into JSON and come back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from detector.evaluation.baselines import never_on, random_at_base_rate
from detector.evaluation.figures import Figures, figures, measured
from detector.evaluation.table import table
from tests.detector.evaluation.farm import NUMBERS, SHARES, failing, farm, normal

READ = (
    "mistakes_per_100", "mistakes_ci", "false_alarms_per_print_hour", "false_alarms_ci", "delay_median_s",
    "delay_p90_s", "precision", "recall", "f1", "pr_auc", "recall_within", "kinds", "groups", "lead_median_s",
    "onset_error_median_s", "named_right", "prints", "hours", "failing", "baselines",
)  # fmt: skip


@pytest.fixture(name="told", scope="module")
def _told() -> dict[str, Any]:
    prints = farm()
    others = {"never on": never_on(prints), "random": random_at_base_rate(prints)}
    return figures(prints, SHARES, baselines=others)


def test_every_figure_that_programs_read_is_there(told: dict[str, Any]) -> None:
    assert not set(READ) - set(told)
    assert (told["prints"], told["failing"], told["hours"]) == (160, 60, 160.0)
    assert list(told["recall_within"]) == ["10", "30", "60", "300"]
    assert {name: one["prints"] for name, one in told["kinds"].items()} == NUMBERS
    assert sum(one["share"] for one in told["kinds"].values()) == pytest.approx(1)
    assert set(told["baselines"]["random"]) >= {"mistakes_per_100", "mistakes_ci", "difference_ci"}
    low, high = told["mistakes_ci"]
    assert low < told["mistakes_per_100"] < high


def test_a_baseline_stands_beside_the_same_prints(told: dict[str, Any]) -> None:
    silent = told["baselines"]["never on"]
    assert silent["mistakes_per_100"] == pytest.approx(10)
    assert silent["difference"] == pytest.approx(told["mistakes_per_100"] - 10)
    assert (silent["precision"], silent["delay_median_s"], silent["named_right"]) == (None, None, None)


def test_groups_are_farms_on_which_only_their_kinds_fail(told: dict[str, Any]) -> None:
    groups = told["groups"]
    assert {name: one["prints"] for name, one in groups.items()} == {
        "all": 60,
        "visual kinds": 30,
        "heater and sensor": 10,
    }
    assert groups["all"]["mistakes_per_100"] == told["mistakes_per_100"]
    assert groups["visual kinds"]["recall"] == pytest.approx(told["kinds"]["spaghetti"]["recall"])


def test_figures_come_back_from_json(told: dict[str, Any]) -> None:
    again = msgspec.json.decode(msgspec.json.encode(told), type=Figures)
    assert msgspec.to_builtins(again) == told


def test_the_same_seed_gives_the_same_figures(told: dict[str, Any]) -> None:
    assert figures(farm(), SHARES)["mistakes_ci"] == told["mistakes_ci"]
    assert figures(farm(), SHARES, seed=1)["mistakes_ci"] != told["mistakes_ci"]


def test_a_group_of_which_nothing_fails_is_left_out() -> None:
    found = measured([normal(), failing(kind="stall")], {"stall": 1.0})
    assert set(found.groups) == {"all"}


def test_the_table_shows_methods_side_by_side_and_what_is_undefined_as_a_dash() -> None:
    prints = farm()
    lines = table(measured(prints, SHARES, baselines={"never on": never_on(prints)})).splitlines()
    assert lines[0].startswith("160 prints, 60 of them failing, 160 hours")
    ours, silent = (
        next(line for line in lines if line.startswith(name)) for name in ("nozzlewatch", "never on")
    )
    assert lines[2].index("recall") == silent.index("0 % [")
    assert "[6.5, 17.2]" in ours
    assert "10.0 [10.0, 10.0]" in silent
    assert silent.split()[-1] == "-"
    assert any(line.startswith("heater_fault") and " 10 " in line for line in lines)


def test_measuring_needs_no_torch() -> None:
    asked = "import sys, detector.evaluation.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
