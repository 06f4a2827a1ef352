"""The training loop: what is kept, what is told, when it ends."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor, nn

from detector.model.weights import load_weights
from detector.training.checkpoint import Epoch, load_checkpoint
from detector.training.distributed import Place, running
from detector.training.learner import Loss, NotFinite
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe, rate_at
from detector.training.tracking import NoTracker
from ingest.errors import UsageError
from tests.detector.training.tiny import RECIPE, TinyLearner, run

ALONE = Place(0, 1, torch.device("cpu"))
ROOT = Path(__file__).parents[3]


def options(**changed: object) -> Options:
    given: dict[str, object] = {"recipe": RECIPE, "quiet": True}
    return Options(**(given | changed))  # type: ignore[arg-type]


class Told(TinyLearner):
    """Its validation says what it is told to say."""

    goal = "accuracy"
    higher_is_better = True

    def __init__(self, goals: list[float]) -> None:
        super().__init__(ALONE)
        self.goals = iter(goals)
        self.seen: list[dict[str, Tensor]] = []

    def validate(self) -> Mapping[str, float]:
        self.seen.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})
        return {self.goal: next(self.goals)}


def test_a_training_killed_after_epoch_2_and_resumed_ends_as_one_that_never_was(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(TinyLearner(ALONE, dropout=0.3), whole, ALONE)
    program = [
        sys.executable,
        "-m",
        "tests.detector.training.tiny",
        str(killed),
        "--dropout=0.3",
        "--die-after=2",
    ]
    dead = subprocess.run(
        program, cwd=ROOT, timeout=60, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    assert dead.returncode == -signal.SIGKILL
    assert len(load_checkpoint(killed / "checkpoint").history) == 2
    run(TinyLearner(ALONE, dropout=0.3), killed, ALONE, resume=True)

    ends = [load_checkpoint(folder / "checkpoint") for folder in (whole, killed)]
    assert [epoch.number for epoch in ends[1].history] == [1, 2, 3, 4, 5]
    assert [(e.loss, e.metrics) for e in ends[0].history] == [(e.loss, e.metrics) for e in ends[1].history]
    for name, tensor in ends[0].network.items():
        assert torch.equal(tensor, ends[1].network[name])
    weights = [load_weights(folder / "weights").tensors for folder in (whole, killed)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    numbers = [msgspec.json.decode(line)["number"] for line in (killed / "log").read_bytes().splitlines()]
    assert numbers == [1, 2, 3, 4, 5]


def test_it_ends_when_it_is_no_longer_better_and_keeps_the_best() -> None:
    learner = Told([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    fitted = fit(learner, options(recipe=Recipe(epochs=6, patience=3)), ALONE, NoTracker())
    assert fitted.ended == "no longer better"
    assert len(fitted.history) == 5
    assert fitted.best == fitted.history[1]
    for name, tensor in learner.network.state_dict().items():
        assert torch.equal(tensor, learner.seen[1][name])
    assert any(not torch.equal(learner.seen[1][name], tensor) for name, tensor in learner.seen[4].items())
    assert not learner.network.training


def test_lower_is_better_where_the_learner_says_so() -> None:
    learner = Told([3.0, 1.0, 2.0])
    learner.higher_is_better = False
    fitted = fit(learner, options(recipe=Recipe(epochs=3)), ALONE, NoTracker())
    assert fitted.best == fitted.history[1]
    assert fitted.ended == "finished"


def test_a_loss_that_is_nan_is_told_with_its_place_and_overwrites_nothing(tmp_path: Path) -> None:
    class Astray(TinyLearner):
        def loss(self, batch: Tensor) -> Loss:
            found = super().loss(batch)
            return Loss(found.mean * math.nan, found.samples) if self.spoilt(batch) else found

        def spoilt(self, batch: Tensor) -> bool:
            return bool(
                checkpoint.exists() and len(load_checkpoint(checkpoint).history) == 1 and len(batch) == 1
            )

    checkpoint = tmp_path / "checkpoint"
    learner = Astray(ALONE)
    with pytest.raises(NotFinite, match=r"epoch 2, batch 3: found a loss of nan"):
        fit(learner, options(checkpoint=checkpoint), ALONE, NoTracker())
    assert len(load_checkpoint(checkpoint).history) == 1
    assert all(bool(tensor.isfinite().all()) for tensor in learner.network.state_dict().values())


def test_a_gradient_that_is_infinite_is_told_before_it_reaches_the_weights() -> None:
    class Steep(TinyLearner):
        def loss(self, batch: Tensor) -> Loss:
            first = next(self.network.parameters())
            return Loss((first - first.detach()).abs().sqrt().sum(), len(batch))  # slope of sqrt at 0

    learner = Steep(ALONE)
    with pytest.raises(NotFinite, match=r"epoch 1, batch 1: found a gradient of"):
        fit(learner, options(), ALONE, NoTracker())
    assert all(bool(tensor.isfinite().all()) for tensor in learner.network.state_dict().values())


def test_asked_to_stop_it_drops_the_epoch_under_way_and_resuming_repeats_it(
    tmp_path: Path,
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run(TinyLearner(ALONE, dropout=0.3), whole, ALONE)
    stop = threading.Event()

    class Interrupted(TinyLearner):
        def loss(self, batch: Tensor) -> Loss:
            if self.epoch == 3 and len(batch) == 1:
                stop.set()
            return super().loss(batch)

        def batches(self, epoch: int):  # type: ignore[no-untyped-def]
            self.epoch = epoch
            return super().batches(epoch)

    learner = Interrupted(ALONE, dropout=0.3)
    fitted = fit(learner, options(checkpoint=stopped / "checkpoint"), ALONE, NoTracker(), stop=stop)
    assert fitted.ended == "asked to stop"
    assert len(fitted.history) == 2
    run(TinyLearner(ALONE, dropout=0.3), stopped, ALONE, resume=True)
    ends = [load_checkpoint(folder / "checkpoint").network for folder in (whole, stopped)]
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())


def test_stopped_at_once_it_leaves_a_checkpoint_and_no_best(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    fitted = fit(TinyLearner(ALONE), options(checkpoint=tmp_path / "c"), ALONE, NoTracker(), stop=stop)
    assert fitted == (None, [], "asked to stop")
    assert load_checkpoint(tmp_path / "c").history == []


def test_a_finished_training_resumes_to_its_end_at_once(tmp_path: Path) -> None:
    first = run(TinyLearner(ALONE), tmp_path, ALONE)
    again = TinyLearner(ALONE)
    assert run(again, tmp_path, ALONE, resume=True) == first


def test_a_checkpoint_is_not_overwritten_by_another_training(tmp_path: Path) -> None:
    run(TinyLearner(ALONE), tmp_path, ALONE)
    with pytest.raises(UsageError, match="found a checkpoint, expected none: resume it"):
        run(TinyLearner(ALONE), tmp_path, ALONE)
    hotter = msgspec.structs.replace(RECIPE, rate=0.1)
    other = options(recipe=hotter, checkpoint=tmp_path / "checkpoint", resume=True)
    with pytest.raises(UsageError, match=r"rate 0\.05 \(now 0\.1\)"):
        fit(TinyLearner(ALONE), other, ALONE, NoTracker())
    foreign = TinyLearner(ALONE)
    foreign.network = nn.Linear(2, 2)
    with pytest.raises(UsageError, match="found another network's checkpoint"):
        run(foreign, tmp_path, ALONE, resume=True)


def test_an_unknown_goal_and_data_without_a_batch_are_told() -> None:
    learner = TinyLearner(ALONE)
    learner.goal = "f1"
    learner.validate = lambda: {"accuracy": 1.0}  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="found 'f1', expected one of the metrics accuracy"):
        fit(learner, options(), ALONE, NoTracker())
    learner.batches = lambda epoch: iter(())  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="found no batch on any rank"):
        fit(learner, options(), ALONE, NoTracker())


def test_torchs_own_randomness_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    fit(TinyLearner(ALONE, dropout=0.3), options(), ALONE, NoTracker())
    assert torch.equal(before, torch.get_rng_state())


def test_the_rate_warms_up_and_falls() -> None:
    recipe = Recipe(epochs=4, rate=1.0, warmup_steps=2)
    assert [rate_at(recipe, step, 1) for step in range(3)] == [0.5, 1.0, 1.0]
    assert rate_at(recipe, 9, 3) == pytest.approx(0.5)
    constant = msgspec.structs.replace(recipe, schedule="constant")
    assert rate_at(constant, 9, 3) == 1.0


def test_a_recipe_tells_all_its_mistakes_at_once() -> None:
    with pytest.raises(UsageError) as told:
        Recipe(epochs=0, rate=math.nan, clip_norm=0.0)
    assert [line.partition(":")[0] for line in str(told.value).splitlines()] == [
        "epochs",
        "rate",
        "clip_norm",
    ]


def test_each_epoch_is_told_after_its_checkpoint(tmp_path: Path) -> None:
    checkpoint, told = tmp_path / "checkpoint", list[Epoch]()

    def hear(epoch: Epoch) -> None:
        assert load_checkpoint(checkpoint).history[-1] == epoch
        told.append(epoch)

    fitted = fit(TinyLearner(ALONE), options(checkpoint=checkpoint), ALONE, NoTracker(), told=hear)
    assert told == fitted.history


def test_each_epoch_is_told_on_the_terminal_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    fit(TinyLearner(ALONE), options(), ALONE, NoTracker())
    assert not capsys.readouterr().err
    fitted = fit(TinyLearner(ALONE), options(quiet=False), ALONE, NoTracker())
    told = " ".join(capsys.readouterr().err.split())
    for epoch in fitted.history:
        assert f"epoch {epoch.number}/5 loss {epoch.loss:.4g}" in told
    assert "best so far" in told


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_learns_in_mixed_precision_and_keeps_whole_weights() -> None:
    with running() as place:
        learner, kinds = TinyLearner(place), set[torch.dtype]()
        learner.network.register_forward_hook(lambda network, given, out: kinds.add(out.dtype))
        fitted = fit(learner, options(), place, NoTracker())
    assert kinds == {
        torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    }
    assert {tensor.dtype for tensor in learner.network.state_dict().values()} == {torch.float32}
    assert fitted.history[-1].loss < fitted.history[0].loss
