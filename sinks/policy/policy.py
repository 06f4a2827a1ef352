"""What is said to whom and when, and what is done about it. No I/O, no clock: every call is given its time.

``take_*`` fold in what was told by the detector, by users, by printers and by the watch's parts; ``due`` says
what is to go out by now. Call it after them, and once a second. What must outlive a restart is in ``saved``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detector.anomaly import Anomaly, Label, Scores
from detector.kinds import Reaction
from ingest.records import Command, CommandResult, Status
from sinks.message import Answer, Message
from sinks.policy import acting, answering, cases, digests
from sinks.policy.memory import Memory
from sinks.policy.rules import Rules
from sinks.policy.state import Case
from sinks.policy.threads import Threads


class Out(NamedTuple):
    """What is to be done by now."""

    messages: list[Message]
    commands: list[Command]
    labels: list[Label]


class Policy:
    """The policy of one farm."""

    def __init__(self, rules: Rules, now_ns: int, saved: Mapping[str, bytes] | None = None) -> None:
        """``saved`` is what an earlier policy's ``saved`` gave, whatever its rules were."""
        self._rules = rules
        self._memory = Memory(now_ns, saved or {})
        self._threads = Threads(rules, self._memory)
        self._notes: list[Message] = []
        self._labels: list[Label] = []

    def take_anomaly(self, anomaly: Anomaly, now_ns: int) -> None:
        """One revision; an older one than is known, and what is switched off, changes nothing."""
        if not self._memory.is_news(anomaly):
            return
        if self._rules.kinds.of(anomaly.printer, anomaly.kind).do is Reaction.OFF:
            return
        own = cases.case_id(anomaly.printer, anomaly.kind, anomaly.job)
        self._put(own, cases.told_of(self._memory.cases.get(own), anomaly, now_ns), now_ns)

    def take_scores(self, scores: Scores, now_ns: int) -> None:
        """A window's probabilities, for the kinds that may pause or cancel a print."""
        acting.count(self._memory, self._rules.kinds, scores)

    def take_statuses(self, statuses: Sequence[Status], now_ns: int) -> None:
        """The newest status of every part."""
        found = cases.troubles(statuses, self._rules.printers, self._memory.began_ns, now_ns)
        for part, (printer, trouble) in found.items():
            own = cases.part_id(part)
            self._put(
                own, cases.part_troubled(self._memory.cases.get(own), part, printer, trouble, now_ns), now_ns
            )

    def take_answer(self, answer: Answer, now_ns: int) -> None:
        """What somebody answered."""
        self._labels += answering.take(self._memory, self._threads, answer, now_ns)

    def take_result(self, result: CommandResult, now_ns: int) -> None:
        """What became of a command; those of others are none of ours."""
        self._notes += acting.told(self._memory, result, now_ns)

    def due(self, now_ns: int) -> Out:
        """What is to go out by now."""
        commands = acting.commands(self._memory, self._rules.kinds, now_ns)
        messages = [*self._threads.due(now_ns), *self._notes, *acting.unanswered(self._memory, now_ns)]
        messages += digests.due(self._memory, self._rules, now_ns)
        labels, self._notes, self._labels = self._labels, [], []
        return Out(messages, commands, labels)

    def saved(self) -> dict[str, bytes]:
        """Everything that a successor needs, in small pieces that seldom change."""
        return self._memory.saved()

    def _put(self, own: str, case: Case | None, now_ns: int) -> None:
        before = self._memory.cases.get(own)
        if case is None or case == before:
            return
        self._memory.cases[own] = case
        if case.thread and _worth_a_revision(before, case):
            self._threads.changed(case.thread)


def _worth_a_revision(before: Case | None, case: Case) -> bool:
    """A text of a part that changes (seconds that pass) is no news."""
    return before is None or (before.anomaly, before.open) != (case.anomaly, case.open)
