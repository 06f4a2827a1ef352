"""What users know of their own prints, in a file: CSV with a header, or JSON with an object a line.

    print,kind,from,to
    benchy,spaghetti,754,900
    benchy,fine,0,700
    vase,stringing,2026-03-01T10:15:00+01:00,

    {"print": "benchy", "kind": "spaghetti", "from": 754, "to": 900}

``print`` is a recording's name (with or without .mcap), ``kind`` one of the kinds or ``fine``. Times are
seconds since the recording's first beat (of 5 s) begins, or ISO 8601 with a zone. An empty (or absent)
``from`` is the begin, which only what is fine may have, an empty ``to`` the end. Before a failure all counts
as fine; where stretches are called fine, they alone do. What follows a failure's end is not learned from.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from msgspec.structs import replace

from detector.learning.cutting import label_at
from detector.learning.shards import UNKNOWN, PrintFacts, Shard
from detector.model.kinds import FINE as FINE_CLASS
from detector.model.kinds import KINDS
from ingest.errors import UsageError
from ingest.recordings.format import Truth
from ingest.recordings.writer import SUFFIX as RECORDING
from ingest.records import NS_PER_S

COLUMNS = ("print", "kind", "from", "to")
FINE = "fine"
NEVER_NS = 2**63 - 1

Row: TypeAlias = tuple[int, Mapping[str, Any]]  # line and its fields


class Moment(NamedTuple):
    """A time as a user wrote it: ``s`` since the recording's begin, or ``ns`` UTC."""

    s: float | None = None
    ns: int | None = None

    def at(self, begin_ns: int) -> int:
        """The same in ns UTC."""
        return self.ns if self.ns is not None else begin_ns + round((self.s or 0.0) * NS_PER_S)


class OwnLabel(NamedTuple):
    """A stretch of a print; ``kind`` None is fine. ``begin`` and ``end`` None: as far as the print goes."""

    print_: str
    kind: str | None
    begin: Moment | None
    end: Moment | None
    line: int

    def truth(self, begin_ns: int) -> Truth:
        """The same as a recording's own labels have it; ``begin_ns`` is where its first beat begins."""
        return Truth(
            kind=self.kind,
            from_ns=begin_ns if self.begin is None else self.begin.at(begin_ns),
            to_ns=NEVER_NS if self.end is None else self.end.at(begin_ns),
        )


def read_labels(path: Path) -> dict[str, list[OwnLabel]]:
    """The labels of each print. Raises UsageError with all mistakes, each with its line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: found {error}, expected labels as CSV or JSON lines") from error
    labels, mistakes = list[OwnLabel](), list[str]()
    for line, row in _rows(path, text, mistakes):
        found = _label(line, row)
        if isinstance(found, OwnLabel):
            labels.append(found)
        else:
            mistakes += [f"{path}: line {line}: {mistake}" for mistake in found]
    if mistakes or not labels:
        raise UsageError("\n".join(mistakes) or f"{path}: found no label, expected a line for each stretch")
    names = sorted({one.print_ for one in labels})
    return {name: [one for one in labels if one.print_ == name] for name in names}


def relabelled(shard: Shard, own: Sequence[OwnLabel], path: Path) -> Shard:
    """The print with a user's labels in the place of those that it bears; ``path`` is for the message.

    Raises UsageError, with its line, for a label of which no beat of the print is.
    """
    facts = shard.facts
    truths = [one.truth(facts.begin_ns) for one in own]
    ends_ns = [facts.begin_ns + round(at_s * NS_PER_S) for at_s in shard.at_s().tolist()]
    for one, truth in zip(own, truths, strict=True):
        if not any(truth.from_ns <= at_ns <= truth.to_ns for at_ns in ends_ns):
            raise UsageError(
                f"{path}: line {one.line}: found a stretch outside of {facts.name}, which begins at "
                f"{iso(facts.begin_ns)} and lasts {facts.ends_s:g} s: correct its times"
            )
    halted_ns = None if facts.halted_s is None else facts.begin_ns + round(facts.halted_s * NS_PER_S)
    labels = np.array([label_at(truths, at_ns, halted_ns) for at_ns in ends_ns], np.int16)
    fine = [truth for truth in truths if truth.kind is None]
    called = [any(truth.from_ns <= at_ns <= truth.to_ns for truth in fine) for at_ns in ends_ns]
    if fine:
        labels[(labels == FINE_CLASS) & ~np.array(called)] = UNKNOWN
    return shard._replace(labels=labels, facts=_facts(facts, truths))


def iso(at_ns: int) -> str:
    """A time for people who write labels."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).isoformat()


