"""Recordings as the frame network learns from them: pictures and truth, no telemetry.

A network that looks at single frames learns more from many prints with few pictures than from few prints with
many. Without the alignment of telemetry a print is read ten times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.learning.cutting import Beat, joined, look_at
from detector.learning.shards import BEAT_NS, Shard
from features.channels import SENSOR_DIM
from features.quality import Quality, QualityState
from ingest.errors import SourceError
from ingest.recordings.format import Picture
from ingest.recordings.reader import Recording


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
            kept[picture.at_ns // BEAT_NS] = picture.data
    if not kept:
        raise SourceError(f"{recording}: found no picture that can be judged, expected some")
    sensors, known = np.zeros(SENSOR_DIM, np.float16), np.zeros(SENSOR_DIM, np.bool_)
    beats = [
        Beat(beat, (beat + 1) * BEAT_NS, sensors, known, heard=False, jpeg=kept[beat])
        for beat in sorted(kept)
    ]
    return joined(recording, beats, [], None, beats[-1].end_ns)


def _pictures(whole: Recording) -> Iterator[Picture]:
    for batch in whole.read(set(whole.cameras), ""):
        for arrival in batch:
            if isinstance(arrival.content, Picture):
                yield arrival.content
