"""Keeps the pictures that anomalies point at, before the frame store lets them go."""

from __future__ import annotations

import redis

from detector.anomaly import Anomaly, State
from ingest.stream import frame_key, shard_of
from ingest.writer import read_frames
from sinks.sink import Batch, Entry


class ThumbnailSink:
    """A Sink that holds the JPEG of each anomaly's first evidence frame in memory, by anomaly id."""

    def __init__(self, frames: redis.Redis, shards: int, pictures: dict[str, bytes]) -> None:
        self._frames, self._shards, self._pictures = frames, shards, pictures

    def take(self, batch: Batch) -> None:
        """Fetch the frames of what opened."""
        opened = [
            one.record
            for one in batch
            if isinstance(one.record, Anomaly)
            and one.record.state is State.OPENED
            and one.record.evidence.frames
        ]
        keys = [self._key(anomaly) for anomaly in opened]
        for anomaly, jpeg in zip(opened, read_frames(self._frames, keys), strict=True):
            if jpeg is not None:
                self._pictures[anomaly.id] = jpeg

    def flush(self) -> None:
        """Memory is as durable as it gets here: the pictures are for a report that is written next."""

    def recover(self, pending: Batch) -> set[Entry]:
        """Nothing outlives its process."""
        return set()

    def close(self) -> None:
        """Nothing to let go of."""

    def _key(self, anomaly: Anomaly) -> str:
        shard = shard_of(anomaly.printer, self._shards)
        return frame_key(shard, anomaly.printer, anomaly.evidence.frames[0].captured_ns)
