"""Whether simulated prints are hard: how well the best single threshold on any one channel or score does.

    python -m bench.sim_difficulty DIR [--novelty] [--prints N] [--workers N] [--json] [--dry]

Each rule says "alarm as soon as the score exceeds t" (or falls below t). Its t is chosen on these very
prints, the most favourable case. A mistake is a sound print with an alarm, a failing one without, or a
failing one whose alarm came before the onset; mistakes are per 100 prints of which 10 fail. Never to alarm
makes 10. Prints on which only the camera or the telemetry failed are left out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from bench.sim_recordings import (
    first_ns,
    only_blind,
    onset_ns,
    recordings,
    simulator,
    write_section,
)
from bench.sim_scores import Values, scored, tracked
from ingest.recordings.reader import Recording
from ingest.records import NS_PER_S

FAILING_SHARE = 0.1
"""Share of prints that fail: what the published figures of The Spaghetti Detective imply."""
SHOWN = 15


class Extremes(NamedTuple):
    """One print under every rule: the highest score before the onset (sound: ever), and from then on.

    -inf where there was none.
    """

    failing: bool
    before: dict[str, float]
    after: dict[str, float]


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with its best threshold."""

    rule: str
    threshold: float | None  # of the score, negated for "below"; None: never to alarm is best
    mistakes_per_100: float
    recall: float  # share of the failing prints that are told after their onset
    false_alarms: float  # share of the sound prints that are told


def extremes(path: Path, with_novelty: bool = False) -> tuple[str, Extremes | None]:
    """The simulator's version, and one recording under every rule; None for one that is left out."""
    recording = Recording(path)
    truths = recording.labels()
    if only_blind(truths):
        return simulator(recording), None
    onset = onset_ns(truths)
    begin_s = None if onset is None else max((onset - first_ns(recording)) // NS_PER_S, 0)
    return simulator(recording), parted(tracked(recording, with_novelty), begin_s)


def parted(tracks: dict[str, Values], onset_s: int | None) -> Extremes:
    """What every rule makes of a print that begins to fail at ``onset_s``, or never."""
    before, after = {}, {}
    for name, score in scored(tracks):
        end_s = len(score) if onset_s is None else onset_s
        for rule, high in ((f"{name} above", score), (f"{name} below", -score)):
            before[rule], after[rule] = _highest(high[:end_s]), _highest(high[end_s:])
    return Extremes(onset_s is not None, before, after)


def best(rule: str, prints: list[Extremes]) -> Best:
    """The threshold that makes the fewest mistakes on these prints."""
    failing = np.array([one.failing for one in prints])
    before, after = (
        np.array([side[rule] for side in sides])
        for sides in zip(*((p.before, p.after) for p in prints), strict=True)
    )
    known = np.concatenate([before, after])
    levels = np.append(np.unique(known[np.isfinite(known)]), np.inf)[:, None]
    early, late = before > levels, after > levels  # [levels, prints]
    hit = late & ~early & failing
    missed = 1 - hit.sum(1) / max(failing.sum(), 1)
    alarmed = (early & ~failing).sum(1) / max((~failing).sum(), 1)
    mistakes = 100 * (FAILING_SHARE * missed + (1 - FAILING_SHARE) * alarmed)
    at = int(np.argmin(mistakes))
    return Best(
        rule=rule,
        threshold=float(levels[at, 0]) if np.isfinite(levels[at, 0]) else None,
        mistakes_per_100=float(mistakes[at]),
        recall=float(1 - missed[at]),
        false_alarms=float(alarmed[at]),
    )


def ranked(prints: list[Extremes]) -> list[Best]:
    """Every rule at its best, the best one first. A rule that a print knows nothing of stays silent there."""
    rules = sorted({rule for one in prints for rule in one.before})
    filled = [
        Extremes(one.failing, *({rule: side.get(rule, -np.inf) for rule in rules} for side in one[1:]))
        for one in prints
    ]
    return sorted((best(rule, filled) for rule in rules), key=lambda one: one.mistakes_per_100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--novelty", action="store_true", help="also the detector's novelty score; slow")
    parser.add_argument("--prints", type=int, default=0, help="so many of them, evenly spread (default all)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    parser.add_argument("--dry", action="store_true", help="write no figures")
    asked = parser.parse_args()
    paths = recordings(asked.folder)
    apart = max(len(paths) // asked.prints, 1) if asked.prints else 1
    found = list(_all(paths[::apart], asked.novelty, asked.workers))
    prints = [one for _, one in found if one is not None]
    rules = ranked(prints)
    figures: dict[str, object] = {
        "simulator": " ".join(sorted({version for version, _ in found})),
        "prints": len(prints),
        "failing": sum(one.failing for one in prints),
        "left_out": len(found) - len(prints),
        "rules_tried": len(rules),
        "smallest": msgspec.to_builtins(rules[0]),
        "best_rules": msgspec.to_builtins(rules[:SHOWN]),
    }
    print(json.dumps(figures, indent=2)) if asked.json else _show(figures, rules)
    if not asked.dry:
        write_section("difficulty", "python -m bench.sim_difficulty " + " ".join(sys.argv[1:]), figures)


def _all(paths: list[Path], with_novelty: bool, workers: int) -> Iterator[tuple[str, Extremes | None]]:
    judge = partial(extremes, with_novelty=with_novelty)
    if workers == 1:
        yield from map(judge, paths)
        return
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        yield from pool.map(judge, paths)


def _show(figures: dict[str, object], rules: list[Best]) -> None:
    print(
        f"{figures['prints']} simulated prints, {figures['failing']} failing, {figures['left_out']} left out"
    )
    print("mistakes per 100 prints, 10 failing; recall; sound prints told; each rule at its best threshold")
    for one in rules[:SHOWN]:
        told = f"{one.recall:6.0%} {one.false_alarms:6.0%}"
        print(f"{one.mistakes_per_100:6.2f} {told}  {one.rule} {one.threshold}")
    print(f"smallest of {len(rules)} rules: {rules[0].mistakes_per_100:.2f}")


def _highest(score: Values) -> float:
    """The greatest of them, -inf where none is known."""
    return float(np.fmax.reduce(score, initial=-np.inf))


if __name__ == "__main__":
    main()
