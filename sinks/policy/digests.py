"""The daily digest, and what happened in the quiet hours."""

from __future__ import annotations

from msgspec.structs import replace

from sinks.message import About, Message, Phase
from sinks.policy import words
from sinks.policy.memory import Memory
from sinks.policy.rules import Rules
from sinks.policy.state import Happened


def due(memory: Memory, rules: Rules, now_ns: int) -> list[Message]:
    """The digests that are due by now."""
    return [*_after_quiet(memory, rules, now_ns), *_daily(memory, rules, now_ns)]


def _after_quiet(memory: Memory, rules: Rules, now_ns: int) -> list[Message]:
    """What came and went while nobody was to be woken; what is still open is told by itself."""
    quiet = rules.is_quiet(now_ns)
    if quiet == memory.rest.was_quiet:
        return []
    memory.note(was_quiet=quiet)
    unheard = [one for one in memory.rest.happened if one.unheard]
    if quiet or not unheard:
        return []
    memory.note(happened=[replace(one, unheard=False) for one in memory.rest.happened])
    return [_digest(memory, rules, unheard, now_ns, night=True)]


def _daily(memory: Memory, rules: Rules, now_ns: int) -> list[Message]:
    if rules.last_digest_ns(now_ns) <= memory.rest.digested_ns:
        return []
    told = _digest(memory, rules, memory.rest.happened, now_ns, night=False)
    memory.note(digested_ns=now_ns, happened=[])
    return [told]


def _digest(memory: Memory, rules: Rules, happened: list[Happened], now_ns: int, *, night: bool) -> Message:
    still = [] if night else [case for case in memory.cases.values() if case.open and case.thread]
    memory.note(notes=memory.rest.notes + 1)
    return Message(
        id=f"d-{memory.rest.notes}-{now_ns // 1_000_000_000}", revision=1, about=About.DIGEST,
        phase=Phase.NOTE, made_ns=now_ns, title=words.digest_title(happened, still, night=night),
        lines=words.digest_lines(happened, still, rules.zone),
        printers=tuple(sorted({case.printer for case in still if case.printer})),
    )  # fmt: skip
