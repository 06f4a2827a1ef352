"""The running mean of the weights is what is validated and kept, and it goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor, nn

from detector.training.averaging import BEGIN, Averaged
from detector.training.checkpoint import Epoch, load_checkpoint
from detector.training.distributed import Place
from detector.training.loop import Fitted, fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker
from ingest.errors import UsageError
from tests.detector.training.tiny import RECIPE, TinyLearner

ALONE = Place(0, 1, torch.device("cpu"))
CALM = msgspec.structs.replace(RECIPE, averaging=0.9)


class Watched(TinyLearner):
    """Notes the first weights that each validation is asked of."""

    def __init__(self) -> None:
        super().__init__(ALONE, dropout=0.3)
        self.validated: list[Tensor] = []

    def validate(self) -> Mapping[str, float]:
        self.validated.append(next(self.network.parameters()).detach().clone())
        return super().validate()


class Killed(Exception):
    """As if the process had gone."""


def trained(learner: TinyLearner, folder: Path, *, until: int = 99, resume: bool = False) -> Fitted:
    def told(epoch: Epoch) -> None:
        if epoch.number == until:
            raise Killed

    options = Options(recipe=CALM, checkpoint=folder / "checkpoint", resume=resume, quiet=True)
    return fit(learner, options, ALONE, NoTracker(), told=told)


def test_the_mean_follows_at_once_and_then_slowly() -> None:
    weight = nn.Parameter(torch.zeros(1))
    averaged = Averaged([weight], 0.9)
    expected = 0.0
    for step in range(1, 200):
        with torch.no_grad():
            weight.fill_(float(step))
        averaged.follow(step)
        kept = min(0.9, (1 + step) / (BEGIN + step))
        expected = kept * expected + (1 - kept) * step
    assert averaged.means[0].item() == pytest.approx(expected, rel=1e-5)
    assert 199 - averaged.means[0].item() == pytest.approx(9.0, abs=0.1)  # decay / (1 - decay) steps behind


def test_it_is_shown_within_and_gone_after() -> None:
    weight = nn.Parameter(torch.ones(2))
    averaged = Averaged([weight], 0.5)
    with torch.no_grad():
        weight.fill_(3.0)
    with averaged.shown():
        assert weight.tolist() == [1.0, 1.0]
    assert weight.tolist() == [3.0, 3.0] and averaged.means[0].tolist() == [1.0, 1.0]


def test_the_mean_is_validated_and_kept_and_the_weights_go_on(tmp_path: Path) -> None:
    learner = Watched()
    fitted = trained(learner, tmp_path)
    end = load_checkpoint(tmp_path / "checkpoint")
    assert fitted.best is not None and end.averages is not None
    first = next(iter(end.network))
    assert torch.equal(learner.validated[-1], end.averages[0])
    assert not torch.equal(end.network[first], end.averages[0])
    kept = learner.network.state_dict()[first]
    assert torch.equal(kept, learner.validated[fitted.best.number - 1])


def test_a_training_that_was_killed_goes_on_with_its_mean(tmp_path: Path) -> None:
    whole = trained(TinyLearner(ALONE, dropout=0.3), tmp_path / "whole")
    with pytest.raises(Killed):
        trained(TinyLearner(ALONE, dropout=0.3), tmp_path / "killed", until=2)
    again = TinyLearner(ALONE, dropout=0.3)
    resumed = trained(again, tmp_path / "killed", resume=True)
    assert [epoch.metrics for epoch in resumed.history] == [epoch.metrics for epoch in whole.history]
    ends = [load_checkpoint(tmp_path / name / "checkpoint").averages for name in ("whole", "killed")]
    assert ends[0] is not None and ends[1] is not None
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


@pytest.mark.parametrize("averaging", [-0.1, 1.0])
def test_a_mean_that_never_moves_is_refused(averaging: float) -> None:
    with pytest.raises(UsageError, match=r"averaging: found .*, expected a number from 0 to below 1"):
        Recipe(epochs=1, averaging=averaging)
