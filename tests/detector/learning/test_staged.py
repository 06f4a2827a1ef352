"""Staged prints: sound before the onset, failing and growing after it, and still for some beats at a time."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from detector.anomaly import Box, Kind
from detector.learning.boxes import shared
from detector.learning.real_images import RealImage, Split, read_images, to_ship
from detector.learning.staged import HOLD_BEATS, SHAKE, Shown, Stage, holds, shaken
from ingest.errors import UsageError
from tests.detector.learning.made_up import image

BEATS, ONSET = 200, 120


def grown(size: float) -> tuple[Box, ...]:
    return (Box(0.1, 0.1, size, size),)


SERIES = [image("series", "p", boxes=grown(0.1 + 0.02 * at), frame=90 - at) for at in range(8)]
"""By their frames they shrink: the frames are what counts."""
BOXED = [image("boxed", str(at), boxes=grown(0.1 + 0.01 * (at * 7 % 20))) for at in range(20)]
WHOLE = [image("whole", failing=False) for _ in range(10)]
WHOLE += [
    image("whole", kind=kind) for kind in (Kind.BLOB, Kind.STRINGING, Kind.BLOB, Kind.STRINGING, Kind.BLOB)
]
IMAGES = SERIES + BOXED + WHOLE


def staged(source: str, seed: int = 1, onset: int | None = ONSET) -> tuple[Shown, ...]:
    return Stage(IMAGES).sequence(BEATS, onset, np.random.default_rng(seed), source)


def failing_share(shown: Shown, images: list[RealImage] | tuple[RealImage, ...] = IMAGES) -> float:
    """Of what is shown."""
    held = sum(shared(shown.area, box) for box in images[shown.image].boxes)
    return held / (shown.area.width * shown.area.height)


@pytest.mark.parametrize("source", ["series", "boxed"])
@pytest.mark.parametrize("seed", range(4))
def test_the_failure_is_in_sight_from_the_onset_on(source: str, seed: int) -> None:
    shown = staged(source, seed)
    assert len(shown) == BEATS
    assert {IMAGES[one.image].source for one in shown} == {source}
    assert max(map(failing_share, shown[:ONSET])) < 0.1
    assert min(map(failing_share, shown[ONSET:])) > 0.9 * 0.1**2 / 0.5**2
    assert np.ptp([one.area.width for one in shown]) == 0  # cut alike


@pytest.mark.parametrize("seed", range(4))
def test_whole_pictures_are_normal_before_the_onset_and_of_one_kind_after_it(seed: int) -> None:
    shown = staged("whole", seed)
    assert not any(IMAGES[one.image].failing for one in shown[:ONSET])
    assert len({IMAGES[one.image].kind for one in shown[ONSET:]}) == 1
    assert all(IMAGES[one.image].failing for one in shown[ONSET:])


def test_a_failure_grows() -> None:
    sizes = [IMAGES[one.image].boxes[0].width for one in staged("boxed")[ONSET:]]
    assert sizes == sorted(sizes)
    frames = [[IMAGES[one.image].frame or 0 for one in staged("series", seed)[ONSET:]] for seed in range(20)]
    by_frame = [one for one in frames if one == sorted(one)]
    assert len(by_frame) > 5  # the growing series
    assert any(one[0] == min(one) == 83 and max(one) == 90 for one in by_frame)


def test_stills_stay_for_some_beats_and_tremble() -> None:
    shown = staged("boxed")
    lengths = [len(list(group)) for _, group in groupby(shown, key=lambda one: one.image)]
    assert np.mean(lengths) >= HOLD_BEATS[0]
    first = [one.area for one in shown[: HOLD_BEATS[0]]]
    assert len(set(first)) == len(first)
    assert np.ptp([area.x for area in first]) <= 2 * SHAKE


def test_a_print_that_does_not_fail_shows_no_failure() -> None:
    for source in ("series", "boxed"):
        assert max(map(failing_share, staged(source, onset=None))) < 0.1
    assert not any(IMAGES[one.image].failing for one in staged("whole", onset=None))


def test_a_seed_gives_the_same_print_and_all_sources_are_drawn() -> None:
    stage = Stage(IMAGES)
    assert stage.sources == ("boxed", "series", "whole")
    assert staged("boxed", 3) == staged("boxed", 3) != staged("boxed", 4)
    random = np.random.default_rng(1)
    drawn = {IMAGES[stage.sequence(10, 5, random)[0].image].source for _ in range(40)}
    assert drawn == set(stage.sources)
    assert len(stage.sequence(1, 0, random)) == 1


def test_holds_add_up() -> None:
    for beats in (0, 1, 5, 100):
        lengths = holds(beats, np.random.default_rng(beats))
        assert sum(lengths) == beats
        assert all(HOLD_BEATS[0] <= length <= HOLD_BEATS[1] for length in lengths[:-1])


def test_what_is_shaken_stays_in_the_picture() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        area = shaken(Box(0.7, 0.0, 0.3, 0.3), random)
        assert area.x + area.width <= 1 + 1e-9
        assert area.y >= 0


def test_what_cannot_be_staged_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a staged print: found .* of the split eval"):
        Stage([*IMAGES, image(split=Split.EVAL)])
    with pytest.raises(UsageError, match="found 2 images, none with room"):
        Stage([image("whole"), image("other", failing=False)])
    with pytest.raises(UsageError, match="found the source 'web', expected one of boxed"):
        staged("web")
    with pytest.raises(ValueError, match="an onset at beat 200"):
        staged("boxed", onset=BEATS)


@pytest.mark.data
def test_the_real_split_train_can_be_staged(data_dir: Path) -> None:
    images = to_ship(read_images(data_dir))
    stage = Stage(images)
    assert stage.sources == ("mysticaldawn", "p3rc", "prottos")
    for seed in range(6):
        shown = stage.sequence(60, 30, np.random.default_rng(seed), stage.sources[seed % 3])
        if stage.sources[seed % 3] != "mysticaldawn":
            assert max(failing_share(one, images) for one in shown[:30]) < 0.1
            assert min(failing_share(one, images) for one in shown[30:]) > 0
