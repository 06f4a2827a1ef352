"""What users answer: seen, this print is fine, be quiet for a while, speak again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from detector.anomaly import Kind, Label
from sinks.anomaly_text import kind_text, plain
from sinks.message import Answer, Word
from sinks.policy.memory import Memory, print_key
from sinks.policy.rules import DAY_NS
from sinks.policy.state import Happened, Thread
from sinks.policy.threads import Threads

FINE_KEPT_NS = 7 * DAY_NS


class Meant(NamedTuple):
    """One failure of one print that an answer is about."""

    printer: str
    job: str
    kind: Kind
    anomaly: str
    onset_ns: int


def take(memory: Memory, threads: Threads, answer: Answer, now_ns: int) -> list[Label]:
    """Do as was answered; returns what it teaches. An answer to what nobody knows any more does nothing."""
    if answer.word is Word.SNOOZE:
        _snooze(memory, answer, now_ns)
    elif answer.word is Word.WAKE:
        _wake(memory, answer)
    for thread in list(_threads(memory, answer)):
        threads.answered(thread, plain(answer.by) or "somebody")
    if answer.word is not Word.FINE:
        return []
    meant = list(_meant(memory, answer, now_ns))
    _forget(memory, threads, meant, now_ns)
    if meant:
        what = ", ".join(f"{plain(one.printer)}: {kind_text(one.kind)}" for one in meant)
        text = f"{what} is fine, says {plain(answer.by) or 'somebody'}"
        memory.tell_digest(Happened(at_ns=now_ns, text=text))
    return [
        Label(
            printer=one.printer, job=one.job, kind=None, from_ns=one.onset_ns, to_ns=answer.at_ns,
            anomaly=one.anomaly, text=answer.text or f"fine, says {answer.by or 'somebody'}",
        )
        for one in meant
    ]  # fmt: skip


def _snooze(memory: Memory, answer: Answer, now_ns: int) -> None:
    """Counted from when it was said; of a message, for its printers; else of the printer or the farm."""
    until_ns = answer.at_ns + answer.for_ns
    snoozed = {name: at_ns for name, at_ns in memory.rest.snoozed.items() if at_ns > now_ns}
    memory.note(snoozed=snoozed | dict.fromkeys(_printers(memory, answer), until_ns))


def _wake(memory: Memory, answer: Answer) -> None:
    awake = _printers(memory, answer)
    snoozed = {name: at for name, at in memory.rest.snoozed.items() if name not in awake and "" not in awake}
    fine = {
        key: one
        for key, one in memory.rest.fine.items()
        if key.partition("\t")[0] not in awake and "" not in awake
    }
    memory.note(snoozed=snoozed, fine=fine)


def _printers(memory: Memory, answer: Answer) -> list[str]:
    """Those that an answer is about; "" stands for the whole farm."""
    if answer.message is None:
        return [answer.printer or ""]
    held = [case for thread in _threads(memory, answer) for case in memory.of(thread)]
    told = memory.rest.told.get(answer.message)
    earlier = [printer for printer, *_ in told.about] if told else []
    return sorted({case.printer for case in held if case.printer} | set(earlier))


def _threads(memory: Memory, answer: Answer) -> Iterator[Thread]:
    """The threads that are open and meant: by name, by an anomaly's, by the printer, or all."""
    for thread in memory.threads.values():
        held = memory.of(thread)
        if answer.message is not None:
            ids = {thread.id} | {case.anomaly.id for case in held if case.anomaly}
            meant = answer.message in ids
        else:
            meant = answer.printer is None or any(case.printer == answer.printer for case in held)
        if meant:
            yield thread


def _meant(memory: Memory, answer: Answer, now_ns: int) -> Iterator[Meant]:
    """The failures that are fine, says the answer: those of the threads that it means, open or over."""
    seen = set()
    for thread in _threads(memory, answer):
        for case in memory.of(thread):
            if case.anomaly is None or case.kind is None:
                continue
            if answer.printer is not None and case.printer != answer.printer:
                continue
            seen.add(case.anomaly.id)
            yield Meant(case.printer, case.job, case.kind, case.anomaly.id, case.anomaly.onset_ns)
    told = memory.rest.told.get(answer.message or "")
    for printer, job, kind, anomaly in told.about if told else ():
        if anomaly not in seen:
            yield Meant(printer, job, kind, anomaly, told.at_ns if told else now_ns)


def _forget(memory: Memory, threads: Threads, meant: list[Meant], now_ns: int) -> None:
    fine = {key: one for key, one in memory.rest.fine.items() if now_ns - one[0] < FINE_KEPT_NS}
    for one in meant:
        own = print_key(one.printer, one.job)
        _, kinds = fine.get(own, (0, []))
        fine[own] = (now_ns, sorted({*kinds, one.kind}))
    memory.note(fine=fine)
    for case in list(memory.cases.values()):
        if case.thread and memory.is_fine(case):
            threads.drop(case, now_ns)
