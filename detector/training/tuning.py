"""The search for a good recipe: an Optuna study in a local file, that goes on where it was killed.

Each trial draws from (seed, how many are done) and the trials that are done, so that one that was running
when its process ended is drawn again: a study that was killed tries what one that never was would have tried.
"""

from __future__ import annotations

import fcntl
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from optuna import Study, Trial, TrialPruned, create_study, logging
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from detector.training.learner import NotFinite
from ingest.errors import UsageError

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
ASKED: Final = "asked"
NOT_FINITE: Final = "not finite"
"""Attributes: of a study, what is searched; of a trial, what went astray."""

Value: TypeAlias = float | int | str | bool | None
Report = Callable[[int, float], None]
Objective = Callable[[Mapping[str, Value], Report], float]
"""Takes a trial's parameters, reports (epoch, goal) after each epoch, and returns the goal it has reached.

The report raises where the trial is hopeless; that, and NotFinite, end the trial and are let through.
"""


class Between(NamedTuple):
    """A number from ``low`` to ``high``; ``log``: equally likely per factor, as rates should be."""

    low: float
    high: float
    log: bool = False


class Whole(NamedTuple):
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    log: bool = False


class OneOf(NamedTuple):
    """One of some values without an order."""

    choices: Sequence[Value]


Space = Mapping[str, Between | Whole | OneOf]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One trial that is done. ``goal`` is what it reached, or reported last; None where it never did."""

    params: dict[str, Value]
    goal: float | None
    ended: Literal["finished", "hopeless", "not finite"]


class Tuned(NamedTuple):
    """All trials that are done, in their order, and the best among the finished ones, if any."""

    best: Tried | None
    tried: list[Tried]


def tune(
    objective: Objective,
    space: Space,
    *,
    name: str,
    trials: int,
    folder: Path,
    seed: int,
    higher_is_better: bool,
    stop: threading.Event | None = None,
    quiet: bool = False,
) -> Tuned:
    """Try until ``trials`` are done, those of earlier calls with this ``name`` and ``folder`` counted in.

    Hopeless trials end early: those that are worse than the median of the former ones at the same epoch.
    With ``stop`` set, the trial under way is put back when its objective returns, and the search ends. Raises
    UsageError where another process searches in this folder, or the study is of another space.
    """
    stop, console = stop or threading.Event(), Console(stderr=True, quiet=quiet)
    with _alone(folder), _opened(folder, name, higher_is_better) as study:
        _check_same(study, space, folder)
        _give_up_running(study)
        while not stop.is_set() and (done := len(_tried(study))) < trials:
            study.sampler = TPESampler(seed=_seed(seed, done))
            _try(study, objective, space, stop)
            console.print(_so_far(study, trials), markup=False)
        return _tuned(study)


def _try(study: Study, objective: Objective, space: Space, stop: threading.Event) -> None:
    """One trial, from its parameters to its end."""
    trial = study.ask()
    params = {name: _draw(trial, name, choice) for name, choice in space.items()}
    try:
        goal = _finite(objective(params, _reporter(trial)))
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except NotFinite as error:
        trial.set_user_attr(NOT_FINITE, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        if stop.is_set():
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, goal)


def _draw(trial: Trial, name: str, choice: Between | Whole | OneOf) -> Value:
    match choice:
        case Between(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Whole(low, high, log):
            return trial.suggest_int(name, low, high, log=log)
        case OneOf(choices):
            return trial.suggest_categorical(name, choices)


def _reporter(trial: Trial) -> Report:
    def report(epoch: int, goal: float) -> None:
        trial.report(goal, epoch)
        if trial.should_prune():
            raise TrialPruned

    return report


def _finite(goal: float) -> float:
    if not math.isfinite(goal):
        raise NotFinite(f"found a goal of {goal}, expected a finite number")
    return goal


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One search per folder: another one's running trial must not be taken for one that was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "tuning.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{folder}: found another process that tunes here: wait for it, or name another folder"
            ) from error
        yield


@contextmanager
def _opened(folder: Path, name: str, higher_is_better: bool) -> Iterator[Study]:
    logging.set_verbosity(logging.WARNING)  # the search tells of its trials itself
    storage = RDBStorage(f"sqlite:///{folder.absolute() / 'tuning.sqlite'}")
    try:
        yield create_study(
            storage=storage,
            study_name=name,
            direction="maximize" if higher_is_better else "minimize",
            pruner=MedianPruner(),
            load_if_exists=True,
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _check_same(study: Study, space: Space, folder: Path) -> None:
    """A study of another space cannot go on: its trials say nothing of this one."""
    asked = {name: repr(choice) for name, choice in space.items()}
    found = study.user_attrs.get(ASKED, asked)
    if found != asked:
        raise UsageError(
            f"{folder}: found a study {study.study_name!r} over {found}, expected one over {asked}: "
            "give this one another name"
        )
    study.set_user_attr(ASKED, asked)


def _give_up_running(study: Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)


def _tried(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=DONE)


def _tuned(study: Study) -> Tuned:
    tried = [_record(trial) for trial in _tried(study)]
    finished = [(one.goal, one) for one in tried if one.ended == "finished" and one.goal is not None]
    choose = max if study.direction == StudyDirection.MAXIMIZE else min
    return Tuned(choose(finished, key=lambda pair: pair[0])[1] if finished else None, tried)


def _record(trial: FrozenTrial) -> Tried:
    if trial.state == TrialState.COMPLETE:
        return Tried(params=trial.params, goal=trial.value, ended="finished")
    reported = trial.intermediate_values
    last = reported[max(reported)] if reported else None
    return Tried(
        params=trial.params, goal=last, ended=NOT_FINITE if NOT_FINITE in trial.user_attrs else "hopeless"
    )


def _so_far(study: Study, trials: int) -> str:
    best, tried = _tuned(study)
    if not tried or best is None:
        return f"{len(tried)} of {trials} trials: none has finished yet"
    params = "  ".join(f"{name} {_told(value)}" for name, value in best.params.items())
    last = tried[-1].ended
    return f"{len(tried)} of {trials} trials, the last {last}; best so far {_told(best.goal)}: {params}"


def _told(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
