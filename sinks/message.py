"""What is told to people and programs: a message, and what they may answer.

The policy makes messages out of anomalies; a channel takes them somewhere. All revisions of a message tell of
one and the same thing (an episode of one printer, a group of printers, the watch's own blindness), so a
channel that can replaces what it had said before.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from detector.anomaly import Anomaly, Kind
from ingest.records import NS_PER_S, Record


class About(StrEnum):
    """What a message is about: these are never mixed up with each other."""

    FAILURE = "failure"  # a print fails
    BLIND = "blind"  # the watch itself does not see: a camera, a line, a stage, the log's disk
    ACTION = "action"  # a printer was told to pause or to cancel, or was not
    DIGEST = "digest"  # what happened since the last one
    TEST = "test"  # somebody tries the channel


class Phase(StrEnum):
    """Where the thing stands that a message tells of."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"  # the all-clear
    NOTE = "note"  # has no end: a digest, a test, what became of a command


class Message(Record, frozen=True, kw_only=True):
    """One message. All texts are plain: each channel escapes them as its format wants."""

    id: str  # the same over all revisions; letters, digits and "-"
    revision: int  # 1, 2, …
    about: About
    phase: Phase
    made_ns: int  # when it was made, wall clock UTC
    title: str  # what a lock screen shows, one line
    lines: tuple[str, ...]  # the rest, a fact a line
    printers: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()  # the newest revision of each that it tells of, the worst first
    loud: bool = True  # False: only for channels that replace what they said before
    escalated: bool = False  # nobody answered: for those too who are told only then
    links: dict[str, str] = msgspec.field(default_factory=dict)  # words → URL

    @property
    def body(self) -> str:
        """Everything but the title, for channels that know no links."""
        return "\n".join((*self.lines, *(f"{name}: {url}" for name, url in self.links.items())))


class Word(StrEnum):
    """What may be answered."""

    SEEN = "seen"  # somebody takes care: no escalation
    FINE = "fine"  # this print is fine: nothing more of this job, and a label for the next training
    SNOOZE = "snooze"  # nothing for a while, see ``Answer.for_ns``
    WAKE = "wake"  # the end of a snooze, and of a "fine"


class Answer(Record, frozen=True, kw_only=True):
    """What somebody answered, on ``nw:answers:{0}``. Names a message, or a printer, or (neither) the farm."""

    word: Word
    at_ns: int
    by: str = ""  # who, or the channel that brought it
    message: str | None = None  # a message's id, or an anomaly's
    printer: str | None = None
    for_ns: int = 60 * 60 * NS_PER_S  # of a snooze
    text: str = ""
