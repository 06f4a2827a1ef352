"""Staged prints: real pictures, in the order of their failure, beside the telemetry of a print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.anomaly import Kind
from detector.learning.real_images import RealImage, read_images
from detector.learning.seen import FrameJudge, read_seen
from detector.learning.sequences import Filed, read_sequence
from detector.learning.shards import ANY, read_shard
from detector.learning.stage_prints import stage_prints
from detector.model.kinds import FINE, KINDS
from tests.detector.learning.made_up import NORMAL, folder
from tests.detector.learning.tiny_model import tiny_model
from tests.detector.learning.tiny_prints import tiny, write_prints

COUNT = 4


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[RealImage, ...]:
    """A source with both labels, whose failures are called spaghetti."""
    rows = [*([NORMAL] * 3), *([{"boxes": ""}] * 3)]
    return read_images(folder(tmp_path_factory.mktemp("data") / "images", *rows))


@pytest.fixture(scope="module")
def prints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    shards = [tiny("fine", seed=1), tiny("silent", Kind.WARPING), tiny("loud", Kind.STALL)]
    return write_prints(tmp_path_factory.mktemp("prints"), shards)


@pytest.fixture(scope="module")
def staged(
    images: tuple[RealImage, ...], prints: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Filed]]:
    out = tmp_path_factory.mktemp("staged")
    judge = FrameJudge(tiny_model().frame, engine="torch")
    return out, stage_prints(judge, prints, images, out, count=COUNT, seed=3)


def test_half_fail_of_what_the_pictures_show_and_telemetry_is_silent_of(
    staged: tuple[Path, list[Filed]],
) -> None:
    shards = [read_shard(filed.shard) for filed in staged[1]]
    spaghetti = 1 + KINDS.index(Kind.SPAGHETTI)
    assert [set(shard.labels.tolist()) for shard in shards] == [{FINE, spaghetti}] * 2 + [{FINE}] * 2
    assert {shard.facts.name for shard in shards} == {"silent-staged", "fine-staged"}
    assert {shard.facts.simulator for shard in shards} == {"tiny+real"}


def test_every_beat_has_a_picture_and_they_change(staged: tuple[Path, list[Filed]]) -> None:
    for filed in staged[1]:
        read = read_sequence(filed)
        assert read.seen.all()
        assert len(read.embeddings) == len(read.beats) == len(read_seen(filed.seen).where)
        assert len(np.unique(read.embeddings, axis=0)) > 1


def test_what_is_there_is_not_made_again(
    staged: tuple[Path, list[Filed]], images: tuple[RealImage, ...], prints: list[Path]
) -> None:
    out, filed = staged
    before = [one.seen.stat().st_mtime_ns for one in filed]
    judge = FrameJudge(tiny_model().frame, engine="torch")
    assert stage_prints(judge, prints, images, out, count=COUNT, seed=3) == filed
    assert [one.seen.stat().st_mtime_ns for one in filed] == before


def test_of_a_kind_that_is_not_to_be_trusted_only_that_it_fails_is_known(
    images: tuple[RealImage, ...], prints: list[Path], tmp_path: Path
) -> None:

    doubted = [replace(image, source="prottos") for image in images]
    judge = FrameJudge(tiny_model().frame, engine="torch")
    filed = stage_prints(judge, prints, doubted, tmp_path, count=1, seed=0)
    assert set(read_shard(filed[0].shard).labels.tolist()) == {FINE, ANY}