def _facts(facts: PrintFacts, truths: Sequence[Truth]) -> PrintFacts:
    failures = [truth for truth in truths if truth.kind is not None]
    first = min(failures, key=lambda truth: truth.from_ns, default=None)
    onset_s = None if first is None else max((first.from_ns - facts.begin_ns) / NS_PER_S, 0.0)
    kind = None if first is None else first.kind
    return replace(facts, kind=kind, mechanism="", severity=0.0, growth_s=0.0, onset_s=onset_s)


def check_names(path: Path, labels: Mapping[str, Sequence[OwnLabel]], names: Sequence[str]) -> None:
    """Raise UsageError for labels of a print that is none of these."""
    strange = [own for name, own in labels.items() if name not in names]
    if strange:
        told = "\n".join(f"{path}: line {own[0].line}: found the print {own[0].print_!r}" for own in strange)
        raise UsageError(f"{told}\nexpected names of the recordings that were given: {', '.join(names[:20])}")


def _rows(path: Path, text: str, mistakes: list[str]) -> Iterator[Row]:
    if text.lstrip().startswith("{"):
        yield from _json_rows(path, text, mistakes)
        return
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        mistakes.append(f"{path}: line 1: found no column {', '.join(missing)}, expected {','.join(COLUMNS)}")
        return
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        mistakes.append(f"{path}: line {reader.line_num}: found {error}, expected CSV")


def _json_rows(path: Path, text: str, mistakes: list[str]) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            mistakes.append(f"{path}: line {number}: found no JSON ({error}), expected an object")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            mistakes.append(f"{path}: line {number}: found {line[:40]!r}, expected an object")


def _label(line: int, row: Mapping[str, Any]) -> OwnLabel | list[str]:
    mistakes = list[str]()
    print_, kind = str(row.get("print") or "").strip(), str(row.get("kind") or "").strip()
    if not print_:
        mistakes.append("print: found nothing, expected a recording's name")
    if kind != FINE and kind not in KINDS:
        mistakes.append(f"kind: found {kind!r}, expected {FINE} or one of {', '.join(KINDS)}")
    begin, end = (_moment(name, row.get(name), mistakes) for name in ("from", "to"))
    if kind != FINE and begin is None and not mistakes:
        mistakes.append("from: found nothing, expected when the failure began")
    if not mistakes and not _ascending(begin, end):
        mistakes.append(f"to: found {row.get('to')!r}, expected a time after {row.get('from')!r}")
    if mistakes:
        return mistakes
    return OwnLabel(print_.removesuffix(RECORDING), None if kind == FINE else kind, begin, end, line)


def _moment(name: str, value: object, mistakes: list[str]) -> Moment | None:
    """A time, None for an empty one; what is wrong with it is added to ``mistakes``."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = _seconds(value) if not isinstance(value, str) else _seconds(value) or _iso(value.strip())
    if found is None:
        mistakes.append(
            f"{name}: found {value!r}, expected seconds since the recording began, or ISO 8601 with a zone "
            "(2026-03-01T10:15:00+01:00)"
        )
    return found


def _seconds(value: object) -> Moment | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return Moment(s=seconds) if math.isfinite(seconds) and seconds >= 0 else None


def _iso(text: str) -> Moment | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Moment(ns=round(found.timestamp() * 1e6) * 1000) if found.tzinfo is not None else None


def _ascending(begin: Moment | None, end: Moment | None) -> bool:
    """Whether they are in order, as far as that can be told without the recording."""
    if begin is None or end is None:
        return True
    if begin.s is not None and end.s is not None:
        return begin.s < end.s
    return begin.ns is None or end.ns is None or begin.ns < end.ns
