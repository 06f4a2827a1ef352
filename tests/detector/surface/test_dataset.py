"""Datasets of surfaces: every picture once, none on two sides, and mistakes told."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.surface import textures
from detector.surface.dataset import Noise, Split, Surfaces, load, noisy, reduced, split
from features.frame import to_batch
from features.stills import write_png
from ingest.errors import SourceError, SourceNotFound, UsageError

PER_CLASS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("surfaces")
    textures.write(made, PER_CLASS, seed=1, side=48)
    return made


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Surfaces:
    return load(folder, side=64)


def numbered(counts: list[int], groups: dict[int, int] | None = None) -> Surfaces:
    """A dataset of so many blank pictures of each class; ``groups`` says which are the same as which."""
    labels = np.repeat(np.arange(len(counts)), counts)
    same = np.arange(len(labels))
    for one, other in (groups or {}).items():
        same[one] = other
    names = tuple(f"class{number}" for number in range(len(counts)))
    files = tuple(Path(f"{at}.png") for at in range(len(labels)))
    return Surfaces(names, files, np.zeros((len(labels), 2, 2, 3), np.uint8), labels, same)


def make(folder: Path, counts: dict[str, int]) -> Path:
    """Folders with so many pictures, each another one."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for at in range(count):
            write_png(folder / name / f"{at}.png", textures.texture("clean", np.random.default_rng(at), 48))
    return folder


def test_classes_are_the_folders_and_every_picture_is_read_once(dataset: Surfaces, folder: Path) -> None:
    assert dataset.classes == textures.KINDS
    assert len(dataset) == len(set(dataset.files)) == PER_CLASS * len(textures.KINDS)
    assert dataset.pictures.shape == (len(dataset), 64, 64, 3)
    assert dataset.side == 64
    assert all(
        dataset.classes[label] == file.parent.name
        for label, file in zip(dataset.labels, dataset.files, strict=True)
    )
    assert not dataset.left_out
    assert list(dataset.files) == sorted(dataset.files)


def test_a_batch_is_what_to_batch_gives_in_the_order_asked_for(dataset: Surfaces) -> None:
    chosen = np.array([40, 3, 3, 17])
    batch = dataset.batch(chosen)
    assert torch.equal(batch, to_batch([dataset.pictures[at] for at in chosen]))
    assert (batch.shape, batch.dtype) == ((4, 3, 64, 64), torch.float32)
    assert dataset.targets(chosen).tolist() == [4, 0, 0, 1]


def test_a_pictures_noise_is_the_same_whatever_it_is_asked_for_with(dataset: Surfaces) -> None:
    noise = Noise(20.0, seed=4)
    together = dataset.batch(np.arange(6), noise)
    assert torch.equal(together[5], dataset.batch(np.array([5]), noise)[0])
    assert not torch.equal(together, dataset.batch(np.arange(6), Noise(20.0, seed=5)))
    added = together - dataset.batch(np.arange(6))
    assert torch.corrcoef(added.flatten(1)).fill_diagonal_(0).abs().max() < 0.1


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 35.0])
def test_noise_has_the_ratio_asked_for_and_stays_within_a_pictures_values(snr_db: float) -> None:
    picture = np.full((128, 128, 3), 100, np.uint8)
    found = noisy(picture, snr_db, np.random.default_rng(0))
    power = np.mean(np.square(picture / 255.0)) / np.mean(np.square((found - picture) / 255.0))
    assert 10 * np.log10(power) == pytest.approx(snr_db, abs=0.1)
    bright = noisy(np.full((64, 64, 3), 250, np.uint8), 10.0, np.random.default_rng(0))
    assert (bright.min(), bright.max()) >= (0, 255)
    assert bright.max() == 255


def test_parts_are_disjoint_stratified_and_the_same_for_a_seed() -> None:
    data = numbered([300, 300, 60])
    parts = split(data, 0.6, 0.2, 0.2, seed=7)
    everything = np.concatenate(parts)
    assert len(everything) == len(set(everything.tolist())) == 660
    assert [np.bincount(data.labels[part]).tolist() for part in parts] == [
        [180, 180, 36],
        [60, 60, 12],
        [60, 60, 12],
    ]
    assert all(
        np.array_equal(one, other)
        for one, other in zip(parts, split(data, 0.6, 0.2, 0.2, seed=7), strict=True)
    )
    assert not np.array_equal(parts.train, split(data, 0.6, 0.2, 0.2, seed=8).train)
    assert all(np.array_equal(part, np.sort(part)) for part in parts)


def test_whole_numbers_count_pictures_of_each_class() -> None:
    data = numbered([300, 40])
    parts = split(data, 20, 5, 10, seed=0)
    assert [np.bincount(data.labels[part]).tolist() for part in parts] == [[20, 20], [5, 5], [10, 10]]
    published = split(numbered([300] * 6), 240, 0, 60, seed=0)
    assert [len(part) for part in published] == [1440, 0, 360]


def test_what_is_the_same_is_on_one_side_even_across_classes() -> None:
    same = {1: 0, 2: 0, 15: 14, 25: 3}  # 25 is of the second class, 3 of the first
    for seed in range(20):
        data = numbered([20, 20], same)
        parts = split(data, 0.5, 0.25, 0.25, seed)
        sides = {at: side for side, part in enumerate(parts) for at in part.tolist()}
        assert sides[0] == sides[1] == sides[2]
        assert sides[14] == sides[15]
        assert sides[3] == sides[25]
        assert [np.bincount(data.labels[part]).tolist() for part in parts] == [[10, 10], [5, 5], [5, 5]]


