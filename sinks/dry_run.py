"""What the policy would have said and done over a recorded print: the same code on the print's own time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from detector.anomaly import BLIND, Anomaly, Kind, Scores
from detector.kinds import KindRule, KindRules, Reaction
from ingest.records import NS_PER_S, Command
from sinks.message import About, Message
from sinks.parquet_schema import p_column
from sinks.policy import Policy, Rules
from sinks.policy.rules import MINUTE_NS

AFTERWARDS_NS = 10 * MINUTE_NS
"""So long after the last window the policy is still asked: all-clears come late."""

PAUSING = KindRules(
    farm={kind: KindRule(Reaction.PAUSE) for kind in Kind if kind not in BLIND and kind is not Kind.UNUSUAL}
)
"""What is assumed where nobody says otherwise: a dry run shows what turning it on would have done."""


class Done(NamedTuple):
    """Something that would have been done: ``at_ns`` is the print's own time."""

    at_ns: int
    printer: str
    what: str  # "told", "pause", "cancel"
    text: str


def dry_run(anomalies: Iterable[Anomaly], scores: pa.Table, rules: Rules) -> list[Done]:
    """Everything that would have been said aloud, and each command, in order of time.

    ``anomalies`` are all revisions, ``scores`` as ``read_scores`` gives them; nothing is sent anywhere.
    """
    told = deque(sorted(anomalies, key=lambda one: (one.at_ns, one.revision)))
    windows = deque(sorted(_scores(scores), key=lambda one: one.start_ns))
    if not told:
        return []
    first_ns, last_ns = told[0].at_ns, max(told[-1].at_ns, windows[-1].start_ns if windows else 0)
    policy = Policy(rules, first_ns)
    done: list[Done] = []
    for now_ns in range(first_ns, last_ns + AFTERWARDS_NS, NS_PER_S):
        _take(policy, told, windows, now_ns)
        out = policy.due(now_ns)
        # No printer answers in a dry run, so what would be said of its answer is left out.
        told_now = [one for one in out.messages if one.loud and one.about is not About.ACTION]
        done += [_said(message) for message in told_now]
        done += [_asked(command) for command in out.commands]
    return done


def _take(policy: Policy, told: deque[Anomaly], windows: deque[Scores], now_ns: int) -> None:
    while told and told[0].at_ns <= now_ns:
        policy.take_anomaly(told.popleft(), now_ns)
    while windows and windows[0].start_ns + windows[0].span_ns <= now_ns:
        policy.take_scores(windows.popleft(), now_ns)


def _scores(table: pa.Table) -> Iterator[Scores]:
    """Of each window what the policy asks for: when it was, and the probability of each kind."""
    columns = {kind: table.column(p_column(kind)).to_pylist() for kind in Kind}
    rows = zip(
        *(table.column(name).to_pylist() for name in ("printer", "job", "index", "span_ns")), strict=True
    )
    for number, (printer, job, index, span_ns) in enumerate(rows):
        likely = {kind: float(told[number] or 0.0) for kind, told in columns.items() if told[number]}
        yield Scores(
            printer=printer, job=job, index=index, span_ns=span_ns, probabilities=likely, novelty=None,
            frame=None, frame_lost=False, marks=0, model="",
        )  # fmt: skip


def _said(message: Message) -> Done:
    return Done(message.made_ns, ", ".join(message.printers), "told", message.title)


def _asked(command: Command) -> Done:
    return Done(command.asked_ns, command.printer, command.action.value, command.reason)
