"""What ``finetune`` brings for one printer: it learns twenty labelled prints and is judged on others.

    python -m bench.own_printer [--printers N]

Simulated: each printer's camera, look and hot end are those of one print of the split ``test``; jobs, bodies
and failures (kinds that can be seen) differ. Figures are of prints that finetune never saw: the printer's
own, failing ones and their twins without the failure, and old prints that it held out of its replay.
"""

from __future__ import annotations

import argparse
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path

import msgspec

from bench.machine import ROOT
from detector.learning.evaluate import filed
from detector.learning.finetune import Finetuning, finetune, split
from detector.learning.finetune_learner import Side, judged_prints, side_of
from detector.learning.methods import of_model
from detector.learning.preprocess import preprocess
from detector.learning.replay_file import REPLAY, read_replay
from detector.learning.seen import FrameJudge, version_of
from detector.learning.sequences import TokenSequence, read_sequence
from detector.learning.shards import shards_in
from detector.model.kinds import VISUAL
from detector.model.watch_model import DEFAULT, WatchModel, load_watch_model
from ingest.recordings.writer import SUFFIX, RecordingWriter
from ingest.simulate.held import MAKING
from ingest.simulate.prints import Print, about
from ingest.simulate.scenario import Scenario, draw
from ingest.simulate.splits import Split
from ingest.simulate.version import simulator_version

OUT = ROOT / "out" / "own-printer"
LABELLED, JUDGED = 20, 20
FIRST_SEED = 700
SECONDS, FPS = 600.0, 0.2


def prints_of(seed: int) -> Iterator[Scenario]:
    """Failing prints of one printer without end, each with a kind that can be seen."""
    first = _drawn(seed, 0)
    for number in count():
        one = _drawn(seed, number)
        if one.fails and one.job.path.bed_mm == first.job.path.bed_mm:
            yield one._replace(look=first.look, spec=first.spec, wiring=first.wiring)


def _drawn(seed: int, number: int) -> Scenario:
    return draw(seed, Split.TEST, number, seconds=SECONDS, fps=FPS, failing=1.0, kinds=tuple(VISUAL))


def record(scenarios: Sequence[Scenario], folder: Path) -> None:
    """Write their recordings, those that are not there."""
    (folder / MAKING).mkdir(parents=True, exist_ok=True)
    for scenario in scenarios:
        path = folder / f"{scenario.name}{SUFFIX}"
        if path.exists():
            continue
        simulated = Print(scenario)
        unfinished = folder / MAKING / path.name
        unfinished.unlink(missing_ok=True)
        writer = RecordingWriter(unfinished, about(scenario, version("nozzlewatch"), simulator_version()))
        for arrival_ns, item in simulated.items():
            writer.add(item, arrival_ns)
        writer.end_chunk()
        for truth in simulated.truths():
            writer.add_label(truth)
        writer.finish()
        unfinished.replace(path)


def sequences(model: WatchModel, recordings: Path, cache: Path) -> list[TokenSequence]:
    """The prints of a folder of recordings as the temporal network reads them."""
    preprocess(sorted(recordings.glob(f"*{SUFFIX}")), cache, jobs=1)
    seen = filed(FrameJudge(model.frame), shards_in([cache]), cache / "seen", lambda path: None)
    return [read_sequence(one) for one in seen]


def judged(model: WatchModel, prints: Sequence[TokenSequence]) -> Side:
    """What a model makes of prints."""
    return side_of(*judged_prints(model.temporal, prints), *of_model(model))


def one_printer(seed: int) -> dict[str, object]:
    """Teach the shipped network one printer: figures before and after, and what it took."""
    folder = OUT / str(seed)
    scenarios = list(islice(prints_of(seed), LABELLED + JUDGED))
    record(scenarios[:LABELLED], folder / "labelled")
    held_out = [twin for one in scenarios[LABELLED:] for twin in (one.counterfactual, one)]
    record(held_out, folder / "judged")
    shutil.rmtree(folder / "cache", ignore_errors=True)  # its making is part of the time
    asked = Finetuning(
        sources=(folder / "labelled",), output=folder / "own.safetensors", cache=folder / "cache", quiet=True
    )
    asked.output.unlink(missing_ok=True)
    came = finetune(load_watch_model(DEFAULT), asked, threading.Event())
    before = load_watch_model(DEFAULT)
    after = load_watch_model(asked.output) if came.gained else before
    own = sequences(before, folder / "judged", folder / "judged-beats")
    _, elsewhere = split(read_replay(REPLAY, version_of(before.frame)), asked.recipe.seed)
    sides = {
        f"{where}, {when}": judged(model, prints)
        for where, prints in (("own", own), ("elsewhere", elsewhere))
        for when, model in (("before", before), ("after", after))
    }
    return {
        "seed": seed, "gained": came.gained, "seconds": round(came.seconds), "labelled": came.prints,
        "epochs": came.epochs, **msgspec.to_builtins(sides),
    }  # fmt: skip


def main() -> None:
    """A line for each printer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--printers", type=int, default=3)
    for seed in range(FIRST_SEED, FIRST_SEED + parser.parse_args().printers):
        print(json.dumps(one_printer(seed)), flush=True)


if __name__ == "__main__":
    main()
