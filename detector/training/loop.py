"""The one training loop: epochs, early stopping, checkpoints; what is learnt is the learner's.

    with running() as place, tracking(folder, "surface", "run 1", place) as tracker:
        fitted = fit(learner, Options(recipe=Recipe(epochs=30, patience=5)), place, tracker)
        if place.leads:
            save_weights(path, learner.network, metadata)

On a CPU a training that was killed and resumed ends bit by bit as one that never stopped.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import nullcontext
from itertools import chain, repeat
from typing import Generic, Literal, NamedTuple

import msgspec
import numpy as np
import torch

from detector.training.averaging import Averaged
from detector.training.checkpoint import Best, Checkpoint, Epoch, Metrics, load_checkpoint, save_checkpoint
from detector.training.distributed import Place
from detector.training.journal import Journal
from detector.training.learner import Batch, Learner, Loss, NotFinite
from detector.training.recipe import Options, Recipe, optimizer_of, rate_at
from detector.training.tracking import Tracker
from ingest.errors import UsageError

Ended = Literal["finished", "no longer better", "asked to stop"]


class Fitted(NamedTuple):
    """A training's end; the network bears the weights of ``best``, the best epoch by the learner's goal.

    ``best`` is None where it was asked to stop before the first epoch had ended.
    """

    best: Epoch | None
    history: list[Epoch]
    ended: Ended


class _Stopped(Exception):
    """Somebody asked to stop in the middle of an epoch, which is dropped: resuming goes through it again."""


def fit(
    learner: Learner[Batch],
    options: Options,
    place: Place,
    tracker: Tracker,
    *,
    stop: threading.Event | None = None,
    told: Callable[[Epoch], None] | None = None,
) -> Fitted:
    """Train the learner's network, and leave it with the weights of its best epoch.

    ``stop`` ends it before the next step, with the last whole epoch in the checkpoint. ``told`` hears of each
    epoch after its checkpoint is written; what it raises ends the training. Raises NotFinite, and UsageError
    for a checkpoint that is not this training's.
    """
    training = _Training(learner, options, place, stop or threading.Event())
    cuda = [place.device] if place.device.type == "cuda" else []
    with torch.random.fork_rng(cuda), Journal(options, place, tracker) as journal:
        training.begin()
        journal.begin(msgspec.to_builtins(options.recipe), training.history)
        ended = training.ended()
        while ended is None:
            ended = training.epoch(journal, told)
    if training.best is not None:
        learner.network.load_state_dict(training.best.weights)
    learner.network.eval()
    best = training.history[training.best.epoch - 1] if training.best else None
    return Fitted(best, training.history, ended)


class _Step(NamedTuple):
    """One step as all ranks see it: sums over ranks, so that all decide alike."""

    samples: float
    loss_sum: float
    ranks_done: float
    ranks_asked: float


class _Training(Generic[Batch]):
    """Where the training stands, and how it goes on by one epoch."""

    def __init__(
        self, learner: Learner[Batch], options: Options, place: Place, stop: threading.Event
    ) -> None:
        self.learner, self.network, self.place, self.stop = learner, learner.network, place, stop
        self.options, self.recipe = options, options.recipe
        self.parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = optimizer_of(self.recipe, self.network, learner.rate_factor)
        averaging = self.recipe.averaging
        self.averaged = Averaged(self.parameters, averaging) if averaging else None
        self.steps = 0
        self.history: list[Epoch] = []
        self.best: Best | None = None

    def begin(self) -> None:
        """Go on from the checkpoint where that is asked for, else write the first one."""
        path = self.options.checkpoint
        if path and path.exists():
            if not self.options.resume:
                raise UsageError(f"{path}: found a checkpoint, expected none: resume it, or name another")
            self._restore(load_checkpoint(path), str(path))
        self.place.wait()  # all ranks have looked before rank 0 writes
        self.place.alike(self.network)
        if self.averaged and not self.steps:
            self.averaged.restore([parameter.detach() for parameter in self.parameters])
        self._save()

    def ended(self) -> Ended | None:
        """Why there is no further epoch, or None."""
        done = len(self.history)
        if done >= self.recipe.epochs:
            return "finished"
        waited = done - self.best.epoch if self.best else 0
        return "no longer better" if self.recipe.patience and waited >= self.recipe.patience else None

    def epoch(self, journal: Journal, told: Callable[[Epoch], None] | None) -> Ended | None:
        """Learn from every batch once, validate, keep what was best; why it ends here, or None."""
        number, began = len(self.history) + 1, time.monotonic()
        try:
            loss, rate = self._learn(number, journal)
        except _Stopped:
            return "asked to stop"
        with self.averaged.shown() if self.averaged else nullcontext():
            metrics = self._validate(number)
            seconds = time.monotonic() - began
            epoch = Epoch(number=number, loss=loss, rate=rate, metrics=metrics, seconds=seconds)
            best = self._keep(epoch)
        self._save()
        journal.ended(epoch, best)
        if told:
            told(epoch)
        return self.ended()

    def _learn(self, epoch: int, journal: Journal) -> tuple[float, float]:
        """The epoch's mean loss and last rate. A rank that has no more batches waits for the others."""
        self.network.train()
        torch.manual_seed(_seed(self.recipe.seed, epoch, self.place.rank))
        batches = self.learner.batches(epoch)
        loss_sum = samples = rate = 0.0
        with journal.epoch(epoch, len(batches) if isinstance(batches, Sized) else None) as task:
            for number, own in enumerate(_each_then_none(batches), 1):
                loss = self._loss(own)
                step = self._agree(loss)
                if step.ranks_done == self.place.world:
                    break
                rate = rate_at(self.recipe, self.steps, epoch)
                self._check(step.loss_sum / step.samples, "loss", epoch, number)
                self._update(loss, step, rate, epoch, number)
                loss_sum, samples = loss_sum + step.loss_sum, samples + step.samples
                journal.batch(task)
        if not samples:
            raise UsageError(f"epoch {epoch}: found no batch on any rank: is the training data empty?")
        return loss_sum / samples, rate

    def _loss(self, own: list[Batch]) -> Loss | None:
        self.optimizer.zero_grad(set_to_none=True)
        if not own:
            return None
        with self._autocast():
            return self.learner.loss(own[0])

    def _agree(self, loss: Loss | None) -> _Step:
        """What this step is for all ranks together. Raises _Stopped on every rank where one was asked to."""
        samples = loss.samples if loss else 0
        loss_sum = loss.mean.item() * samples if loss else 0.0
        own = [samples, loss_sum, loss is None, self.stop.is_set()]
        step = _Step(*self.place.total(np.array(own, np.float64)).tolist())
        if step.ranks_asked:
            raise _Stopped
        return step

    def _update(self, loss: Loss | None, step: _Step, rate: float, epoch: int, number: int) -> None:
        """One step of the optimizer, the same on every rank."""
        if loss:
            # Weighed before it is differentiated: what ranks share on the way has a part of each one's loss.
            (loss.mean * (loss.samples / step.samples)).backward()  # type: ignore[no-untyped-call]
        self.place.sum_gradients(self.parameters)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip_norm or math.inf)
        self._check(norm.item(), "gradient", epoch, number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self.optimizer.step()
        self.steps += 1
        if self.averaged:
            self.averaged.follow(self.steps)

    def _check(self, value: float, what: str, epoch: int, number: int) -> None:
        if not math.isfinite(value):
            raise NotFinite(
                f"epoch {epoch}, batch {number}: found a {what} of {value}, expected a finite number: "
                f"lower the rate ({self.recipe.rate:g}), or look at this batch; "
                f"the weights are as before it, and the checkpoint is that of epoch {epoch - 1}"
            )

    @torch.no_grad()
    def _validate(self, epoch: int) -> Metrics:
        self.network.eval()
        self.place.mean_buffers(self.network)
        with self._autocast():
            metrics = {name: float(value) for name, value in self.learner.validate().items()}
        goal = self.learner.goal
        if goal not in metrics:
            raise UsageError(f"goal: found {goal!r}, expected one of the metrics {', '.join(metrics)}")
        if not math.isfinite(metrics[goal]):
            raise NotFinite(
                f"epoch {epoch}: found {goal} = {metrics[goal]}, expected a finite number to go by"
            )
        return metrics

    def _keep(self, epoch: Epoch) -> bool:
        """Write the epoch down; True where it is the best so far."""
        self.history.append(epoch)
        goal, better = epoch.metrics[self.learner.goal], self.learner.higher_is_better
        if self.best and not (goal > self.best.goal if better else goal < self.best.goal):
            return False
        weights = {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}
        self.best = Best(epoch=epoch.number, goal=goal, weights=weights)
        return True

    def _autocast(self) -> torch.autocast | nullcontext[None]:
        return self.place.autocast() if self.recipe.mixed_precision else nullcontext()

    def _save(self) -> None:
        if self.options.checkpoint and self.place.leads:
            save_checkpoint(
                self.options.checkpoint,
                Checkpoint(
                    recipe=self.recipe,
                    steps=self.steps,
                    network=self.network.state_dict(),
                    optimizer=self.optimizer.state_dict(),
                    history=self.history,
                    best=self.best,
                    averages=self.averaged.means if self.averaged else None,
                ),
            )

    def _restore(self, found: Checkpoint, name: str) -> None:
        _check_same(found.recipe, self.recipe, name)
        try:
            self.network.load_state_dict(found.network)
            self.optimizer.load_state_dict(found.optimizer)
            if self.averaged:
                self.averaged.restore(found.averages or ())
        except (RuntimeError, ValueError, KeyError) as error:
            raise UsageError(
                f"{name}: found another network's checkpoint ({error}): name this one's, or begin anew"
            ) from error
        self.steps, self.history, self.best = found.steps, found.history, found.best


def _each_then_none(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Each batch in a list of its own, then empty lists without end."""
    return chain(([batch] for batch in batches), repeat([]))


def _seed(*numbers: int) -> int:
    """One number out of several, for torch: another one where any of them differs."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _check_same(found: Recipe, asked: Recipe, name: str) -> None:
    then, now = msgspec.structs.asdict(found), msgspec.structs.asdict(asked)
    differing = [f"{key} {then[key]} (now {now[key]})" for key in then if then[key] != now[key]]
    if differing:
        raise UsageError(
            f"{name}: found a training with {', '.join(differing)}: resume it with its own recipe, "
            "or begin anew"
        )
