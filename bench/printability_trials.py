"""A row of the printability table: train a network, then judge it once on what was held out.

``python -m bench.printability_trials NAME`` writes ``out/printability/NAME.json``, the network beside it; a
training that was stopped goes on. What is chosen is chosen on the validation part.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from bench.machine import ROOT, commit
from detector.files import replacing
from detector.printability.dataset import How
from detector.printability.evaluate import Evaluated, evaluate
from detector.printability.grids import HoleSet
from detector.printability.learner import Changes
from detector.printability.train import PrintabilityTraining, Trained, train
from detector.training.recipe import Recipe

OUT = ROOT / "out" / "printability"
PARTS = OUT / "parts"
OURS = "ours"
NETS = {
    "vanilla": "Vanilla3DCNN",
    "vanilla_large": "Vanilla3DCNN_large",
    "resnet_small": "ResNet_small",
    "resnet18": "ResNet18",
    "inception_v1": "InceptionNet_v1",
    "inception_v3": "InceptionNet_v3",
    OURS: "ThroughHoles",
}
"""Names of the table, and of NETWORKS."""
CPU_SIZE, CPU_VALIDATION = 64, 160


class Budget(NamedTuple):
    """How much a network learns from, and with what weight decay."""

    epochs: int
    samples: int  # an epoch
    decay: float = 0.0  # as published


USUAL = Budget(3, 600)
"""What two cores allow for the published networks, at half the resolution: a tenth of the source's samples an
epoch and a twentieth of its epochs. InceptionNet v3 takes half an hour for it on one core with bfloat16."""
BUDGETS = {"vanilla_large": Budget(1, 200)}
"""Of networks that need more for each sample: this one five times what InceptionNet v1 needs."""
OWN_BUDGETS = {HoleSet.TOP: Budget(8, 8_000, 0.01), HoleSet.ROTATED: Budget(12, 4_000, 0.05)}
"""Of ours, at the full resolution of each set: ten minutes of one core, and an hour and a half with the looks
along all directions. Those holes are not placed anew: what is seen of a part is kept, and could be learned
by heart, so that weights decay faster."""


class Trial(NamedTuple):
    """What is trained: a network of NETS, on which holes, at what size; and who is held out."""

    net: str
    how: How
    holes: HoleSet = HoleSet.TOP
    size: int = CPU_SIZE

    @property
    def places(self) -> int | None:
        """As in ``Changes``. Along any direction new places cost minutes, and brought nothing (findings)."""
        return None if self.net == OURS and self.holes is HoleSet.TOP else 1

    @property
    def recipe(self) -> Recipe:
        """Ours as it learns best by its validation part; the others as published (Adam, 3e-4)."""
        if self.net == OURS:
            return Recipe(
                epochs=self.budget.epochs, rate=1e-3, warmup_steps=150, decay=self.budget.decay,
                clip_norm=5.0, mixed_precision=False,
            )  # fmt: skip
        return Recipe(
            epochs=self.budget.epochs, rate=3e-4, schedule="constant", optimizer="adam",
            decay=self.budget.decay, clip_norm=None,
        )  # fmt: skip

    @property
    def budget(self) -> Budget:
        """How much it learns from."""
        return OWN_BUDGETS[self.holes] if self.net == OURS else BUDGETS.get(self.net, USUAL)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A trial's outcome, with which commit it was measured, and when."""

    commit: str
    date: str
    trained: Trained
    test: Evaluated


def _trials() -> Mapping[str, Trial]:
    ours = {
        "honest-ours": Trial(OURS, "honest", size=HoleSet.TOP.grid),
        "rotated-ours": Trial(OURS, "honest", HoleSet.ROTATED, HoleSet.ROTATED.grid),
        "random-ours": Trial(OURS, "random", size=HoleSet.TOP.grid),
    }
    small = ("resnet_small", "resnet18", "vanilla", "inception_v3", "inception_v1", "vanilla_large")
    hows: tuple[How, ...] = ("honest", "random")
    return ours | {f"{how}-{net}": Trial(net, how) for net in small for how in hows}


TRIALS = _trials()
"""By name, in the order in which they are begun: what takes longest comes last."""


def path_of(name: str) -> Path:
    """The file of a row."""
    return OUT / f"{name}.json"


def main() -> int:
    """Train what the command line names, and judge it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=TRIALS)
    name = parser.parse_args().name
    torch.set_num_threads(1)
    row = _row(name, TRIALS[name])
    with replacing(path_of(name)) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(row))
    return 0


def _row(name: str, trial: Trial) -> Row:
    model_path, log = OUT / f"{name}.safetensors", OUT / f"{name}.jsonl"
    ours, began_with = trial.net == OURS, commit()
    trained = train(
        PrintabilityTraining(
            folder=PARTS, model_path=model_path, recipe=trial.recipe, network=NETS[trial.net],
            size=trial.size, holes=trial.holes, how=trial.how, batch_size=16,
            epoch_samples=trial.budget.samples,
            validation_samples=None if ours else CPU_VALIDATION,
            changes=Changes(turned=True, places=trial.places),
            log_file=log, resume=True, quiet=True,
        ),
        threading.Event(),
    )  # fmt: skip
    assert trained is not None, "one process leads"
    return Row(
        commit=began_with,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        trained=trained,
        test=evaluate(model_path, PARTS, mixed_precision=not ours),
    )


if __name__ == "__main__":
    sys.exit(main())
