"""A farm of the policy's tests: printers whose failures are told to it on a clock of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from detector.anomaly import Anomaly, Kind, Label, Scores, State
from ingest.records import NS_PER_S, Command, Health, Status
from sinks.message import Answer, Message, Word
from sinks.policy import Out, Policy, Rules
from tests.sinks.conftest import NOON_NS, make_anomaly, make_scores


class Farm:
    """Drives a policy second by second; ``told`` holds what went out, loud or not."""

    def __init__(self, at_ns: int = NOON_NS, **rules: Any) -> None:
        self.now_ns, self.rules = at_ns, Rules(**rules)
        self.policy = Policy(self.rules, at_ns)
        self.told: list[Message] = []
        self.commands: list[Command] = []
        self.labels: list[Label] = []
        self._open: dict[tuple[str, Kind, str], Anomaly] = {}
        self._statuses: dict[str, Status] = {}
        self._count = 0

    @property
    def loud(self) -> list[Message]:
        return [message for message in self.told if message.loud]

    def opens(self, printer: str, kind: Kind, job: str = "a.gcode", **fields: Any) -> Anomaly:
        """An anomaly opens at this printer."""
        self._count += 1
        anomaly = make_anomaly(
            self._count, id=f"a{self._count}", printer=printer, job=job, kind=kind, onset_ns=self.now_ns,
            detected_ns=self.now_ns, at_ns=self.now_ns, **fields,
        )  # fmt: skip
        self._open[printer, kind, job] = anomaly
        self.policy.take_anomaly(anomaly, self.now_ns)
        return anomaly

    def changes(self, printer: str, kind: Kind, job: str = "a.gcode", **fields: Any) -> Anomaly:
        """It is told again, with other values."""
        told = self._open[printer, kind, job]
        anomaly = _again(told, **{"state": State.UPDATED, "at_ns": self.now_ns, **fields})
        self._open[printer, kind, job] = anomaly
        self.policy.take_anomaly(anomaly, self.now_ns)
        return anomaly

    def closes(self, printer: str, kind: Kind, job: str = "a.gcode") -> None:
        self.changes(printer, kind, job, state=State.CLOSED)
        del self._open[printer, kind, job]

    def answers(self, word: Word, **fields: Any) -> None:
        self.policy.take_answer(Answer(word=word, at_ns=self.now_ns, by="ann", **fields), self.now_ns)

    def scores(self, printer: str, kind: Kind, probability: float, job: str = "a.gcode") -> None:
        """The window of the second that ends now."""
        index = self.now_ns // NS_PER_S - 1
        told = {"index": index, "printer": printer, "job": job, "probabilities": {kind: probability}}
        self.policy.take_scores(_scores(**told), self.now_ns)

    def says(self, part: str, health: Health = Health.OK, detail: str = "", **fields: Any) -> None:
        """A part's newest status, which stays its last word."""
        status = Status(source=part, at_ns=self.now_ns, health=health, detail=detail, **fields)
        self._statuses[status.part] = status

    def due(self) -> Out:
        """What goes out now."""
        if self._statuses:
            self.policy.take_statuses(list(self._statuses.values()), self.now_ns)
        out = self.policy.due(self.now_ns)
        self.told += out.messages
        self.commands += out.commands
        self.labels += out.labels
        return out

    def passes(self, seconds: float) -> None:
        """Time passes, with a look at what is due once a second."""
        for _ in self.seconds(seconds):
            pass

    def seconds(self, seconds: float) -> Iterator[int]:
        """Each second of a time, after what was due in it."""
        for number in range(round(seconds)):
            self.due()
            self.now_ns += NS_PER_S
            yield number
        self.due()

    def restarts(self) -> None:
        """The process dies and is started anew."""
        self.policy = Policy(self.rules, self.now_ns, self.policy.saved())


def _again(anomaly: Anomaly, **fields: Any) -> Anomaly:
    told = {name: getattr(anomaly, name) for name in anomaly.__struct_fields__}
    return Anomaly(**told | {"revision": anomaly.revision + 1} | fields)


def _scores(**fields: Any) -> Scores:
    return make_scores(0, **fields)


@pytest.fixture(name="farm")
def make_farm() -> Farm:
    """With the rules that a farm file gets unasked."""
    return Farm()
