"""What the policy remembers, over restarts too.

A *case* is one kind of failure at one printer (or trouble with one part of the watch), open or lately closed.
A *thread* is what people were told: one message in all its revisions, of one case or of a group of them.
All times are wall clock, ns UTC.
"""

from __future__ import annotations

import msgspec

from detector.anomaly import Anomaly, Kind
from ingest.records import Action, Record
from sinks.message import About


class Case(Record, frozen=True, kw_only=True):
    """One kind at one printer, or (``kind`` None) one part of the watch."""

    id: str
    printer: str  # "" for a part that belongs to no printer
    kind: Kind | None
    opened_ns: int  # when it opened last
    closed_ns: int = 0  # when it closed last, 0 while it is open
    openings: tuple[int, ...] = ()  # of late
    anomaly: Anomaly | None = None  # the newest revision
    part: str = ""  # the part of the watch
    text: str = ""  # what is wrong with it
    thread: str = ""  # where it is told, "" while it is not

    @property
    def open(self) -> bool:
        return not self.closed_ns

    @property
    def job(self) -> str:
        return self.anomaly.job if self.anomaly else ""


class Thread(Record, frozen=True, kw_only=True):
    """One message in all its revisions."""

    id: str
    about: About
    alike: str  # what joins a group: see ``cases.alike``
    cases: tuple[str, ...]
    opened_ns: int
    group: bool = False
    revision: int = 0
    said_ns: int = 0  # when its newest revision went out, aloud or quietly
    first_loud_ns: int = 0  # 0: nobody has heard of it
    last_loud_ns: int = 0
    owed: bool = True  # something is to be said aloud as soon as that may be
    answered: str = ""  # by whom
    escalated: bool = False


class Told(Record, frozen=True, kw_only=True):
    """What a thread was about, for answers that come late."""

    at_ns: int
    about: tuple[tuple[str, str, Kind, str], ...]  # printer, job, kind, anomaly id


class Acted(Record, frozen=True, kw_only=True):
    """A command that was asked for."""

    id: str
    printer: str
    job: str
    kind: Kind
    action: Action
    asked_ns: int
    reason: str
    told: bool = False  # what became of it


class Happened(Record, frozen=True, kw_only=True):
    """A line of the digest."""

    at_ns: int
    text: str
    unheard: bool = False  # it came and went in quiet hours


class Rest(Record, frozen=True, kw_only=True):
    """Everything that is small and seldom changes."""

    digested_ns: int = 0
    was_quiet: bool = False
    notes: int = 0  # digests sent so far: their ids
    fine: dict[str, tuple[int, list[Kind]]] = msgspec.field(
        default_factory=dict
    )  # printer, tab, job → when, kinds that are fine
    snoozed: dict[str, int] = msgspec.field(default_factory=dict)  # printer, "" for the farm → until
    happened: list[Happened] = msgspec.field(default_factory=list)
    acted: dict[str, Acted] = msgspec.field(default_factory=dict)  # printer, tab, job, tab, kind
    told: dict[str, Told] = msgspec.field(default_factory=dict)  # thread id


class Seen(Record, frozen=True, kw_only=True):
    """The newest revision of each anomaly of late."""

    revisions: dict[str, int] = msgspec.field(default_factory=dict)
