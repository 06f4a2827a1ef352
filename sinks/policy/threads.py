"""Threads: which cases are told together, and when a message goes out aloud, quietly, or not yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from detector.anomaly import Kind
from ingest.records import NS_PER_S
from sinks.message import About, Message, Phase
from sinks.policy import cases, words
from sinks.policy.memory import Memory
from sinks.policy.rules import DAY_NS, Rules
from sinks.policy.state import Case, Happened, Thread, Told

QUIET_EVERY_NS = 5 * NS_PER_S
"""A group of hundreds changes every second: programs are told no more often than this."""
ANOMALIES_SHOWN = 20
"""Anomalies that a message of a group carries."""
TOLD_KEPT = 500
"""Threads that can still be answered when they are over."""


class Threads:
    """Makes messages of the memory's cases."""

    def __init__(self, rules: Rules, memory: Memory) -> None:
        self._rules, self._memory = rules, memory
        self._changed: set[str] = set()

    def changed(self, thread: str) -> None:
        """Something of this thread has changed: whoever can replace what was said is to know."""
        self._changed.add(thread)

    def due(self, now_ns: int) -> list[Message]:
        """Place what is ready, then say of each thread what is to be said by now."""
        for case in list(self._memory.cases.values()):
            if not case.thread and self._may_be_told(case, now_ns):
                self._place(case, now_ns)
            elif cases.forgotten(case, self._rules, now_ns):
                del self._memory.cases[case.id]
        messages = [self._say(thread, now_ns) for thread in list(self._memory.threads.values())]
        return [message for message in messages if message is not None]

    def answered(self, thread: Thread, by: str) -> None:
        """Somebody takes care of it."""
        self._memory.threads[thread.id] = replace(thread, answered=by)
        self.changed(thread.id)

    def drop(self, case: Case, now_ns: int) -> None:
        """Nothing more is to be said of this case: somebody said that it is fine."""
        self._memory.cases[case.id] = replace(case, thread="", closed_ns=case.closed_ns or now_ns)
        thread = self._memory.threads.get(case.thread)
        if thread is not None and len(thread.cases) > 1:
            rest = tuple(one for one in thread.cases if one != case.id)
            self._memory.threads[thread.id] = replace(thread, cases=rest)
            self.changed(thread.id)

    def _may_be_told(self, case: Case, now_ns: int) -> bool:
        silenced = self._memory.is_snoozed(case.printer, now_ns) or self._memory.is_fine(case)
        return not silenced and cases.ready(case, self._rules, now_ns)

    def _place(self, case: Case, now_ns: int) -> None:
        """Into the group that takes it in, a new group, or a thread of its own."""
        alike = cases.alike(case)
        group = self._open_group(alike, now_ns)
        if group is not None:
            self._join(group, [case])
            return
        together = self._together(case, alike, now_ns)
        if len({one.printer for one in together}) >= self._rules.group_from:
            untold = [one for one in together if not one.thread]
            self._join(self._new(untold, alike, now_ns, group=True), untold)
        else:
            self._join(self._new([case], alike, now_ns), [case])

    def _open_group(self, alike: str, now_ns: int) -> Thread | None:
        groups = (one for one in self._memory.threads.values() if one.group and one.alike == alike)
        young = [one for one in groups if now_ns - one.opened_ns < self._rules.group_open_ns]
        return young[-1] if young else None

    def _together(self, case: Case, alike: str, now_ns: int) -> list[Case]:
        """What began alike of late. A camera that is only dark for a moment yet counts where many are."""
        if len(self._memory.cases) < self._rules.group_from:
            return [case]  # not looked for: each new case would look at all others
        since_ns = now_ns - max(self._rules.group_within_ns, self._rules.hold_ns)
        found = [
            one
            for one in self._memory.cases.values()
            if one.opened_ns >= since_ns and one.printer and one.id != case.id
            and (one.open or one.thread)
            and cases.alike(one) == alike
            and (one.thread or cases.about(one) is About.BLIND)
            and not self._memory.is_snoozed(one.printer, now_ns)
        ]  # fmt: skip
        return [case, *found]

    def _new(self, held: Sequence[Case], alike: str, now_ns: int, *, group: bool = False) -> Thread:
        about = cases.about(held[0])
        own = _thread_id(held[0], group=group)
        return Thread(id=own, about=about, alike=alike, cases=(), opened_ns=now_ns, group=group)

    def _join(self, thread: Thread, held: Sequence[Case]) -> None:
        """Failures that join are told aloud; who else is blind only adds to a number."""
        owed = thread.owed or thread.about is About.FAILURE
        ids = tuple(case.id for case in held if case.id not in thread.cases)
        self._memory.threads[thread.id] = replace(thread, cases=(*thread.cases, *ids), owed=owed)
        for case in held:
            self._memory.cases[case.id] = replace(case, thread=thread.id)
        self.changed(thread.id)

    def _say(self, thread: Thread, now_ns: int) -> Message | None:
        held = self._memory.of(thread)
        mine = [case for case in held if case.thread == thread.id]
        if all(cases.over(case, self._rules, now_ns) for case in mine):
            return self._end(thread, held, now_ns)
        escalates = self._escalates(thread, mine, now_ns)
        aloud = escalates or (thread.owed and self._may_be_loud(thread, mine, now_ns))
        due = now_ns - thread.said_ns >= QUIET_EVERY_NS
        if not aloud and not (due and thread.id in self._changed):
            return None
        self._changed.discard(thread.id)
        escalated, revision = thread.escalated or escalates, thread.revision + 1
        thread = replace(thread, escalated=escalated, revision=revision, said_ns=now_ns)
        if aloud:
            first_ns = thread.first_loud_ns or now_ns
            thread = replace(thread, owed=False, first_loud_ns=first_ns, last_loud_ns=now_ns)
        self._memory.threads[thread.id] = thread
        phase = Phase.OPENED if thread.revision == 1 else Phase.UPDATED
        return self._message(thread, mine, phase, now_ns, loud=aloud)

    def _end(self, thread: Thread, held: Sequence[Case], now_ns: int) -> Message | None:
        """The all-clear, for those who were told; in quiet hours the summary says it."""
        heard = thread.first_loud_ns > 0
        told = any(case.thread == thread.id for case in held)  # else somebody said that all of it is fine
        quiet = self._rules.is_quiet(now_ns) and not cases.urgent(held, self._rules.urgent)
        del self._memory.threads[thread.id]
        self._changed.discard(thread.id)
        for case in held:
            if case.thread == thread.id:
                self._memory.cases[case.id] = replace(case, thread="")
        self._remember(thread, held, now_ns)
        if not held:
            return None
        text = words.title(held, Phase.CLOSED)
        self._memory.tell_digest(Happened(at_ns=now_ns, text=text, unheard=quiet or not heard))
        thread = replace(thread, revision=thread.revision + 1)
        return self._message(thread, held, Phase.CLOSED, now_ns, loud=heard and told and not quiet)

    def _remember(self, thread: Thread, held: Sequence[Case], now_ns: int) -> None:
        about = tuple(
            (case.printer, case.job, case.kind, case.anomaly.id)
            for case in held
            if case.anomaly is not None and case.kind is not None
        )
        kept = {own: one for own, one in self._memory.rest.told.items() if now_ns - one.at_ns < DAY_NS}
        kept[thread.id] = Told(at_ns=now_ns, about=about)
        self._memory.note(told=dict(list(kept.items())[-TOLD_KEPT:]))

    def _may_be_loud(self, thread: Thread, held: Sequence[Case], now_ns: int) -> bool:
        if self._rules.is_quiet(now_ns) and not cases.urgent(held, self._rules.urgent):
            return False
        if all(self._memory.is_snoozed(case.printer, now_ns) for case in held):
            return False
        return not thread.last_loud_ns or now_ns - thread.last_loud_ns >= self._rules.group_within_ns

    def _escalates(self, thread: Thread, held: Sequence[Case], now_ns: int) -> bool:
        waits_ns = self._rules.escalate_after_ns
        if not waits_ns or thread.escalated or thread.answered or not thread.first_loud_ns:
            return False
        return any(case.open for case in held) and now_ns - thread.first_loud_ns >= waits_ns

    def _message(
        self, thread: Thread, held: Sequence[Case], phase: Phase, now_ns: int, *, loud: bool
    ) -> Message:
        flaps = any(cases.flaps(case, now_ns) for case in held) and phase is not Phase.CLOSED
        told = words.lines(held, phase, now_ns, zone=self._rules.zone, comes_and_goes=flaps)
        kinds: list[Kind] = sorted({case.kind for case in held if case.kind is not None})
        answered = (f"Answered by {thread.answered}.",) if thread.answered else ()
        nobody = ("Nobody has answered.",) if thread.escalated and not thread.answered else ()
        return Message(
            id=thread.id, revision=thread.revision, about=thread.about, phase=phase, made_ns=now_ns,
            title=words.title(held, phase, comes_and_goes=flaps), lines=(*told, *answered, *nobody),
            printers=tuple(sorted({case.printer for case in held if case.printer})), kinds=tuple(kinds),
            anomalies=tuple(case.anomaly for case in held[:ANOMALIES_SHOWN] if case.anomaly),
            loud=loud, escalated=thread.escalated, links=words.links(held, self._rules.link),
        )  # fmt: skip


def _thread_id(case: Case, *, group: bool) -> str:
    """An anomaly's own id for a thread of one; else one that no other thread has."""
    if case.anomaly is not None and not group:
        return case.anomaly.id
    told = f"{case.id}\t{case.opened_ns}\t{group}"
    return ("g-" if group else "p-") + hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
