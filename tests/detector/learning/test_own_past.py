"""Where pictures beyond their own past are to make an alarm is chosen on sound held-out prints alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.anomaly import Kind
from detector.learning.methods import Outline, PrintSet, Sense, ours, outline
from detector.learning.own_past import (
    LEAST_BEYOND,
    LEAST_SOUND,
    MARGIN,
    choose_beyond,
    heights,
    highest_sound,
)
from detector.learning.seen import SeenFrames, nothing, peaks_of, write_seen
from detector.learning.sequences import Filed
from detector.model.failure_map import levels
from detector.model.kinds import KINDS
from tests.detector.learning.tiny_prints import tiny, write_prints
from tests.detector.small_watch import small_model

LONG, ONSET = 80, 50
QUIET = -4.0


def filed(folder: Path, kind: Kind | None, high: float, name: str = "p") -> Filed:
    """A print whose maps' peaks are low, and ``high`` in its last part."""
    shard = tiny(name, kind, beats=LONG, onset=ONSET)
    (path,) = write_prints(folder, [shard])
    embeddings, where, failing = nothing(LONG)
    where[:] = levels(np.where(np.arange(LONG) >= ONSET, high, QUIET))[:, None, None]
    write_seen(path.with_suffix(".seen"), SeenFrames(embeddings, where, failing))
    return Filed(path, path.with_suffix(".seen"))


def some(folder: Path, count: int, high: float, kind: Kind | None = None) -> list[Outline]:
    return [outline(filed(folder / str(number), kind, high)) for number in range(count)]


def test_the_limit_lies_beyond_what_any_sound_print_reaches(tmp_path: Path) -> None:
    sound = some(tmp_path, LEAST_SOUND, 2.0)
    chosen = choose_beyond(sound)
    assert chosen == pytest.approx(max(map(highest_sound, sound)) + MARGIN)
    assert chosen > 2.0
    assert choose_beyond(sound[1:]) is None, "of so few nobody knows"


def test_what_fails_counts_up_to_its_onset_alone_and_no_limit_is_too_low(tmp_path: Path) -> None:
    failing = some(tmp_path, LEAST_SOUND, 5.0, Kind.SPAGHETTI)
    assert max(map(highest_sound, failing)) < 0 < np.nanmax(heights(failing[0]))
    assert choose_beyond(failing) == LEAST_BEYOND


def test_beats_without_a_picture_have_no_peak(tmp_path: Path) -> None:
    clear = np.array([True, False, True])
    assert np.isnan(peaks_of(nothing(3), clear)).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("sense", "found"),
    [(Sense(), True), (Sense(deaf=True), True), (Sense(blind=True), False), (Sense(alone=True), False)],
)
def test_evaluation_tells_what_they_show_where_there_is_a_camera_and_a_past(
    tmp_path: Path, sense: Sense, found: bool
) -> None:
    quiet = small_model(threshold=0.999999, temperatures=(1.0,) * (1 + len(KINDS)), beyond=2.5)
    prints = PrintSet(quiet, [filed(tmp_path, Kind.SPAGHETTI, 3.0)])
    (told,) = ours(prints, sense)
    assert (told.found is not None) is found
