"""The picture of a message: the frame behind its worst anomaly, with the boxes drawn.

The frame is kept as it came when the message is made, for the frame store lets it go; boxes are drawn when a
channel sends it, once for all channels.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import redis

from detector.anomaly import Anomaly, Kind
from features.marked import marked
from features.picture import WHOLE, View
from ingest.errors import StoreUnreachable
from ingest.stream import frame_key, shard_of, store_errors
from ingest.writer import read_frames
from sinks.anomaly_text import kind_text
from sinks.message import Message

KEPT_S = 24 * 3600
MOST_BYTES = 8_000_000
"""A longer frame is not kept: cameras of printers give a hundredth of it."""
DRAWN_KEPT = 200
HANDS = max(1, min(2, (os.cpu_count() or 1) - 1))
"""Pictures drawn at a time: a core is left to the policy and to who sends, else they wait for all of it."""
AT_HAND_BYTES = 32_000_000
"""Frames that wait in memory to be drawn; what is beyond it is fetched when its turn has come."""


def picture_key(message: Message) -> str:
    """Where the frame of a message waits for the channels."""
    return f"nw:picture:{{0}}:{message.id}:{message.revision}"


def frames_of(frames: redis.Redis, messages: Sequence[Message], shards: int) -> dict[str, bytes]:
    """The frames of messages that the frame store still has, by ``picture_key``. Raises StoreUnreachable."""
    wanted = {picture_key(one): shown(one) for one in messages}
    keys = {own: _frame_key(anomaly, shards) for own, anomaly in wanted.items() if anomaly is not None}
    found = zip(keys, read_frames(frames, list(keys.values())), strict=True)
    return {own: jpeg for own, jpeg in found if jpeg is not None and len(jpeg) <= MOST_BYTES}


def shown(message: Message) -> Anomaly | None:
    """The anomaly whose picture goes with a message: the worst one that was seen."""
    pictured = (one for one in message.anomalies if one.evidence.frames)
    return next((one for one in pictured if one.kind is not Kind.TELEMETRY_FAULT), None)


class Pictures:
    """Draws boxes; one for all channels, which ask for the same picture within moments.

    Drawing goes on beside the sending, on another core where there is one. It begins as soon as the policy
    has the frames, before any channel knows of the message.
    """

    def __init__(self, views: Mapping[str, View] | None = None) -> None:
        self._views = views or {}
        self._drawn: OrderedDict[str, Future[bytes | None]] = OrderedDict()
        self._asking = threading.Lock()
        self._at_hand_bytes = 0
        self._hands = ThreadPoolExecutor(HANDS, "pictures")

    def offer(self, messages: Sequence[Message], frames: Mapping[str, bytes]) -> None:
        """Have these drawn, the first one first, from the frames that are at hand, by ``picture_key``."""
        for message in messages:
            jpeg = frames.get(picture_key(message))
            with self._asking:
                full = self._at_hand_bytes + len(jpeg or b"") > AT_HAND_BYTES
                if jpeg is None or full or picture_key(message) in self._drawn:
                    continue
                self._at_hand_bytes += len(jpeg)
                self._submit(message, self._draw_at_hand, message, jpeg)

    def begin(self, events: redis.Redis, messages: Sequence[Message]) -> None:
        """Have these drawn, the first one first: they are going to be asked for."""
        for message in messages:
            self._future(events, message)

    def of(self, events: redis.Redis, message: Message) -> bytes | None:
        """The JPEG, None where there is none. Raises StoreUnreachable."""
        try:
            return self._future(events, message).result()
        except StoreUnreachable:
            self._drawn.pop(picture_key(message), None)  # the next one who asks tries again
            raise

    def _future(self, events: redis.Redis, message: Message) -> Future[bytes | None]:
        with self._asking:
            found = self._drawn.get(picture_key(message))
            return found or self._submit(message, self._draw_kept, events, message)

    def _submit(
        self, message: Message, draw: Callable[..., bytes | None], *told: Any
    ) -> Future[bytes | None]:
        """The lock is held."""
        begun = self._drawn[picture_key(message)] = self._hands.submit(draw, *told)
        if len(self._drawn) > DRAWN_KEPT:
            self._drawn.popitem(last=False)
        return begun

    def _draw_at_hand(self, message: Message, jpeg: bytes) -> bytes | None:
        try:
            return self._draw(message, jpeg)
        finally:
            with self._asking:
                self._at_hand_bytes -= len(jpeg)

    def _draw_kept(self, events: redis.Redis, message: Message) -> bytes | None:
        with store_errors():
            jpeg = cast(bytes | None, events.get(picture_key(message)))
        return None if jpeg is None else self._draw(message, jpeg)

    def _draw(self, message: Message, jpeg: bytes) -> bytes | None:
        anomaly = shown(message)
        if anomaly is None:
            return None
        labels = [kind_text(anomaly.kind)] * len(anomaly.boxes)
        return marked(jpeg, anomaly.boxes, labels, self._views.get(anomaly.printer, WHOLE))


def _frame_key(anomaly: Anomaly, shards: int) -> str:
    frame = anomaly.evidence.frames[-1]
    return frame_key(shard_of(anomaly.printer, shards), anomaly.printer, frame.captured_ns)
