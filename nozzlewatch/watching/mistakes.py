"""The prints that the watch took wrongly, as examples for the report: a picture, and in words why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.evaluation.outcome import PrintOutcome, Told
from detector.learning.shards import PrintFacts, Shard, facts_of, read_shard
from detector.verdict import Limits
from features.stills import as_jpeg, decode_still, shrunk
from ingest.errors import SourceError
from nozzlewatch.watching.report import SHOWN, Example

GROWN_S = 60.0
"""A failure that was missed is shown so long after its onset: at the onset itself nothing is to be seen."""
LONGEST_PX = 320


def missed(prints: Sequence[Path], outcomes: Sequence[PrintOutcome], limits: Limits) -> list[Example]:
    """The failures that were not told; ``outcomes`` in the order of ``prints``. Raises as ``read_shard``."""
    pairs = [(path, one) for path, one in zip(prints, outcomes, strict=True) if one.is_missed]
    return [_missed(*pair, limits, number) for number, pair in enumerate(pairs)]


def wrong(prints: Sequence[Path], outcomes: Sequence[PrintOutcome]) -> list[Example]:
    """The alarms that were false, each of them; ``outcomes`` in the order of ``prints``."""
    pairs = zip(prints, outcomes, strict=True)
    alarms = [(path, one, alarm) for path, one in pairs for alarm in one.false_alarms]
    return [_wrong(*each, number) for number, each in enumerate(alarms)]


def _missed(path: Path, one: PrintOutcome, limits: Limits, number: int) -> Example:
    facts, onset_s = facts_of(path), one.onset_s or 0.0
    return Example(
        name=one.name,
        kind=one.kind,
        at_s=onset_s,
        reason=f"{what_failed(facts)}: {why_missed(one, limits)}",
        mechanism=one.mechanism,
        severity=_severity(facts),
        picture=picture_at(path, onset_s + GROWN_S) if number < SHOWN else None,
    )


def _wrong(path: Path, one: PrintOutcome, alarm: Told, number: int) -> Example:
    facts = facts_of(path)
    return Example(
        name=one.name,
        kind=one.kind,
        at_s=alarm.at_s,
        reason=why_wrong(one, alarm),
        mechanism=one.mechanism if one.fails else None,
        severity=_severity(facts),
        told=alarm.kind,
        picture=picture_at(path, alarm.at_s) if number < SHOWN else None,
    )


def what_failed(facts: PrintFacts) -> str:
    """The failure in words: "clog of severity 0.28"; of a real print its kind alone."""
    name = (facts.mechanism or facts.kind or "nothing").replace("_", " ")
    severity = _severity(facts)
    return name if severity is None else f"{name} of severity {severity:.2f}"


def why_missed(one: PrintOutcome, limits: Limits) -> str:
    """How near the failure came to an alarm."""
    highest, threshold = one.peaks[1], limits.threshold
    if highest < threshold:
        return f"the highest score after the onset was {highest:.2f}, the threshold is {threshold:.2f}"
    over = f"the score rose to {highest:.2f} after the onset, over the threshold of {threshold:.2f}"
    if one.false_alarms:
        last = one.false_alarms[-1]
        return f"{over}, but an alarm had opened before it, at {last.at_s:.0f} s as {_words(last.kind)}"
    return f"{over}, but not for long enough"


def why_wrong(one: PrintOutcome, alarm: Told) -> str:
    """What was said, and how long before the failure where one came."""
    told = f"told as {_words(alarm.kind)} at {alarm.at_s:.0f} s with a score of {alarm.score:.2f}"
    if one.onset_s is None:
        return told
    return f"{told}, {one.onset_s - alarm.at_s:.0f} s before the {_words(one.kind or '')} began"


def picture_at(path: Path, at_s: float) -> bytes | None:
    """The clear frame of a print that is nearest to a time, as a small JPEG; None where it has none."""
    shard = read_shard(path)
    row = _nearest(shard, at_s)
    if row is None:
        return None
    try:
        picture = decode_still(shard.jpeg(row), str(path))
    except SourceError:
        return None
    return as_jpeg(shrunk(picture, LONGEST_PX))


def _nearest(shard: Shard, at_s: float) -> int | None:
    rows = np.flatnonzero(shard.clear)
    return int(rows[np.abs(shard.at_s()[rows] - at_s).argmin()]) if len(rows) else None


def _severity(facts: PrintFacts) -> float | None:
    """None where nothing fails, and of real prints: nobody knows it there."""
    return facts.severity if facts.simulator and facts.kind is not None else None


def _words(kind: str) -> str:
    return kind.replace("_", " ")
