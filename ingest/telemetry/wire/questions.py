"""What a host that only watches asks a printer, and when. Pure: time comes in as an argument."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.records import NS_PER_S
from ingest.sources import Address, option_number
from ingest.telemetry.parsed import Line
from ingest.telemetry.wire.capabilities import POSITIONS, TEMPERATURES
from ingest.telemetry.wire.dialogue import Dialogue, Understood
from ingest.telemetry.wire.job_watch import Job

DEFAULT_POLL_S = 2.0
SHORTEST_POLL_S, LONGEST_POLL_S = 0.05, 60.0
POLL_OPTION: Mapping[str, str] = {
    "poll": f"s without a report before one is asked for, {DEFAULT_POLL_S:g} by default"
}

WHO_ARE_YOU = "M115"
TEMPERATURES_NOW, POSITION_NOW = "M105", "M114"
REPORT_YOURSELF = {TEMPERATURES: "M155 S1", POSITIONS: "M154 S1"}
"""Once a second without being asked, for firmware that can; forgotten when it restarts."""

_REPORTS = {
    Line.TEMPERATURE: (TEMPERATURES_NOW,),
    Line.HEATING: (TEMPERATURES_NOW,),
    Line.POSITION: (POSITION_NOW,),
    Line.BUSY: (TEMPERATURES_NOW, POSITION_NOW),  # it would only queue the question
}


def option_poll_ns(address: Address) -> int:
    """The option ``poll`` of an address, ns. Raises SourceError where it makes no sense."""
    poll_s = option_number(address, "poll", DEFAULT_POLL_S, low=SHORTEST_POLL_S, high=LONGEST_POLL_S)
    return int(poll_s * NS_PER_S)


class Questions:
    """Asks what the firmware is, then for reports of its own accord, and again for what has not come.

    Nothing is asked while a print from the card runs: nobody here started it, and nothing here may disturb
    it. What was asked before goes on. ``positions``: also ask where the head is.
    """

    def __init__(self, dialogue: Dialogue, poll_ns: int, *, positions: bool = True) -> None:
        self._capabilities, self._jobs = dialogue.capabilities, dialogue.jobs
        self._poll_ns = poll_ns
        self._answered_ns = dict.fromkeys([TEMPERATURES_NOW, *[POSITION_NOW] * positions], 0)
        self._reports_itself = False  # it was asked to since it started

    def begin(self, at_ns: int) -> list[str]:
        """The first question, when the port is open or the printer is ours again."""
        self._answered_ns = dict.fromkeys(self._answered_ns, at_ns)
        self._reports_itself = False
        return self._introduction()

    def replied(self, line: Understood, at_ns: int) -> list[str]:
        """What is to be asked after a line of the printer's."""
        for question in _REPORTS.get(line.parsed.line, ()):
            if question in self._answered_ns:
                self._answered_ns[question] = at_ns
        if line.restarts:
            self._reports_itself = False
            return self._introduction()
        return self._ask_for_reports() if line.parsed.acknowledges else []

    def due_ns(self) -> int:
        """When ``due`` is to be asked next."""
        return min(self._answered_ns.values()) + self._poll_ns

    def due(self, at_ns: int) -> list[str]:
        """What has not come for too long and is asked for."""
        late = [
            question
            for question, answered_ns in self._answered_ns.items()
            if at_ns - answered_ns >= self._poll_ns
        ]
        self._answered_ns.update(dict.fromkeys(late, at_ns))
        return late if self._jobs.job is not Job.CARD else []

    def _introduction(self) -> list[str]:
        return self._ask_for_reports() if self._capabilities.known else [WHO_ARE_YOU]

    def _ask_for_reports(self) -> list[str]:
        """Once the answer to M115 is complete."""
        if self._reports_itself or not self._capabilities.known or self._jobs.job is Job.CARD:
            return []
        self._reports_itself = True
        wanted = {TEMPERATURES: TEMPERATURES_NOW, POSITIONS: POSITION_NOW}
        return [
            REPORT_YOURSELF[name]
            for name, question in wanted.items()
            if question in self._answered_ns and self._capabilities.has(name)
        ]
