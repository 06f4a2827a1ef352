"""Channels in memory, and couriers that carry to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np

from ingest.store import EmbeddedStores, Stores
from sinks.channels import Channel
from sinks.message import Answer, Message
from sinks.outbox import Courier, Patience, outbox_key, post
from sinks.pictures import picture_key
from tests.sinks.sources import Source

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
QUICK = Patience(first_s=0.01, most_s=0.05, age_s=1e9)


class FakeChannel:
    """A channel in memory, that fails as it is told to."""

    replaces = False
    pictured = True

    def __init__(self, name: str = "fake", *, escalation: bool = False) -> None:
        self.name, self.escalation = name, escalation
        self.taken: list[Message] = []
        self.pictures: list[bytes | None] = []
        self.error: Callable[[Message], Exception | None] = lambda _: None
        self.tries = 0
        self.closed = False
        self.hangs = threading.Event()
        self.hangs.set()
        self.answer: Callable[[Answer], None] = lambda _: None

    def send(self, message: Message, picture: bytes | None) -> None:
        self.tries += 1
        self.hangs.wait(30)
        error = self.error(message)
        if error is not None:
            raise error
        self.taken.append(message)
        self.pictures.append(picture)

    def check(self) -> str:
        return "fine"

    def close(self) -> None:
        self.closed = True


class Talker(FakeChannel):
    """One over which people answer."""

    def listen(self, take: Callable[[Answer], None]) -> None:
        self.answer = take


def put(stores: Stores, channel: Channel, *messages: Message, picture: bytes | None = None) -> None:
    """As the policy's worker does."""
    with stores.events.pipeline() as pipe:
        for message in messages:
            if picture is not None:
                pipe.set(picture_key(message), picture)
            post(pipe, channel, message)
        pipe.execute()


@contextmanager
def carrying(
    embedded: EmbeddedStores, *channels: FakeChannel, patience: Patience = QUICK
) -> Iterator[list[Courier]]:
    """A courier for each channel, each in its thread."""
    stop = threading.Event()
    couriers = [Courier(Source(embedded), channel, patience=patience) for channel in channels]
    threads = [threading.Thread(target=one.run, args=(stop,)) for one in couriers]
    for thread in threads:
        thread.start()
    try:
        yield couriers
    finally:
        stop.set()
        for channel in channels:
            channel.hangs.set()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)


def drain(embedded: EmbeddedStores, channel: FakeChannel, patience: Patience = QUICK) -> Courier:
    """One turn through what waits."""
    courier = Courier(Source(embedded), channel, patience=patience)
    courier.run(threading.Event(), until=lambda: True)
    return courier


def ids(messages: Sequence[Message]) -> list[tuple[str, int]]:
    return [(one.id, one.revision) for one in messages]


def waiting(stores: Stores, channel: Channel) -> int:
    return stores.events.xlen(outbox_key(channel.name))
