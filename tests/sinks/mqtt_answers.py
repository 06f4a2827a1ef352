"""Who takes the answers that people give over MQTT."""

from __future__ import annotations

from collections.abc import Callable

from ingest.errors import StoreUnreachable
from sinks.channels.channel import Answering
from sinks.channels.mqtt import MqttChannel
from sinks.message import Answer, Word
from tests.waiting import wait_until


class Answers:
    """Takes answers; ``away`` is how often the store is away before."""

    def __init__(self, away: int = 0) -> None:
        self.taken: list[Answer] = []
        self.tried = 0
        self._away = away

    def __call__(self, answer: Answer) -> None:
        self.tried += 1
        if self.tried <= self._away:
            raise StoreUnreachable("redis: away")
        self.taken.append(answer)

    def until(self, count: int) -> list[tuple[Word, str | None]]:
        wait_until(lambda: len(self.taken) >= count, 15.0, f"{count} answers")
        return [(one.word, one.printer) for one in self.taken]


def listening(listener: MqttChannel, take: Callable[[Answer], None]) -> None:
    assert isinstance(listener, Answering)
    listener.listen(take)
    listener.link.wait()
