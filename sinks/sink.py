"""What a sink is: something that takes what the detector tells and makes it durable.

A consumer drives it, from one thread: ``recover`` once at start, with what was delivered before but never
acknowledged; then ``take`` again and again; ``flush`` when enough rows or seconds have passed, after which
everything that was taken is acknowledged; ``close`` at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from detector.anomaly import Anomaly, Inspection, Label, Scores
from ingest.records import Record, Status

R_co = TypeVar("R_co", bound=Record, covariant=True)


class Delivered(NamedTuple, Generic[R_co]):
    """A record together with where it came from."""

    stream: str  # e.g. "nw:scores:{3}"
    entry_id: str  # the Redis stream id, "<ms>-<sequence>"
    record: R_co


Told: TypeAlias = Scores | Anomaly | Inspection | Label | Status
"""What the detector tells, what users say of it, and how the parts are."""
Batch: TypeAlias = Sequence[Delivered[Told]]
Entry: TypeAlias = tuple[str, str]
"""(stream, entry_id)"""


class Sink(Protocol):
    """Takes what the detector tells; each must take effect once, however often it is delivered."""

    def take(self, batch: Batch) -> None:
        """Take a batch, which may stay in memory until ``flush``.

        Takes all of it or, when it raises SinkError for one record, nothing of it: the caller may then
        offer the records one by one.
        """

    def flush(self) -> None:
        """Make durable whatever was taken; it is when this returns.

        Raises SinkError where that cannot be; what is not durable stays taken, and the next call tries again.
        """

    def recover(self, pending: Batch) -> set[Entry]:
        """Those of ``pending`` that are durable already: they need acknowledging only. Raises SinkError."""

    def close(self) -> None:
        """Flush and let go of everything held. Raises what ``flush`` raises, and lets go all the same."""
