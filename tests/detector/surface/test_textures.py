"""Drawn surfaces: a dataset from nothing, the same each time, whose classes can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.surface.dataset import load
from detector.surface.textures import KINDS, SIDE, texture, write
from ingest.errors import SourceError


@pytest.mark.parametrize("kind", KINDS)
def test_a_surface_is_drawn_from_its_chance_alone(kind: str) -> None:
    first, again, other = (texture(kind, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (first.shape, first.dtype) == ((SIDE, SIDE, 3), np.uint8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std() > 5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "clean"])
def test_every_flaw_is_laid_over_the_same_wall(kind: str) -> None:
    """Where lines repeat from column to column, a clean wall hardly changes along them: a flawed one does."""

    def unevenness(kind: str, seed: int) -> float:
        grey = texture(kind, np.random.default_rng(seed)).mean(2)
        along = grey.reshape(SIDE, SIDE // 10, 10).mean(2)  # the grain averages out
        straight = along - np.linspace(0, 1, along.shape[1]) * (along[:, -1:] - along[:, :1])
        return float(straight.std(1).mean())

    clean = [unevenness("clean", seed) for seed in range(10)]
    assert np.median([unevenness(kind, seed) for seed in range(10)]) > 1.5 * np.median(clean)


def test_a_written_dataset_is_read_back_and_the_same_for_a_seed(tmp_path: Path) -> None:
    write(tmp_path / "one", 3, seed=5, side=64)
    write(tmp_path / "two", 3, seed=5, side=64)
    write(tmp_path / "three", 3, seed=6, side=64)
    one, two, three = (load(tmp_path / name, side=64) for name in ("one", "two", "three"))
    assert one.classes == tuple(sorted(KINDS)) == KINDS
    assert np.bincount(one.labels).tolist() == [3] * len(KINDS)
    assert np.array_equal(one.pictures, two.pictures)
    assert not np.array_equal(one.pictures, three.pictures)
    assert len(np.unique(one.groups)) == len(one)


def test_more_pictures_begin_with_the_same_ones(tmp_path: Path) -> None:
    write(tmp_path / "few", 2, seed=5, side=48)
    write(tmp_path / "more", 3, seed=5, side=48)
    for kind in KINDS:
        name = Path(kind) / "0001.png"
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "more" / name).read_bytes()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SourceError, match="expected a place to write to"):
        write(tmp_path / "file", 2, seed=0)