def test_a_group_that_fits_nowhere_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    data = numbered([16, 16], dict.fromkeys(range(1, 7), 0))
    with caplog.at_level(logging.WARNING):
        parts = split(data, 6, 5, 5, seed=0)
    assert not set(range(7)) & set(np.concatenate(parts).tolist())
    assert "the parts lack 7 pictures" in caplog.text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((0.8, 0.2, 0.2), "shares that add up to at most 1"),
        ((8, 2, 1), r"at most 10 \(pictures of class0\)"),
        ((-1, 2, 1), "found parts of -1, 2, 1"),
    ],
)
def test_parts_that_cannot_be_are_told(asked: tuple[float, float, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        split(numbered([10, 10]), *asked, seed=0)


def test_a_part_that_would_stay_empty_is_told() -> None:
    with pytest.raises(UsageError, match="stay empty in a class"):
        split(numbered([4, 4], dict.fromkeys(range(1, 4), 0)), 0.5, 0.25, 0.25, seed=0)


def test_the_smallest_classes_still_give_each_part_a_picture() -> None:
    parts = split(numbered([3, 100]), 0.8, 0.1, 0.1, seed=0)
    assert [int((numbered([3, 100]).labels[part] == 0).sum()) for part in parts] == [1, 1, 1]


def test_fewer_training_pictures_are_among_more() -> None:
    data = numbered([50, 50, 50])
    train = split(data, 0.8, 0.1, 0.1, seed=0).train
    few, more = reduced(data, train, 5, seed=3), reduced(data, train, 20, seed=3)
    assert np.bincount(data.labels[few]).tolist() == [5, 5, 5]
    assert set(few.tolist()) < set(more.tolist()) < set(train.tolist())
    assert np.array_equal(few, reduced(data, train[::-1], 5, seed=3))
    assert not np.array_equal(few, reduced(data, train, 5, seed=4))
    with pytest.raises(UsageError, match="found 40 training pictures of class0, expected 41 of each class"):
        reduced(data, train, 41, seed=0)


def test_corrupt_files_are_left_out_and_one_warning_names_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path, {"a": 4, "b": 3})
    (tmp_path / "a" / "text.jpg").write_text("no picture")
    (tmp_path / "b" / "0.png").write_bytes((tmp_path / "b" / "0.png").read_bytes()[:100])
    (tmp_path / "b" / "notes.txt").write_text("not meant as a picture")
    (tmp_path / "README.md").write_text("nor this")
    (tmp_path / "a" / "._0.png").write_text("nor this")
    with caplog.at_level(logging.WARNING):
        found = load(tmp_path, side=48)
    assert np.bincount(found.labels).tolist() == [4, 2]
    assert len(found.left_out) == 2
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "left out 2 of 8 files" in told[0]
    assert "text.jpg" in told[0]
    assert "0.png" in told[0]


def test_folders_that_are_no_dataset_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="found no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(SourceNotFound, match="found no picture in 0 folders"):
        load(tmp_path)
    make(tmp_path, {"only": 3})
    with pytest.raises(UsageError, match=r"found one class \(only\)"):
        load(tmp_path)
    make(tmp_path, {"second": 1})
    with pytest.raises(UsageError, match="second: found 1 readable pictures, expected 2 or more"):
        load(tmp_path)
    make(tmp_path / "second", {"inner": 2})
    with pytest.raises(UsageError, match=r"found folders in a class \(inner\)"):
        load(tmp_path)


def test_nothing_but_corrupt_files_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for at in range(3):
            (tmp_path / name / f"{at}.jpg").write_text("no picture")
    with pytest.raises(
        SourceError, match=r"found 6 files and none that can be read; the first: .*begins with"
    ):
        load(tmp_path)


def test_a_dataset_beyond_memory_is_told_before_it_is_read(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"which take \d+\.\d GiB at 20000 px"):
        load(folder, side=20_000)


def test_same_files_under_other_names_go_together(tmp_path: Path) -> None:
    make(tmp_path, {"a": 8, "b": 8})
    (tmp_path / "b" / "copy.png").write_bytes((tmp_path / "b" / "2.png").read_bytes())
    found = load(tmp_path, side=48)
    names = [str(file.relative_to(tmp_path)) for file in found.files]
    # make() draws the same pictures for both classes.
    group = {names[at] for at in np.flatnonzero(found.groups == found.groups[names.index("b/copy.png")])}
    assert group == {"a/2.png", "b/2.png", "b/copy.png"}


@pytest.mark.data
def test_the_two_same_pictures_of_neu_are_always_on_one_side(data_dir: Path, tmp_path: Path) -> None:
    for name in ("patches", "scratches"):
        (tmp_path / name).mkdir()
        for at in range(90, 115):
            (tmp_path / name / f"{at}.jpg").symlink_to(data_dir / "neu" / name / f"{at}.jpg")
    found = load(tmp_path)
    names = [f"{file.parent.name}/{file.stem}" for file in found.files]
    one, other = names.index("patches/101"), names.index("patches/105")
    assert len(np.unique(found.groups)) == len(found) - 1
    for seed in range(10):
        parts: Split = split(found, 0.5, 0.2, 0.3, seed)
        assert any({one, other} <= set(part.tolist()) for part in parts)
