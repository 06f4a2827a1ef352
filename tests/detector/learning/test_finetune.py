"""A network learns a user's own prints, and is not let forget the old ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.calibrate import Calibration
from detector.learning.finetune import Finetuning, finetune, split
from detector.learning.finetune_learner import PENALTY, FinetuneLearner, Sets
from detector.learning.methods import of_model
from detector.learning.preprocess import Stopped
from detector.learning.replay_file import REPLAY
from detector.learning.shards import Shard
from detector.model.watch_model import load_watch_model
from detector.training.recipe import Recipe
from ingest.errors import UsageError
from tests.detector.learning.tiny_model import tiny_model, unseen
from tests.detector.learning.tiny_prints import tiny, write_prints

KINDS = (Kind.STALL, Kind.HEATER_FAULT)
RECIPE = Recipe(epochs=30, patience=20, rate=2e-2, warmup_steps=5)


def shards(count: int, seed: int, kinds: Sequence[Kind] = KINDS) -> list[Shard]:
    """So many of each kind and as many sound ones as of each, without pictures."""
    return [
        tiny(f"{seed}-{kind or 'fine'}-{number}", kind, seed=seed + 10 * number, blind=True)
        for kind in (*kinds, None)
        for number in range(count)
    ]


def asked(folder: Path, own: Sequence[Shard], old: Sequence[Shard]) -> Finetuning:
    """Recordings whose prints are cached already, and a file with what happened in them."""
    write_prints(folder / "old", old)
    rows = ["print,kind,from,to"]
    for shard in own:
        (folder / f"{shard.facts.name}.mcap").touch()
        onset_s = "" if shard.facts.onset_s is None else f"{shard.facts.onset_s}"
        rows.append(f"{shard.facts.name},{shard.facts.kind or 'fine'},{onset_s},")
    (folder / "labels.csv").write_text("\n".join(rows))
    write_prints(folder / "cache", own)
    return Finetuning(
        sources=(folder,), output=folder / "mine.safetensors", cache=folder / "cache",
        labels=folder / "labels.csv", replay=(folder / "old",), recipe=RECIPE, batch_size=8, quiet=True,
    )  # fmt: skip


def sets(own: Sequence[Shard], old: Sequence[Shard]) -> Sets:
    return Sets(*split(list(map(unseen, own)), 0), *split(list(map(unseen, old)), 0))


def test_it_learns_own_prints_and_keeps_what_it_knew(tmp_path: Path) -> None:
    wanted = asked(tmp_path, shards(4, seed=100), shards(4, seed=500))
    model = tiny_model()
    told = finetune(model, wanted, threading.Event())
    assert told.gained
    assert (told.prints, told.held_out, told.left_out) == (12, 3, [])
    assert told.after.own.mistakes < told.before.own.mistakes
    assert told.after.own.found == told.after.own.failing == 2
    assert told.after.replayed.mistakes <= told.before.replayed.mistakes + 0.5
    mine = load_watch_model(tmp_path / "mine.safetensors")
    assert mine.about.version.startswith("tiny-0+own-")
    assert mine.about.data[-1] == "12 own prints"
    assert (mine.about.threshold, mine.about.min_beats) == (0.5, 2)


def test_where_nothing_is_gained_nothing_is_written(tmp_path: Path) -> None:
    """Of a network that makes no mistake: it knows the prints already."""
    own, old = shards(4, seed=100), shards(4, seed=500)
    first = finetune(tiny_model(), asked(tmp_path / "first", own, old), threading.Event())
    assert first.gained
    known = load_watch_model(tmp_path / "first" / "mine.safetensors")
    wild = Recipe(epochs=2, rate=1.0, schedule="constant")
    told = finetune(known, replace(asked(tmp_path / "again", own, old), recipe=wild), threading.Event())
    if not told.calibrated:
        assert not told.gained
    assert told.gained == (tmp_path / "again" / "mine.safetensors").exists()
    assert told.after.own.mistakes <= told.before.own.mistakes


def test_forgetting_costs_more_than_any_gain() -> None:
    model = tiny_model()
    calibration, limits = of_model(model)
    learner = FinetuneLearner(
        model.temporal, sets(shards(4, 100), shards(4, 500)), calibration, limits, batch_size=8, seed=0
    )
    kept = {name: replace(side, mistakes=10.0) for name, side in learner.before.items()}
    allowed = learner.before["replayed"].mistakes + 0.5
    forgetful = kept | {
        "own": replace(kept["own"], mistakes=0.0),
        "replayed": replace(kept["replayed"], mistakes=allowed + 1),
    }
    within = kept | {"replayed": replace(kept["replayed"], mistakes=allowed)}
    assert learner.goal_of(forgetful) > learner.goal_of(within) + PENALTY / 2


def test_half_of_every_batch_is_replayed() -> None:
    model = tiny_model()
    own, old = shards(3, 100, (Kind.STALL,)), shards(3, 500, (Kind.BLOB,))
    learner = FinetuneLearner(
        model.temporal, sets(own, old), Calibration(1.0, 0.0), of_model(model)[1], batch_size=8, seed=0
    )
    batches = list(learner.batches(1))
    assert len(batches) >= 8
    for batch in batches:
        assert len(batch.labels) == 8
        kinds = [set(row.tolist()) - {0, -1} for row in batch.labels]
        assert kinds[:4] != kinds[4:]
        assert not any(kinds[at] & kinds[4 + at] for at in range(4))
    again = list(learner.batches(1))
    assert all((one.labels == other.labels).all() for one, other in zip(batches, again, strict=True))


def test_a_print_and_its_twin_are_held_out_together_and_each_kind_is() -> None:
    pairs = [
        unseen(tiny(f"{kind}-{n}", kind, seed=n, spared=spared, blind=True))
        for kind in KINDS
        for n in range(4)
        for spared in (False, True)
    ]
    learn, held_out = split(pairs, seed=3)
    names = [{one.facts.name.removesuffix("-spared") for one in part} for part in (learn, held_out)]
    assert not names[0] & names[1]
    assert len(learn) + len(held_out) == len(pairs)
    assert {one.facts.kind for one in held_out} == {*KINDS, None}
    few = [unseen(one) for one in (*shards(1, 0), tiny("more", Kind.STALL, blind=True))]
    assert [one.facts.kind is not None for one in split(few, 0)[1]] == [True]


def test_prints_without_labels_are_left_out_and_too_few_are_told(tmp_path: Path) -> None:
    wanted = asked(tmp_path, shards(1, seed=100), shards(1, seed=500))
    (tmp_path / "broken.mcap").write_bytes(b"no recording")
    with pytest.raises(UsageError, match=r"found 3 prints with labels, expected 4 or more.*\n.*broken.mcap"):
        finetune(tiny_model(), wanted, threading.Event())


def test_without_old_prints_it_says_what_it_needs(tmp_path: Path) -> None:
    if REPLAY.is_file():
        pytest.skip("there are old prints that come along")
    wanted = replace(asked(tmp_path, shards(2, seed=100), shards(1, seed=500)), replay=())
    with pytest.raises(UsageError, match="--replay: found none"):
        finetune(tiny_model(), wanted, threading.Event())


def test_a_recording_that_has_changed_is_preprocessed_anew(tmp_path: Path) -> None:
    wanted = asked(tmp_path, shards(2, seed=100), shards(2, seed=500))
    changed = tmp_path / "100-stall-0.mcap"
    os.utime(changed, ns=(2**62, 2**62))
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        finetune(tiny_model(), wanted, stop)
    assert not (tmp_path / "cache" / "100-stall-0.beats").exists()
    assert (tmp_path / "cache" / "100-stall-1.beats").exists()
