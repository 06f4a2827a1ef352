"""A serial line while its port is open, with nobody but us on this side of it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Iterator

from ingest.clock import AnchoredClock
from ingest.errors import CommandFailed
from ingest.records import NS_PER_S
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.wire.dialogue import Dialogue, Understood
from ingest.telemetry.wire.port import read_now
from ingest.telemetry.wire.questions import Questions


class OwnedLine:
    """One connection to a printer (a ``Wire``). With ``poll_ns`` None nothing is ever sent.

    ``counts``: ``garbled`` lines, ``unsent`` questions.
    """

    def __init__(
        self, descriptor: int, facts: dict[str, str], counts: Counter[str], poll_ns: int | None
    ) -> None:
        self.clock = AnchoredClock()
        self.dialogue = Dialogue(facts, counts, sees_hosts=poll_ns is not None)
        self._descriptor = descriptor
        self._counts = counts
        self._cutter = LineCutter()
        self._said: list[tuple[int, Understood]] = []  # by us, since it was told last
        self._questions = None if poll_ns is None else Questions(self.dialogue, poll_ns)
        if self._questions is not None:
            self._ask(self._questions.begin(self.clock.now_ns()))

    def close(self) -> None:
        """Nothing more comes."""
        self.dialogue.close()

    async def read(self) -> bytes | None:
        """The next bytes; asks for reports where none came in time. None when the port is gone."""
        while not await _readable(self._descriptor, self._left_s()):
            if self._questions is not None:
                self._ask(self._questions.due(self.clock.now_ns()))
        return read_now(self._descriptor)

    def understood(self, data: bytes) -> Iterator[tuple[int, Understood]]:
        """What was said on both sides, each line with its time, ns; answers what is to be answered."""
        for raw in self._cutter.feed(data):
            said, self._said = self._said, []
            yield from said
            at_ns = self.clock.now_ns()
            line = self.dialogue.replied(raw, at_ns)
            yield at_ns, line
            if self._questions is not None and not line.left_out:
                self._ask(self._questions.replied(line, at_ns))

    def is_free(self) -> bool:
        """As ``Wire.is_free``."""
        return not self.dialogue.pairing.unanswered(self.clock.now_ns())

    def say(self, command: str) -> None:
        """As ``Wire.say``."""
        try:
            os.write(self._descriptor, command.encode() + b"\n")
        except OSError as error:  # full, or gone: the next read tells
            raise CommandFailed(
                f"found {error.strerror} at {command}, expected a port that takes it: check cable and power"
            ) from error
        at_ns = self.clock.now_ns()
        self._said.append((at_ns, self.dialogue.sent(command.encode(), at_ns)))

    def _left_s(self) -> float | None:
        """How long nothing is to be asked, s; None for ever."""
        if self._questions is None:
            return None
        return max(self._questions.due_ns() - self.clock.now_ns(), 0) / NS_PER_S

    def _ask(self, questions: Iterable[str]) -> None:
        for question in questions:
            try:
                self.say(question)
            except CommandFailed:  # the next question comes soon
                self._counts["unsent"] += 1


async def _readable(descriptor: int, limit_s: float | None) -> bool:
    """Wait until there is something to read, an end included; False after the limit."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        async with asyncio.timeout(limit_s):
            await ready.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
