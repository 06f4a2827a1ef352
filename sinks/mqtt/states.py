"""What stands in the retained topics: which anomalies are open, and what that makes of a printer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from detector.anomaly import BLIND, Anomaly, State
from ingest.records import NS_PER_S, Health, Status
from sinks.anomaly_text import plain

UNWATCHED_NS = 30 * NS_PER_S
"""A printer, or a stage, that nothing was said of for so long is not watched, or not at work."""
FORGOTTEN_NS = 3600 * NS_PER_S
"""A stage that said nothing for so long is no part of this farm any more."""
CLOSED_KEPT = 10_000
"""How many closed anomalies are known again when an older revision of theirs comes once more."""
_AT_WORK = (Health.OK, Health.DEGRADED)


class Condition(StrEnum):
    OK = "ok"
    FAILING = "failing"  # a print fails
    BLIND = "blind"  # nothing known to fail, but camera or telemetry is not to be relied on


class OpenAnomalies:
    """The newest revision of each anomaly that is open, however often and in whatever order they come."""

    def __init__(self) -> None:
        self._open: dict[str, Anomaly] = {}
        self._closed: dict[str, int] = {}  # id → revision, the oldest first
        self._changed_ns: dict[str, int] = {}  # printer → when its last anomaly was closed

    def take(self, anomaly: Anomaly) -> None:
        """Fold one revision in."""
        known = self._open.get(anomaly.id)
        newest = known.revision if known else self._closed.get(anomaly.id, 0)
        if anomaly.revision <= newest:
            return
        if anomaly.state is State.CLOSED:
            self._close(anomaly)
        else:
            self._open[anomaly.id] = anomaly

    def replace(self, now_open: Iterable[Anomaly]) -> None:
        """What is open by the detector's own account: what it leaves out was closed and we did not hear."""
        listed = {anomaly.id: anomaly for anomaly in now_open}
        for gone in [anomaly for name, anomaly in self._open.items() if name not in listed]:
            self._close(gone)
        for anomaly in listed.values():
            self.take(anomaly)

    def of(self, printer: str) -> list[Anomaly]:
        """Those of one printer, the worst first: failures before blindness, then by severity."""
        found = [anomaly for anomaly in self._open.values() if anomaly.printer == printer]
        return sorted(found, key=lambda one: (one.kind in BLIND, -one.severity, one.onset_ns, one.id))

    def changed_ns(self, printer: str) -> int | None:
        """When the printer's last anomaly was closed, None where none was."""
        return self._changed_ns.get(printer)

    def _close(self, anomaly: Anomaly) -> None:
        self._open.pop(anomaly.id, None)
        self._closed.pop(anomaly.id, None)
        self._closed[anomaly.id] = anomaly.revision
        before = self._changed_ns.get(anomaly.printer, 0)
        self._changed_ns[anomaly.printer] = max(before, anomaly.at_ns)
        while len(self._closed) > CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]


def state_payload(printer: str, anomalies: Sequence[Anomaly], changed_ns: int | None = None) -> bytes:
    """The state of a printer: its open anomalies, the worst first; ``changed_ns`` where there are none."""
    worst = anomalies[0] if anomalies else None
    telling = [one for one in anomalies if worst and (one.kind in BLIND) == (worst.kind in BLIND)]
    updated_ns = max((one.at_ns for one in anomalies), default=changed_ns)
    return _json(
        state=condition(anomalies).value,
        printer=printer,
        kind=worst and worst.kind.value,
        kinds=list(dict.fromkeys(one.kind.value for one in anomalies)),
        severity=round(worst.severity, 4) if worst else 0.0,
        since=_time(min((one.onset_ns for one in telling), default=None)),
        text=plain(worst.text) if worst else "",
        job=plain(worst.job) if worst else "",
        anomalies=[one.id for one in anomalies],
        updated=_time(updated_ns),
    )


def condition(anomalies: Sequence[Anomaly]) -> Condition:
    if not anomalies:
        return Condition.OK
    return Condition.BLIND if all(one.kind in BLIND for one in anomalies) else Condition.FAILING


def watched_payload(status: Status | None, now_ns: int) -> bytes:
    """Whether a printer is watched, from the last that ingest said of it."""
    if status is None:
        return _json(watched=False, health=None, detail="no ingest has said anything of it")
    if now_ns - status.at_ns > UNWATCHED_NS:
        return _json(watched=False, health=None, detail="ingest says nothing of it any more")
    watched = status.health in _AT_WORK
    return _json(watched=watched, health=status.health.value, detail=plain(status.detail))


def watch_payload(told: Iterable[Status], now_ns: int, version: str, trouble: str = "") -> bytes:
    """How the watch itself is; ``trouble`` is why nothing is known of it."""
    stages = {
        status.source: status
        for status in told
        if status.printer is None and now_ns - status.at_ns <= FORGOTTEN_NS
    }
    alive = not trouble and all(_is_alive(stages, name, now_ns) for name in ("ingest", "detector"))
    return _json(
        alive=alive,
        version=version,
        detail=trouble,
        stages={name: _stage(stages[name], now_ns) for name in sorted(stages)},
    )


def _is_alive(stages: Mapping[str, Status], name: str, now_ns: int) -> bool:
    """Whether all parts of a stage are at work, and there is one."""
    parts = [status for source, status in stages.items() if source.partition("/")[0] == name]
    return bool(parts) and all(
        status.health in _AT_WORK and now_ns - status.at_ns <= UNWATCHED_NS for status in parts
    )


def _stage(status: Status, now_ns: int) -> dict[str, str]:
    silent = now_ns - status.at_ns > UNWATCHED_NS
    return {"health": "silent" if silent else status.health.value, "detail": plain(status.detail)}


def _time(at_ns: int | None) -> str | None:
    """A time for programs of all kinds, to the millisecond: "2026-02-03T12:00:00.123Z"."""
    if at_ns is None:
        return None
    seconds, rest = divmod(at_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def _json(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)
