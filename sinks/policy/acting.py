"""Pausing and cancelling: only what the user turned on, only when it is sure for long enough, never twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from msgspec.structs import replace

from detector.anomaly import Scores
from detector.kinds import ACTING, KindRule, KindRules, Reaction
from ingest.commands import CONFIRMED_WITHIN_S, VALID_FOR_S
from ingest.records import NS_PER_S, Action, Command, CommandResult
from sinks.anomaly_text import duration_text, kind_text, percent
from sinks.message import About, Message, Phase
from sinks.policy import cases, words
from sinks.policy.memory import Above, Memory, print_key
from sinks.policy.rules import DAY_NS
from sinks.policy.state import Acted, Case, Happened

BY = "nozzlewatch"
GAP_NS = 10 * NS_PER_S
"""The network speaks every 5 s: so long a silence between two sure windows does not break their row."""
FRESH_NS = 60 * NS_PER_S
"""What was judged longer ago says nothing of the print as it is now."""
NO_ANSWER_NS = int((VALID_FOR_S + CONFIRMED_WITHIN_S + 10) * NS_PER_S)
ACTED_KEPT_NS = 7 * DAY_NS
ACTIONS = {Reaction.PAUSE: Action.PAUSE, Reaction.CANCEL: Action.CANCEL}


def count(memory: Memory, kinds: KindRules, scores: Scores) -> None:
    """Note for how long each kind that may act has been likely enough at this printer."""
    start_ns, end_ns = scores.start_ns, scores.start_ns + scores.span_ns
    for kind, probability in scores.probabilities.items():
        rule = kinds.of(scores.printer, kind)
        if rule.do not in ACTING or probability < rule.pause_at:
            continue
        own = cases.case_id(scores.printer, kind, scores.job)
        last = memory.above.get(own)
        if last is None or start_ns - last.last_ns > GAP_NS:
            memory.above[own] = Above(start_ns, end_ns)
        elif end_ns > last.last_ns:
            memory.above[own] = last._replace(last_ns=end_ns)


def commands(memory: Memory, kinds: KindRules, now_ns: int) -> list[Command]:
    """What printers are to be told by now; it is noted, so that it is never told again."""
    return [_command(memory, case, rule, now_ns) for case, rule in _sure(memory, kinds, now_ns)]


def told(memory: Memory, result: CommandResult, now_ns: int) -> list[Message]:
    """What is to be said when a command of ours was answered."""
    for own, acted in memory.rest.acted.items():
        if acted.id == result.id and not acted.told:
            return [_message(memory, own, acted, result, now_ns)]
    return []


def unanswered(memory: Memory, now_ns: int) -> list[Message]:
    """What is to be said of commands that nobody answered; forgets those of long ago."""
    kept = {own: one for own, one in memory.rest.acted.items() if now_ns - one.asked_ns < ACTED_KEPT_NS}
    if len(kept) < len(memory.rest.acted):
        memory.note(acted=kept)
    late = [(own, one) for own, one in kept.items() if not one.told and now_ns - one.asked_ns >= NO_ANSWER_NS]
    return [_message(memory, own, one, None, now_ns) for own, one in late]


def _sure(memory: Memory, kinds: KindRules, now_ns: int) -> Iterator[tuple[Case, KindRule]]:
    for own, above in list(memory.above.items()):
        case = memory.cases.get(own)
        if case is None or case.kind is None or not case.open:
            continue
        rule = kinds.of(case.printer, case.kind)
        long_enough = above.last_ns - above.since_ns >= rule.for_s * NS_PER_S
        fresh = now_ns - above.last_ns <= FRESH_NS
        done = print_key(case.printer, case.job, case.kind) in memory.rest.acted
        if long_enough and fresh and not done and not memory.is_fine(case):
            yield case, rule


def _command(memory: Memory, case: Case, rule: KindRule, now_ns: int) -> Command:
    assert case.kind is not None and case.anomaly is not None  # noqa: S101 - see _sure
    own, action = print_key(case.printer, case.job, case.kind), ACTIONS[rule.do]
    above = memory.above[case.id]
    lasted = duration_text(above.last_ns - above.since_ns)
    reason = f"{kind_text(case.kind)} at {percent(rule.pause_at)} or more for {lasted}: {case.anomaly.text}"
    # The id is made of the print and the kind: ingest carries out none twice, whoever asks again.
    name = hashlib.blake2b(f"{own}\t{action}".encode(), digest_size=16).hexdigest()
    acted = Acted(
        id=name, printer=case.printer, job=case.job, kind=case.kind, action=action, asked_ns=now_ns,
        reason=reason,
    )  # fmt: skip
    memory.note(acted={**memory.rest.acted, own: acted})
    return Command(
        id=name, printer=case.printer, action=action, asked_ns=now_ns,
        expires_ns=now_ns + int(VALID_FOR_S * NS_PER_S), by=BY, reason=reason,
    )  # fmt: skip


def _message(memory: Memory, own: str, acted: Acted, result: CommandResult | None, now_ns: int) -> Message:
    memory.note(acted={**memory.rest.acted, own: replace(acted, told=True)})
    title = words.acted_title(acted, result)
    memory.tell_digest(Happened(at_ns=now_ns, text=title))
    case = memory.cases.get(cases.case_id(acted.printer, acted.kind, acted.job))
    return Message(
        id=f"a-{acted.id[:16]}", revision=1, about=About.ACTION, phase=Phase.NOTE, made_ns=now_ns,
        title=title, lines=words.acted_lines(acted, result), printers=(acted.printer,),
        kinds=(acted.kind,), anomalies=(case.anomaly,) if case is not None and case.anomaly else (),
    )  # fmt: skip
