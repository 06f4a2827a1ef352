"""Recordings as the frame network learns from them: pictures and truth, no telemetry.

A network that looks at single frames learns more from many prints with few pictures than from few prints with
many. Without the alignment of telemetry a print is read ten times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.learning.preprocess import facts_of_recording, label_at, look_at
from detector.learning.shards import BEAT_S, Shard
from features.channels import SENSOR_DIM
from features.quality import Quality, QualityState
from ingest.errors import SourceError
from ingest.recordings.format import Picture
from ingest.recordings.reader import Recording
from ingest.records import NS_PER_S


def pictures_of(recording: Path) -> Shard:
    """A print with a beat for each picture that can be judged, and nothing of its telemetry.

    Raises SourceError for what is no recording, or one without pictures.
    """
    whole = Recording(recording)
    camera: QualityState | None = None
    kept: dict[int, bytes] = {}
    for picture in _pictures(whole):
        camera, marks = look_at(camera, picture.data, picture.at_ns, idle=False)
        if marks == Quality.NONE:
            kept[int(picture.at_ns // (BEAT_S * NS_PER_S))] = picture.data
    if not kept:
        raise SourceError(f"{recording}: found no picture that can be judged, expected some")
    beats = np.array(sorted(kept), np.int64)
    ends_ns = [(int(beat) + 1) * round(BEAT_S * NS_PER_S) for beat in beats]
    truths = whole.labels()
    begin_ns = ends_ns[0] - round(BEAT_S * NS_PER_S)
    jpegs = [kept[int(beat)] for beat in beats]
    return Shard(
        facts=facts_of_recording(recording.stem, whole, truths, begin_ns, None, ends_ns[-1]),
        beats=beats,
        labels=np.array([label_at(truths, end_ns, None) for end_ns in ends_ns], np.int16),
        sensors=np.zeros((len(beats), SENSOR_DIM), np.float16),
        known=np.zeros((len(beats), SENSOR_DIM), np.bool_),
        heard=np.zeros(len(beats), np.bool_),
        clear=np.ones(len(beats), np.bool_),
        ends=np.cumsum([len(jpeg) for jpeg in jpegs], dtype=np.int64),
        jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
        told=[],
    )


def _pictures(whole: Recording) -> Iterator[Picture]:
    for batch in whole.read(set(whole.cameras), ""):
        for arrival in batch:
            if isinstance(arrival.content, Picture):
                yield arrival.content
