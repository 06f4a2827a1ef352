"""The detector measured on real images: by frame, and series of frames by event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from detector.alarms import BeatSeries, alarms_of
from detector.anomaly import State
from detector.learning.frame_batches import to_grey
from detector.learning.image_figures import called_figures, image_figures
from detector.learning.image_thresholds import chosen_on_held_out
from detector.learning.methods import of_model
from detector.learning.real_images import RealImage, Split, of_split, pictures, read_images, to_ship
from detector.learning.seen import AT_ONCE, FrameJudge, SeenFrames, nothing, peaks_of
from detector.model.failure_map import logits_of
from detector.model.past import sights
from detector.model.temporal import Judged, Tokens
from detector.model.watch_model import WatchModel
from features.beats import BEAT_WINDOWS
from features.channels import SENSOR_DIM
from features.picture import Picture
from ingest.errors import UsageError
from ingest.records import NS_PER_S

SEQUENCES = ("emptydeck", "hiltes", "mysticaldawn_fixedcam")
"""Sources whose images are series of frames of one camera."""


def evaluate_images(model: WatchModel, data: Path, *, threads: int = 1) -> dict[str, Any]:
    """Measure on real images of the split ``eval``; thresholds are chosen on held-out ones of ``train``.

    As ``image_figures``, with ``threshold`` (of a picture's logit), ``careful`` (the threshold that one in a
    hundred held-out normal pictures reaches, and by source what it makes of them) and ``sequences``
    (``sequence_figures``).
    Raises UsageError where the manifest holds nothing to measure or to choose on.
    """
    images = read_images(data)
    judge = FrameJudge(model.frame, threads)
    thresholds = chosen_on_held_out(lambda some: _failing(judge, some), to_ship(images))
    shown = of_split(images, Split.EVAL)
    if not shown:
        raise UsageError(f"{data}: found no real image of the split eval, expected some to measure on")
    seen = seen_in(judge, shown)
    scores = seen.failing.astype(np.float64)
    figures = image_figures(shown, scores, thresholds.even, maps=logits_of(seen.where))
    return figures | {
        "threshold": thresholds.even,
        "careful": {"threshold": thresholds.careful} | called_figures(shown, scores, thresholds.careful),
        "sequences": sequence_figures(model, shown, seen),
    }


def sequence_figures(model: WatchModel, images: Sequence[RealImage], seen: SeenFrames) -> dict[str, Any]:
    """Series of real frames through the temporal network without telemetry, a frame a beat: which are told.

    ``series``: by source and print, its ``frames``, the ``onset`` and the first ``alarm`` (frames from 1 on,
    None for never), whether it was ``found`` at or after the onset, and the ``false_alarms`` before. The
    rest counts series that fail, those found, those that never fail, and those of all with a false alarm.
    """
    rows: dict[str, list[int]] = {}
    for at, image in enumerate(images):
        if image.print_id and image.frame is not None and image.source in SEQUENCES:
            rows.setdefault(f"{image.source}/{image.print_id}", []).append(at)
    series = {name: _one_series(model, images, seen, at) for name, at in rows.items()}
    failing = [one for one in series.values() if one["onset"] is not None]
    return {
        "series": series,
        "failing": len(failing),
        "found": sum(one["found"] for one in failing),
        "normal": len(series) - len(failing),
        "falsely_alarmed": sum(one["false_alarms"] > 0 for one in series.values()),
    }


def _one_series(
    model: WatchModel, images: Sequence[RealImage], seen: SeenFrames, rows: Sequence[int]
) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda at: images[at].frame or 0)
    every = np.ones(len(ordered), np.bool_)
    own = SeenFrames(seen.embeddings[ordered], seen.where[ordered], seen.failing[ordered])
    alarms = _alarms(model, sights(own.embeddings, every), peaks_of(own, every))
    onset = next((number for number, at in enumerate(ordered, 1) if images[at].failing), None)
    return {
        "frames": len(ordered),
        "onset": onset,
        "alarm": alarms[0] if alarms else None,
        "found": onset is not None and any(alarm >= onset for alarm in alarms),
        "false_alarms": sum(onset is None or alarm < onset for alarm in alarms),
    }


def _alarms(
    model: WatchModel, embeddings: npt.NDArray[np.float16], peaks: npt.NDArray[np.float64]
) -> list[int]:
    """At which frames an alarm opens, from 1 on."""
    calibration, limits = of_model(model)
    judged = _judged(model, embeddings)
    probabilities = calibration.probabilities(judged.logits[0].numpy())
    series = BeatSeries(np.arange(len(embeddings)), probabilities, judged.onset_s()[0].numpy(), peaks)
    beat_ns = BEAT_WINDOWS * NS_PER_S
    said = alarms_of(series, limits)
    return [one.detected_ns // beat_ns for one in said if one.state is State.OPENED]


@torch.inference_mode()
def _judged(model: WatchModel, embeddings: npt.NDArray[np.float16]) -> Judged:
    count = len(embeddings)
    every = torch.ones((1, count), dtype=torch.bool)
    judged: Judged = model.temporal(
        Tokens(
            embeddings=torch.from_numpy(embeddings.astype(np.float32))[None],
            seen=every,
            sensors=torch.zeros((1, count, SENSOR_DIM)),
            known=torch.zeros((1, count, SENSOR_DIM), dtype=torch.bool),
            heard=~every,
            there=every,
        )
    )
    return judged


def frame_scores(
    judge: FrameJudge, images: Sequence[RealImage], *, grey: bool = False
) -> npt.NDArray[np.float64]:
    """The frame network's logit of each image, [n]; ``grey``: of pictures that have lost their colours."""
    return seen_in(judge, images, grey=grey).failing.astype(np.float64)


def _failing(judge: FrameJudge, shown: Sequence[Picture]) -> npt.NDArray[np.float64]:
    return judge.judge(list(shown)).failing.astype(np.float64)


def seen_in(judge: FrameJudge, images: Sequence[RealImage], *, grey: bool = False) -> SeenFrames:
    """What is seen in the images, some of them read at a time."""
    parts = []
    for at in range(0, len(images), AT_ONCE):
        shown = list(pictures(images[at : at + AT_ONCE]))
        parts.append(judge.judge([as_grey(each) for each in shown] if grey else shown))
    return SeenFrames(*(np.concatenate(each) for each in zip(*parts or [nothing(0)], strict=True)))


def as_grey(picture: Picture) -> Picture:
    """As the frame network learns from grey pictures."""
    planes = to_grey(torch.from_numpy(picture).permute(2, 0, 1)[None].float())
    return np.ascontiguousarray(planes[0].permute(1, 2, 0).round().to(torch.uint8).numpy())
