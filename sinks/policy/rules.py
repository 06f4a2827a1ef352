"""What the policy goes by: the user's wishes, and the times after which something is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

from detector.anomaly import Kind
from detector.kinds import KindRules
from ingest.records import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
DAY_NS = 24 * 60 * MINUTE_NS

URGENT = frozenset({Kind.HEATER_FAULT, Kind.SENSOR_FAULT})
"""Told in quiet hours too unless the farm file says otherwise: these can burn."""


class Quiet(Struct, frozen=True):
    """Hours of the day in which nobody is woken, in minutes since midnight; may span midnight."""

    from_min: int
    to_min: int

    def holds(self, minute: int) -> bool:
        if self.from_min <= self.to_min:
            return self.from_min <= minute < self.to_min
        return minute >= self.from_min or minute < self.to_min


class Rules(Struct, frozen=True):
    """Everything the policy is told beforehand. Times in ns."""

    kinds: KindRules = KindRules()
    printers: tuple[str, ...] = ()
    quiet: Quiet | None = None
    urgent: frozenset[Kind] = URGENT
    digest_min: int | None = None  # minute of the day of the daily digest
    escalate_after_ns: int = 0  # 0: never
    group_from: int = 5  # so many printers that fail alike …
    group_within_ns: int = MINUTE_NS  # … within this time are one message; it is told again no more often
    group_open_ns: int = 15 * MINUTE_NS  # so long after its start a group takes in who follows
    hold_ns: int = 20 * NS_PER_S  # a camera or a line may be silent for so long before it is told
    settle_ns: int = 60 * NS_PER_S  # a failure that stayed away for so long is over
    settle_blind_ns: int = 5 * MINUTE_NS  # likewise of a camera or a line
    link: str = ""  # may hold {printer}, {job}, {anomaly}
    zone: tzinfo | None = None  # of quiet hours and the digest; None: this machine's own

    def minute(self, at_ns: int) -> int:
        """The minute of the day where the farm is."""
        at = _local(at_ns, self.zone)
        return at.hour * 60 + at.minute

    def is_quiet(self, at_ns: int) -> bool:
        return self.quiet is not None and self.quiet.holds(self.minute(at_ns))

    def last_digest_ns(self, at_ns: int) -> int:
        """When the newest daily digest was due at ``at_ns``; 0 where none is wanted."""
        if self.digest_min is None:
            return 0
        at = _local(at_ns, self.zone)
        due = at.replace(hour=self.digest_min // 60, minute=self.digest_min % 60, second=0, microsecond=0)
        due = due if due <= at else due - timedelta(days=1)
        return int(due.timestamp()) * NS_PER_S


def _local(at_ns: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(zone)
