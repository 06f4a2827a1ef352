"""The picture of a message: the frame behind its worst anomaly, with the boxes drawn.

The frame is kept as it came when the message is made, for the frame store lets it go; boxes are drawn when a
channel sends it, once for all channels.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

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
DRAWN_KEPT, HANDS = 200, 2


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

    Drawing goes on beside the sending, on another core where there is one.
    """

    def __init__(self, views: Mapping[str, View] | None = None) -> None:
        self._views = views or {}
        self._drawn: OrderedDict[str, Future[bytes | None]] = OrderedDict()
        self._asking = threading.Lock()
        self._hands = ThreadPoolExecutor(HANDS, "pictures")

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
        own = picture_key(message)
        with self._asking:
            if own not in self._drawn:
                self._drawn[own] = self._hands.submit(self._draw, events, message)
                if len(self._drawn) > DRAWN_KEPT:
                    self._drawn.popitem(last=False)
            return self._drawn[own]

    def _draw(self, events: redis.Redis, message: Message) -> bytes | None:
        with store_errors():
            jpeg = cast(bytes | None, events.get(picture_key(message)))
        anomaly = shown(message)
        if jpeg is None or anomaly is None:
            return None
        labels = [kind_text(anomaly.kind)] * len(anomaly.boxes)
        return marked(jpeg, anomaly.boxes, labels, self._views.get(anomaly.printer, WHOLE))


def _frame_key(anomaly: Anomaly, shards: int) -> str:
    frame = anomaly.evidence.frames[-1]
    return frame_key(shard_of(anomaly.printer, shards), anomaly.printer, frame.captured_ns)
