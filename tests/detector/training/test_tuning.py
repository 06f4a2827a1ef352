"""The search: it goes on where it was killed, ends what is hopeless, and keeps every trial once."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from detector.training.learner import NotFinite
from detector.training.tuning import Between, OneOf, Report, Tuned, Value, Whole, tune
from ingest.errors import UsageError

ROOT = Path(__file__).parents[3]
SPACE = {"rate": Between(1e-4, 1.0, log=True), "width": Whole(1, 8), "kind": OneOf(["a", "b"])}


def bowl(params: Mapping[str, Value], report: Report) -> float:
    """Lowest, 0, at rate 0.01 and width 4."""
    rate, width = params["rate"], params["width"]
    assert isinstance(rate, float)
    assert isinstance(width, int)
    return (math.log10(rate) + 2) ** 2 + (width - 4) ** 2


def search(folder: Path, objective: Any = bowl, **changed: Any) -> Tuned:
    asked = {"name": "s", "trials": 8, "folder": folder, "seed": 5, "higher_is_better": False, "quiet": True}
    return tune(objective, SPACE, **(asked | changed))


def test_a_search_killed_and_resumed_has_all_trials_once_as_one_that_never_was(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.detector.training.test_tuning import bowl, search
tried = []
def dies_in_the_fourth(params, report):
    tried.append(params)
    if len(tried) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(params, report)
search(Path({str(tmp_path / "killed")!r}), dies_in_the_fourth)
"""
    dead = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False)
    assert dead.returncode == -signal.SIGKILL
    again: list[Mapping[str, Value]] = []

    def noted(params: Mapping[str, Value], report: Report) -> float:
        again.append(params)
        return bowl(params, report)

    resumed = search(tmp_path / "killed", noted, trials=14)
    whole = search(tmp_path / "whole", trials=14)
    assert resumed == whole
    assert [one.params for one in resumed.tried[3:]] == again
    assert len({str(one.params) for one in resumed.tried}) == 14
    assert whole.best == min(whole.tried, key=lambda one: one.goal or 0.0)


def test_an_ended_search_goes_on_where_more_trials_are_asked_for(tmp_path: Path) -> None:
    first = search(tmp_path, trials=2)
    assert search(tmp_path, trials=2) == first
    more = search(tmp_path, trials=3)
    assert more.tried[:2] == first.tried
    assert len(more.tried) == 3
    assert len(search(tmp_path, name="another", trials=1).tried) == 1


def test_a_hopeless_trial_ends_at_the_epoch_that_shows_it(tmp_path: Path) -> None:
    epochs: list[int] = []

    def worse_and_worse(params: Mapping[str, Value], report: Report) -> float:
        trial = epochs.count(1)
        for epoch in (1, 2, 3):
            epochs.append(epoch)
            report(epoch, 1.0 - 0.1 * trial)
        return 1.0 - 0.1 * trial

    tuned = search(tmp_path, worse_and_worse, trials=7, higher_is_better=True)
    assert [one.ended for one in tuned.tried] == ["finished"] * 5 + ["hopeless"] * 2
    assert tuned.tried[5].goal == pytest.approx(0.5)
    assert epochs == [1, 2, 3] * 5 + [1, 1]
    assert tuned.best == tuned.tried[0]


def test_a_trial_that_goes_astray_is_done_and_is_never_the_best(tmp_path: Path) -> None:
    trials = iter([NotFinite("loss"), math.nan, 2.0])

    def astray(params: Mapping[str, Value], report: Report) -> float:
        outcome = next(trials)
        if isinstance(outcome, NotFinite):
            raise outcome
        return outcome

    tuned = search(tmp_path, astray, trials=3)
    assert [(one.ended, one.goal) for one in tuned.tried] == [
        ("not finite", None),
        ("not finite", None),
        ("finished", 2.0),
    ]
    assert tuned.best == tuned.tried[2]


def test_asked_to_stop_the_trial_under_way_is_put_back(tmp_path: Path) -> None:
    stop, tried = threading.Event(), list[Mapping[str, Value]]()

    def interrupted(params: Mapping[str, Value], report: Report) -> float:
        tried.append(params)
        if len(tried) == 3:
            stop.set()
        return bowl(params, report)

    assert len(search(tmp_path, interrupted, trials=5, stop=stop).tried) == 2
    tuned = search(tmp_path, interrupted, trials=5)
    assert [one.params for one in tuned.tried] == [*tried[:2], *tried[3:]]
    assert tried[2] == tried[3]


def test_another_search_in_the_folder_and_another_space_are_told(tmp_path: Path) -> None:
    def within(params: Mapping[str, Value], report: Report) -> float:
        with pytest.raises(UsageError, match="another process that tunes here"):
            search(tmp_path)
        return 1.0

    search(tmp_path, within, trials=1)
    with pytest.raises(UsageError, match="give this one another name"):
        tune(bowl, {}, name="s", trials=2, folder=tmp_path, seed=5, higher_is_better=False, quiet=True)


def test_the_best_so_far_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(tmp_path, trials=2, quiet=False)
    lines = capsys.readouterr().err
    assert "2 of 2 trials, the last finished; best so far" in " ".join(lines.split())
