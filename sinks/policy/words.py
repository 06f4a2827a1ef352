"""The words of messages: of one case, of a group, of an action, of a digest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from urllib.parse import quote

from detector.anomaly import BLIND
from ingest.records import Action, CommandResult, Outcome
from sinks.anomaly_text import duration_text, headline, kind_text, plain, several_lines, time_text
from sinks.message import Phase
from sinks.policy.state import Acted, Case, Happened

NAMED = 20
"""Printers that a message of a group names."""
DIGEST_LINES = 40
DONE = {Action.PAUSE: "paused", Action.CANCEL: "cancelled", Action.RESUME: "resumed"}


def title(cases: Sequence[Case], phase: Phase, *, comes_and_goes: bool = False) -> str:
    """One line: who, what, and whether it is over."""
    if len(cases) == 1:
        return _title_of_one(cases[0], phase, comes_and_goes=comes_and_goes)
    over = ": over" if phase is Phase.CLOSED else ""
    return f"{_printers_text(cases)}: {_what(cases)}{over}"


def lines(
    cases: Sequence[Case], phase: Phase, now_ns: int, *, zone: tzinfo | None, comes_and_goes: bool = False
) -> tuple[str, ...]:
    """What stands below the title, a fact a line."""
    if len(cases) > 1:
        return _lines_of_group(cases, phase, now_ns, zone)
    case = cases[0]
    if case.anomaly is None:
        since = time_text(case.opened_ns, zone)
        return (f"Part: {plain(case.part)}", f"Since: {since}", f"Why: {plain(case.text)}")
    told = (*several_lines(case.anomaly, zone).splitlines(), f"Id: {case.anomaly.id}")
    if case.kind in BLIND:
        told = ("The watch does not see this printer; the print itself may be fine.", *told)
    return (*told, "It comes and goes.") if comes_and_goes else told


def links(cases: Sequence[Case], template: str) -> dict[str, str]:
    """The user's own link, filled in; none for a part that belongs to no printer."""
    if not template or len(cases) != 1 or not cases[0].printer:
        return {}
    case = cases[0]
    filled = {"printer": case.printer, "job": case.job, "anomaly": case.anomaly.id if case.anomaly else ""}
    url = template
    for name, value in filled.items():
        url = url.replace(f"{{{name}}}", quote(value, safe=""))
    return {"Open": url}


def acted_title(acted: Acted, result: CommandResult | None) -> str:
    """What became of a command, in one line."""
    printer = plain(acted.printer)
    if result is not None and result.outcome is Outcome.DONE:
        return f"{printer}: {DONE[acted.action]}"
    return f"{printer}: NOT {DONE[acted.action]}"


def acted_lines(acted: Acted, result: CommandResult | None) -> tuple[str, ...]:
    answer = "no answer: is ingest running? Look at the printer" if result is None else (
        f"{result.outcome}{result.detail and ': ' + plain(result.detail)}"
    )  # fmt: skip
    return (f"Why: {plain(acted.reason)}", f"Job: {plain(acted.job) or 'unknown'}", f"Answer: {answer}")


def digest_title(happened: Sequence[Happened], open_cases: Sequence[Case], *, night: bool) -> str:
    span = "In the quiet hours" if night else "The last day"
    things = "1 thing" if len(happened) == 1 else f"{len(happened)} things"
    return f"{span}: {things} happened, {len(open_cases)} still open"


def digest_lines(
    happened: Sequence[Happened], open_cases: Sequence[Case], zone: tzinfo | None
) -> tuple[str, ...]:
    """Open ones first, then what happened, the newest last."""
    still = [f"Open: {_title_of_one(case, Phase.OPENED)}" for case in open_cases]
    told = [f"{time_text(one.at_ns, zone)}  {one.text}" for one in happened]
    left_out = max(0, len(told) - DIGEST_LINES)
    more = (f"… and {left_out} before these",) if left_out else ()
    return (*still, *more, *told[-DIGEST_LINES:]) or ("All prints ran as they should.",)


def _title_of_one(case: Case, phase: Phase, *, comes_and_goes: bool = False) -> str:
    if case.anomaly is not None:
        return headline(case.anomaly) + (", comes and goes" if comes_and_goes else "")
    if phase is Phase.CLOSED:
        return f"The watch: {plain(case.part)} works again"
    return f"The watch is impaired: {plain(case.part)} {plain(case.text)}"


def _lines_of_group(cases: Sequence[Case], phase: Phase, now_ns: int, zone: tzinfo | None) -> tuple[str, ...]:
    first_ns = min(case.opened_ns for case in cases)
    names = sorted({plain(case.printer) for case in cases})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    told = [
        f"Printers: {', '.join(names[:NAMED])}{more}",
        f"Since: {time_text(first_ns, zone)}, {duration_text(now_ns - first_ns)} ago",
    ]
    if phase is not Phase.CLOSED:
        told.append(f"Now: {sum(case.open for case in cases)} of {len(cases)} still so")
        told.append("Many at once: look for what they share (power, network, a batch of filament).")
    why = Counter(plain(case.anomaly.text if case.anomaly else case.text) for case in cases)
    return (*told, *(f"Why ({count} times): {text}" for text, count in why.most_common(3)))


def _printers_text(cases: Sequence[Case]) -> str:
    count = len({case.printer for case in cases})
    return f"{count} printers" if count != 1 else plain(cases[0].printer)


def _what(cases: Sequence[Case]) -> str:
    kinds = sorted({kind_text(case.kind) if case.kind else "not watched" for case in cases})
    return " and ".join(kinds)
