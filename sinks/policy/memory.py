"""All that the policy remembers, and how it is kept: a field for each case and thread, one for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from detector.anomaly import Anomaly, Kind
from ingest.errors import RecordError
from ingest.records import decode, encode
from sinks.policy.state import Case, Happened, Rest, Seen, Thread

CASE, THREAD, SEEN, REST = "case\t", "thread\t", "seen", "rest"
SEEN_KEPT = 4_000
"""Anomalies whose newest revision is remembered: what is delivered again is older by one batch."""
HAPPENED_KEPT = 1_000


class Above(NamedTuple):
    """Since when a kind has been likely enough for an action, and until when: event time, ns."""

    since_ns: int
    last_ns: int


class Memory:
    """Holds the state; changed by the policy's parts alone."""

    def __init__(self, now_ns: int, saved: Mapping[str, bytes]) -> None:
        """What cannot be read (a newer version wrote it) is left out: then an alarm is told again."""
        self.began_ns = now_ns
        self.cases: dict[str, Case] = {}
        self.threads: dict[str, Thread] = {}
        self.above: dict[str, Above] = {}  # by case; a restart begins to count anew
        self.rest = Rest()
        self._seen: dict[str, int] = {}
        for field, data in saved.items():
            try:
                self._restore(field, data)
            except RecordError:
                continue
        self.note(digested_ns=self.rest.digested_ns or now_ns)

    def is_news(self, anomaly: Anomaly) -> bool:
        """Whether this revision was never seen; from now on it is."""
        if self._seen.get(anomaly.id, 0) >= anomaly.revision:
            return False
        self._seen.pop(anomaly.id, None)
        self._seen[anomaly.id] = anomaly.revision
        if len(self._seen) > SEEN_KEPT:
            del self._seen[next(iter(self._seen))]
        return True

    def note(self, **fields: Any) -> None:
        """Change fields of the rest."""
        self.rest = replace(self.rest, **fields)

    def tell_digest(self, happened: Happened) -> None:
        """Add a line to what the next digest tells."""
        self.note(happened=[*self.rest.happened, happened][-HAPPENED_KEPT:])

    def of(self, thread: Thread) -> list[Case]:
        """The cases of a thread, the worst first."""
        held = [self.cases[one] for one in thread.cases if one in self.cases]
        return sorted(held, key=lambda case: (not case.open, -_severity(case), case.id))

    def is_fine(self, case: Case) -> bool:
        """Whether somebody said of this job that this kind is fine."""
        _, kinds = self.rest.fine.get(print_key(case.printer, case.job), (0, []))
        return case.kind in kinds

    def is_snoozed(self, printer: str, now_ns: int) -> bool:
        """Whether nothing is to be said of this printer for now."""
        return max(self.rest.snoozed.get(printer, 0), self.rest.snoozed.get("", 0)) > now_ns

    def saved(self) -> dict[str, bytes]:
        """Field → bytes; what is missing is gone."""
        cases = {CASE + case.id: encode(case) for case in self.cases.values()}
        threads = {THREAD + thread.id: encode(thread) for thread in self.threads.values()}
        return cases | threads | {SEEN: encode(Seen(revisions=self._seen)), REST: encode(self.rest)}

    def _restore(self, field: str, data: bytes) -> None:
        if field.startswith(CASE):
            case = decode(data, Case)
            self.cases[case.id] = case
        elif field.startswith(THREAD):
            thread = decode(data, Thread)
            self.threads[thread.id] = thread
        elif field == SEEN:
            self._seen = decode(data, Seen).revisions
        elif field == REST:
            self.rest = decode(data, Rest)


def print_key(printer: str, job: str, kind: Kind | None = None) -> str:
    """Names a print, or one kind of failure of it."""
    return "\t".join((printer, job, *((kind.value,) if kind else ())))


def _severity(case: Case) -> float:
    return case.anomaly.severity if case.anomaly else 0.0
