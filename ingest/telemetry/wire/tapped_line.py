"""A tapped line while its port is open: bytes go through, items come out, orders go in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

import serial

from ingest.clock import AnchoredClock
from ingest.errors import CommandFailed
from ingest.records import NS_PER_S, Action
from ingest.sources import TelemetryItem
from ingest.telemetry.wire.hearing import Hearing
from ingest.telemetry.wire.host_pty import HostPty
from ingest.telemetry.wire.job_watch import Job
from ingest.telemetry.wire.orders import order_card, order_host
from ingest.telemetry.wire.passage import Ear, Heard, Passage, What
from ingest.telemetry.wire.questions import Questions
from ingest.telemetry.wire.sampler import EVERY_NS

STREAMS_NS = 5 * NS_PER_S
"""A host whose last move was taken within this time prints, or moves the head for its user."""
CARD_NEWS = {
    Action.PAUSE: b"//action:paused\n",
    Action.RESUME: b"//action:resumed\n",
    Action.CANCEL: b"//action:cancel\n",
}
"""What a host is told of the card's print, unless the firmware has told it."""


class TappedLine:
    """One connection of a tap (a ``Wire``). Made in the running event loop; ``close`` ends it."""

    def __init__(
        self,
        printer: str,
        facts: dict[str, str],
        counts: Counter[str],
        *,
        port: serial.Serial,
        pty: HostPty,
        follows: bool,
        poll_ns: int,
    ) -> None:
        self.clock = AnchoredClock()
        self._hearing = Hearing(printer, facts, counts)
        self.dialogue = self._hearing.dialogue
        self._ear = Ear(self.clock, counts)
        self._passage = Passage(port, pty, self._ear, self._is_answered, follows=follows)
        self._questions = Questions(self.dialogue, poll_ns, positions=False)
        self._passage.open()
        self._ask(self._questions.begin(self.clock.now_ns()))

    def close(self) -> None:
        """Pass nothing on any more."""
        self._passage.close()
        self.dialogue.close()

    async def items(self, with_lines: Callable[[], bool]) -> AsyncGenerator[TelemetryItem]:
        """What goes by, as it goes by; ends when the port is gone."""
        while True:
            passed = await self._ear.next(self._limit_s())
            at_ns = self.clock.now_ns()
            for heard in passed:
                if heard.what is What.LOST:
                    return
                at_ns = heard.at_ns
                for item in self._understood(heard, with_lines):
                    yield item
            for item in self._hearing.sampled(at_ns, with_host=self._passage.has_host):
                yield item
            self._ask(self._questions.due(at_ns))
            if not self._ear.is_empty:
                await asyncio.sleep(0)  # the bytes go first

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``."""
        if not self._passage.has_host or self.dialogue.jobs.job is Job.CARD:
            words = await order_card(action, self)
            if self._passage.has_host and not words.startswith("//action:"):
                self._passage.tell_host(CARD_NEWS[action])
            return words
        self._check(action)
        words = await order_host(action, self.dialogue, self._passage.tell_host, self.clock.now_ns)
        self._hearing.carried_out(action)
        self._ear.note(What.DONE)
        return words

    def is_free(self) -> bool:
        """As ``Wire.is_free``: the host, if there is one, waits for nothing and is between two lines."""
        return self._is_answered() and self._passage.is_between_lines and not self._passage.is_swallowing

    def say(self, command: str) -> None:
        """As ``Wire.say``."""
        self._passage.say(command.encode() + b"\n")

    def _limit_s(self) -> float:
        """How long nothing is to be done unless something goes by."""
        if self._passage.is_taken:
            return EVERY_NS / NS_PER_S
        left_ns = self._questions.due_ns() - self.clock.now_ns()
        return min(max(left_ns, EVERY_NS // 10), NS_PER_S) / NS_PER_S

    def _is_answered(self) -> bool:
        return self._ear.is_empty and not self.dialogue.pairing.unanswered(self.clock.now_ns())

    def _understood(self, heard: Heard, with_lines: Callable[[], bool]) -> Iterator[TelemetryItem]:
        yield from self._hearing.happened(heard)
        if heard.what is What.LEFT:
            self._ask(self._questions.begin(heard.at_ns))
        for line in self._hearing.lines(heard):
            yield from self._hearing.items(line, heard.at_ns, with_line=with_lines())
            if line.restarts:
                self._passage.restarted()
            if not line.sent:
                self._ask(self._questions.replied(line, heard.at_ns))

    def _ask(self, questions: Iterable[str]) -> None:
        """Ask in the place of a host that is not there."""
        if not self._passage.is_taken and self._passage.is_between_lines:
            for question in questions:
                self.say(question)

    def _check(self, action: Action) -> None:
        """Raise CommandFailed where a host has nothing to pause, to resume or to cancel."""
        jobs = self.dialogue.jobs
        streams = self.clock.now_ns() - self._hearing.printing.moved_ns < STREAMS_NS
        if action is Action.RESUME and streams and not jobs.is_paused:
            raise CommandFailed("found a host that sends moves, expected a paused print: nothing to resume")
        if jobs.job is Job.NONE and not streams:
            raise CommandFailed(f"found no print of the host's, expected one that runs: nothing to {action}")
