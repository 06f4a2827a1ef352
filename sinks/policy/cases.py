"""Cases: what opens and closes one, and when it is worth telling. Pure functions of records and a time."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from detector.anomaly import BLIND, Anomaly, Kind, State
from ingest.records import NS_PER_S, Health, Status
from sinks.message import About
from sinks.policy.rules import MINUTE_NS, Rules
from sinks.policy.state import Case

FLAPS, FLAPS_WITHIN_NS = 4, 10 * MINUTE_NS
"""What opens so often within this time is told although it never stays: it comes and goes."""
SILENT_NS = 30 * NS_PER_S
"""A part of the watch that has said nothing for so long is not at work: they speak every 5 s."""
AWAITED_NS = 60 * NS_PER_S
"""How long after our own start a part may take to speak up for the first time."""
AWAITED = ("ingest", "detector")
SPEAKING = ("detector", "sink", "relay", "channel")
"""Parts whose trouble is told from their own words; what a printer's source says becomes an anomaly."""
HOLDS_NS = {"channel": 60 * NS_PER_S, "ingest": 10 * NS_PER_S}
SETTLED_PART_NS = 10 * NS_PER_S


def case_id(printer: str, kind: Kind, job: str) -> str:
    """A failure is one of its print; a camera that sees nothing is the same one in the next print."""
    return "\t".join((printer, kind, *(() if kind in BLIND else (job,))))


def part_id(part: str) -> str:
    return f"\t{part}"


def told_of(case: Case | None, anomaly: Anomaly, now_ns: int) -> Case | None:
    """The case after this revision; None where there is nothing to follow."""
    opens = anomaly.state is not State.CLOSED
    if case is None:
        if not opens:
            return None
        own = case_id(anomaly.printer, anomaly.kind, anomaly.job)
        case = Case(id=own, printer=anomaly.printer, kind=anomaly.kind, opened_ns=now_ns, closed_ns=now_ns)
    return _moved(replace(case, anomaly=anomaly), opens, now_ns)


def part_troubled(case: Case | None, part: str, printer: str, trouble: str, now_ns: int) -> Case | None:
    """The case of a part of the watch after its newest status; ``trouble`` "" where all is well."""
    if case is None:
        if not trouble:
            return None
        own = part_id(part)
        case = Case(id=own, printer=printer, kind=None, part=part, opened_ns=now_ns, closed_ns=now_ns)
    return _moved(replace(case, text=trouble or case.text), bool(trouble), now_ns)


def troubles(
    statuses: Sequence[Status], printers: Sequence[str], began_ns: int, now_ns: int
) -> dict[str, tuple[str, str]]:
    """Each part of the watch → its printer ("" for none), and what is wrong with it ("" for nothing).

    Printers that the farm no longer has, and parts that have not spoken since ``began_ns``, are left out.
    """
    found = {}
    for status in statuses:
        if status.printer and status.printer not in printers:
            continue
        if status.at_ns >= began_ns - SILENT_NS:
            found[status.part] = (status.printer or "", _trouble(status, now_ns))
    if now_ns - began_ns > AWAITED_NS:
        for name in AWAITED:
            if not any(part == name or part.startswith(f"{name}/") for part in found):
                found[name] = ("", "has not said a word: is it running?")
    if found.get("ingest", ("", ""))[1]:  # then its printers are silent with it: one thing to tell, not all
        found = {part: one for part, one in found.items() if not part.startswith("ingest/")}
    return found


def about(case: Case) -> About:
    return About.FAILURE if case.kind is not None and case.kind not in BLIND else About.BLIND


def alike(case: Case) -> str:
    """What this case may be told together with: the same kind of failure; anything that blinds a printer."""
    if about(case) is About.FAILURE:
        return str(case.kind)
    return "blind" if case.printer else f"part {case.part}"


def ready(case: Case, rules: Rules, now_ns: int) -> bool:
    """Whether it is worth telling by now."""
    if about(case) is About.FAILURE:
        assert case.anomaly is not None and case.kind is not None  # noqa: S101 - failures have both
        return case.open and case.anomaly.severity >= rules.kinds.of(case.printer, case.kind).notify_at
    if case.kind is None:
        return case.open and now_ns - case.opened_ns >= HOLDS_NS.get(case.part.partition("/")[0], 0)
    stays = case.open and now_ns - case.opened_ns >= rules.hold_ns
    return stays or (flaps(case, now_ns) and not over(case, rules, now_ns))


def flaps(case: Case, now_ns: int) -> bool:
    """Whether it comes and goes."""
    return sum(now_ns - at_ns <= FLAPS_WITHIN_NS for at_ns in case.openings) >= FLAPS


def over(case: Case, rules: Rules, now_ns: int) -> bool:
    """Whether it has stayed away for long enough."""
    return not case.open and now_ns - case.closed_ns >= settle_ns(case, rules)


def settle_ns(case: Case, rules: Rules) -> int:
    if case.kind is None:
        return SETTLED_PART_NS
    return rules.settle_blind_ns if case.kind in BLIND else rules.settle_ns


def forgotten(case: Case, rules: Rules, now_ns: int) -> bool:
    """Whether nothing of it matters any more: it is over, and too long ago to count as coming and going."""
    since_ns = max(settle_ns(case, rules), FLAPS_WITHIN_NS if case.kind in BLIND else 0)
    return not case.thread and not case.open and now_ns - case.closed_ns >= since_ns


def urgent(cases: Sequence[Case], urgent_kinds: frozenset[Kind]) -> bool:
    return any(case.kind in urgent_kinds for case in cases)


def _moved(case: Case, opens: bool, now_ns: int) -> Case:
    if opens and not case.open:
        lately = tuple(at_ns for at_ns in case.openings if now_ns - at_ns <= FLAPS_WITHIN_NS)
        return replace(case, opened_ns=now_ns, closed_ns=0, openings=(*lately, now_ns)[-FLAPS:])
    if not opens and case.open:
        return replace(case, closed_ns=now_ns)
    return case


def _trouble(status: Status, now_ns: int) -> str:
    if status.health is Health.ENDED:
        return ""
    silent_ns = now_ns - status.at_ns
    if silent_ns > SILENT_NS:
        return f"has said nothing for {silent_ns // NS_PER_S} s: is it running?"
    if status.health is Health.DOWN:
        return status.detail or "is down"
    if status.health is Health.DEGRADED and status.source.partition("/")[0] in SPEAKING:
        return status.detail or "is degraded"
    return ""
