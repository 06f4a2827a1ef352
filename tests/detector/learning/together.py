"""Both learners on tiny prints, shown as they are: what one process learns, several must learn, too.

torchrun --nproc-per-node 2 -m tests.detector.learning.together PRINTS OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from detector.learning.frame_learner import FrameLearner
from detector.learning.paired import PairedPrints
from detector.learning.seen import nothing, write_seen
from detector.learning.sequences import Filed, TokenSequence
from detector.learning.shards import facts_of, read_shard, shards_in
from detector.learning.temporal_learner import TemporalLearner
from detector.model.frame_network import build_frame_network
from detector.model.kinds import VISUAL
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape, build_temporal
from detector.training.distributed import Place, running
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker
from features.channels import SENSOR_DIM

RECIPE = Recipe(epochs=2, rate=1e-3, mixed_precision=False)
SHAPE = TemporalShape(
    embedding=SIGHT_DIM, sensors=SENSOR_DIM, width=16, heads=2, layers=1, band=8, dropout=0.0
)
PAIRS, BATCH = 6, 8


def as_it_is(print_: TokenSequence, rng: np.random.Generator) -> TokenSequence:
    return print_


def learn(folder: Path, out: Path, place: Place) -> None:
    """Fit both; ``frames.jsonl`` and ``temporal.jsonl`` in ``out`` tell how each epoch went."""
    shards = shards_in([folder])
    pairs = PairedPrints(shards)
    frames = FrameLearner(
        build_frame_network("squeezenet"), pairs, pairs, None, place,
        pairs_an_epoch=PAIRS, batch_size=BATCH, seed=0, trunk_rate=1.0, plain=True, validated=2,
    )  # fmt: skip
    fit(frames, options(out / "frames.jsonl"), place, NoTracker())
    # The loss is a mean over weighed beats: of prints whose beats weigh alike, means of means agree.
    filed = [blind(shard, out) for shard in shards]
    failing = [each for each in filed if facts_of(each.shard).kind not in {None, *VISUAL}]
    timed = TemporalLearner(
        build_temporal(SHAPE), failing, filed, place, batch_size=4, seed=0, shown=as_it_is, other_scene=0.0
    )
    fit(timed, options(out / "temporal.jsonl"), place, NoTracker())


def options(log_file: Path) -> Options:
    return Options(recipe=RECIPE, log_file=log_file, quiet=True)


def blind(shard: Path, out: Path) -> Filed:
    """A print of whose frames nothing is said: what is learned here is in its telemetry."""
    seen = out / f"{shard.stem}.seen"
    if not seen.exists():
        write_seen(seen, nothing(len(read_shard(shard).beats)))
    return Filed(shard, seen)


if __name__ == "__main__":
    with running("cpu") as its:
        learn(Path(sys.argv[1]), Path(sys.argv[2]), its)
