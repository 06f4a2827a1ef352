"""What comes back: answers that people press in Home Assistant, or any program publishes."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from ingest.errors import StoreUnreachable
from ingest.records import NS_PER_S
from sinks.anomaly_text import plain
from sinks.message import Answer, Word

log = logging.getLogger("nozzlewatch.sinks")

MOST_BYTES = 4096
"""Longest payload that is read."""
BY_LENGTH = 64
TEXT_LENGTH = 500
WAITING = 1000
"""Answers that may wait for the event store; what comes beyond it is lost, and told to be."""
RETRY_S = 1.0
_WEEK_MIN = 7 * 24 * 60


class _Said(msgspec.Struct):
    word: Word
    minutes: Annotated[float, Meta(gt=0, le=_WEEK_MIN)] = 60.0
    by: str = ""
    message: Annotated[str, Meta(max_length=BY_LENGTH)] | None = None
    text: str = ""


def read_answer(payload: bytes, printer: str | None, at_ns: int) -> Answer | None:
    """The answer in a payload, which is a word or a JSON object; None for anything else."""
    try:
        bare = payload.strip().lower()
        said = (
            _Said(Word(bare.decode()))
            if bare.isalpha()
            else msgspec.json.decode(payload[: MOST_BYTES + 1], type=_Said)
        )
    except (ValueError, msgspec.DecodeError):
        return None
    by = plain(said.by)[:BY_LENGTH]
    return Answer(
        word=said.word,
        at_ns=at_ns,
        by=f"mqtt: {by}" if by else "mqtt",
        message=said.message,
        printer=printer,
        for_ns=round(said.minutes * 60 * NS_PER_S),
        text=plain(said.text)[:TEXT_LENGTH],
    )


class Offering:
    """Gives answers to ``take`` from a thread of its own, again and again while the store is away."""

    def __init__(self, take: Callable[[Answer], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._take = take
        self._waiting: queue.Queue[Answer | None] = queue.Queue(WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt answers", daemon=True)
        self._thread.start()

    def offer(self, answer: Answer) -> None:
        """Never blocks and never raises."""
        try:
            self._waiting.put_nowait(answer)
        except queue.Full:
            self._lost(answer)

    def refuse(self, topic: str) -> None:
        """Count something that is no answer; the first is told."""
        self.counts["malformed"] += 1
        if self.counts["malformed"] == 1:
            log.warning(
                "mqtt: found something at %s that is no answer, expected one of %s or "
                '{"word": "snooze", "minutes": 60}; it is ignored, and so are further ones, without a word',
                plain(topic)[:200],
                ", ".join(Word),
            )

    def close(self) -> None:
        self._stop.set()
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (answer := self._waiting.get()) is not None:
            while not self._taken(answer):
                if self._stop.wait(RETRY_S):
                    self._lost(answer)
                    break

    def _taken(self, answer: Answer) -> bool:
        try:
            self._take(answer)
        except StoreUnreachable:
            return False
        self.counts["answers"] += 1
        return True

    def _lost(self, answer: Answer) -> None:
        self.counts["lost"] += 1
        log.error("mqtt: the answer %r was lost: the event store is away. Say it again", answer.word.value)
