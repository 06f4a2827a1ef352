"""The probe from simulated to real pictures: what it learns from, is chosen on and is judged by."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.real_pictures import Box, Crops, RealPictures, boxes, with_and_without
from bench.sim_embeddings import COLUMNS, LAYERS, WEIGHTS, Embedder, Embeddings, Pictures
from bench.sim_line import Line, balanced, fit_frames, fit_pairs
from bench.sim_pairs import Pairs, changed, simulated
from bench.sim_probe import STRENGTHS, Yardstick, chosen, draws_of_auc
from bench.sim_recordings import Sampling
from detector.training.metrics import roc_auc
from ingest.errors import UsageError
from ingest.simulate.produce import Wanted, produce
from ingest.simulate.splits import Split

TOLD = 40
"""The first columns say something about the failure, the others nothing."""


def shifts(count: int, random: np.random.Generator) -> Embeddings:
    """What each print has of its own."""
    return (5 * random.normal(size=(count, COLUMNS))).astype(np.float32)


def pictures(difference: float, seed: int = 1) -> Pictures:
    """200 pictures of 20 prints, each print with its own offset that says nothing."""
    random = np.random.default_rng(seed)
    prints = np.repeat(np.arange(20), 10)
    failing = np.arange(200) % 2 == 0
    rows = random.normal(size=(200, COLUMNS)) + shifts(20, random)[prints]
    rows[failing, :TOLD] += difference
    return Pictures(rows.astype(np.float32), failing, prints.astype(np.str_), np.full(200, "simulated"))


def pairs(difference: float, seed: int = 3) -> Pairs:
    """100 pairs of windows of 20 prints."""
    random = np.random.default_rng(seed)
    prints = np.repeat(np.arange(20), 5)
    spared = shifts(20, random)[prints] + random.normal(size=(100, COLUMNS)).astype(np.float32)
    failing = spared + random.normal(size=spared.shape).astype(np.float32)
    failing[:, :TOLD] += difference
    return Pairs(failing, spared, prints.astype(np.str_))


def test_a_line_finds_what_differs_between_labels_on_prints_that_it_never_saw() -> None:
    other = pictures(1.5, seed=2)
    from_frames = roc_auc(fit_frames(pictures(1.5), "both", 1e-2).scores(other.embeddings), other.failing)
    from_pairs = roc_auc(fit_pairs(pairs(1.5), "both", 1e-2).scores(other.embeddings), other.failing)
    assert 0.6 < from_frames < from_pairs  # what differs between prints cannot mislead a pair
    assert from_pairs > 0.7


def test_a_line_looks_at_its_own_maps_only() -> None:
    line = fit_pairs(pairs(1.5), "last", 1e-2)
    seen = pictures(1.5).embeddings
    changed_mid = seen.copy()
    changed_mid[:, LAYERS["mid"]] += 7
    np.testing.assert_array_equal(line.scores(changed_mid), line.scores(seen))


def test_zero_lies_between_the_two_sides_of_the_pairs() -> None:
    seen = pairs(1.5)
    line = fit_pairs(seen, "both", 1e-2)
    assert line.scores(seen.spared).mean() < 0 < line.scores(seen.failing).mean()
    assert line.scores(seen.spared).mean() == pytest.approx(-line.scores(seen.failing).mean())


def test_labels_and_the_prints_of_a_label_weigh_the_same() -> None:
    failing = np.array([True, True, True, True, False, False])
    prints = np.array(["a", "a", "a", "b", "a", "a"])
    assert balanced(failing, prints) == pytest.approx([0.5, 0.5, 0.5, 1.5, 1.5, 1.5])


def test_the_interval_of_few_prints_is_wider_than_that_of_many_pictures() -> None:
    seen = pictures(0.0)
    scores = seen.embeddings[:, 0].astype(np.float64) + 0.3 * seen.failing
    many = seen._replace(prints=np.arange(200).astype(np.str_))
    by_print, by_picture = draws_of_auc(scores, seen), draws_of_auc(scores, many)
    assert by_picture.mean() == pytest.approx(roc_auc(scores, seen.failing), abs=0.02)
    few = seen.where(np.isin(seen.prints, ["0", "1", "2"]))
    assert draws_of_auc(scores[:30], few).std() > by_print.std()


def test_of_lines_that_are_equally_good_the_one_held_back_hardest_is_chosen() -> None:
    """Lines point into directions that say more and more; the last two say the same."""
    worth = dict(zip(STRENGTHS, (0.0, 0.0, 1.0, 3.0, 3.0), strict=True))

    def line(layers: str, strength: float) -> Line:
        slope = np.zeros(COLUMNS)
        slope[:TOLD] = worth[strength]
        slope[TOLD:] = 0.3
        return Line(layers, np.ones(COLUMNS), slope, 0.0)

    beside = pairs(1.5)
    crops = Crops(beside.failing, beside.spared, np.full(100, "boxed"))
    yardstick = Yardstick(pictures(1.5), crops)
    choice = chosen(line, "both", yardstick)
    assert choice.strength in STRENGTHS[2:4]
    assert choice.reached >= yardstick.reached(line("both", STRENGTHS[-1])) - yardstick.error(choice.line)


def test_windows_differ_where_the_pictures_do() -> None:
    """Five by five windows, each five of thirteen cells wide and high."""
    spared = np.full((240, 320, 3), 90, np.uint8)
    failing = cv2.circle(spared.copy(), (20, 20), 15, (200, 200, 200), -1)
    assert not changed(spared, spared).any()
    assert np.flatnonzero(changed(failing, spared)).tolist() == [0]
    slightly = spared + np.uint8(5)  # the error of a JPEG
    assert not changed(slightly, spared).any()


def test_a_crop_holds_the_failure_and_the_other_does_not() -> None:
    (box,) = boxes("0.1,0.1,0.2,0.3")
    failing, sound = with_and_without([box], np.random.default_rng(1)) or pytest.fail("found no room")
    assert failing.shared(box) == pytest.approx(0.2 * 0.3)
    assert sound.shared(box) <= 0.1 * sound.width * sound.height
    assert failing.width == failing.height == sound.width == sound.height == pytest.approx(0.3)
    assert with_and_without([Box(0, 0, 0.9, 0.9)], np.random.default_rng(1)) is None
    assert with_and_without(boxes(""), np.random.default_rng(1)) is None
    assert Box(0.5, 0.25, 0.5, 0.5).cut(np.zeros((40, 80, 3), np.uint8)).shape == (20, 40, 3)


def test_a_set_without_pairs_says_how_to_make_one(tmp_path: Path, data_dir: Path) -> None:
    asked = Wanted(
        prints=1, seed=5, split=Split.TRAIN, folder=tmp_path, minutes=0.1, failing=0.0, size=(64, 64)
    )
    produce(asked, 1, lambda made: None, lambda: False)
    with pytest.raises(UsageError, match="expected pairs: simulate them with --pairs"):
        simulated(tmp_path, Embedder(data_dir / WEIGHTS), Sampling())


def test_pairs_of_a_simulated_print_are_windows_of_its_failure(tmp_path: Path, data_dir: Path) -> None:
    asked = Wanted(
        prints=3,
        seed=5,
        split=Split.TRAIN,
        folder=tmp_path,
        minutes=2.0,
        fps=0.2,
        pairs=True,
        size=(160, 120),
    )
    produce(asked, 1, lambda made: None, lambda: False)
    frames, found, version = simulated(tmp_path, Embedder(data_dir / WEIGHTS), Sampling(growth_s=5.0))
    assert set(frames.prints) <= {f"train-5-0000{number}" for number in range(3)}
    assert found.failing.shape == found.spared.shape == (len(found.prints), COLUMNS)
    assert len(found.prints) > 0
    assert version


def test_embeddings_of_real_pictures_are_made_once(tmp_path: Path, data_dir: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    picture = np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)
    cv2.imwrite(str(folder / "a.jpg"), picture)
    (folder / "manifest.csv").write_text(
        'file,source,print_id,label,split,boxes\na.jpg,web,,failing,train,"0.1,0.1,0.2,0.2"\n'
    )
    (tmp_path / WEIGHTS).parent.mkdir()
    (tmp_path / WEIGHTS).symlink_to((data_dir / WEIGHTS).resolve())
    embedder, cache = Embedder(tmp_path / WEIGHTS), tmp_path / "cache"
    first = RealPictures(tmp_path, embedder, cache).of("train")
    (folder / "a.jpg").unlink()
    again = RealPictures(tmp_path, embedder, cache)
    np.testing.assert_array_equal(again.of("train").embeddings, first.embeddings)
    assert (first.failing.tolist(), first.prints.tolist(), first.sources.tolist()) == (
        [True],
        ["a.jpg"],
        ["web"],
    )
    assert again.of("eval").embeddings.shape == (0, COLUMNS)
