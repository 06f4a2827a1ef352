"""Whether sources are guessed from embeddings exactly where they can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from detector.learning.real_images import read_images, to_ship
from detector.learning.source_probe import guess_source, label_by_source, probe_sources
from ingest.errors import UsageError

SOURCES = np.repeat(["big", "small"], [90, 30])
PRINTS = np.arange(120) // 3
FAILING = np.arange(120) % 2 == 0


def embeddings(apart: float) -> npt.NDArray[np.float32]:
    """Each print has its own offset, which says nothing of a print that was not seen."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(120, 8)) + 3 * random.normal(size=(40, 8))[PRINTS]
    rows[:, 0] = random.normal(size=120) + apart * (SOURCES == "small")
    return rows.astype(np.float32)


def test_sources_that_look_different_are_guessed() -> None:
    found = guess_source(embeddings(6.0), SOURCES, PRINTS, seed=1)
    assert (found.pictures, found.sources, found.majority, found.chance) == (120, 2, 0.75, 0.5)
    assert found.accuracy > 0.9
    assert found.balanced > 0.9


def test_sources_that_look_alike_are_not_guessed_by_their_prints() -> None:
    found = guess_source(embeddings(0.0), SOURCES, PRINTS, seed=1)
    assert found.accuracy < 0.8
    assert found.balanced == pytest.approx(0.5, abs=0.2)


def test_labels_are_probed_apart_and_left_out_where_nothing_can_be_asked() -> None:
    rows = embeddings(6.0)
    found = probe_sources(rows, FAILING, SOURCES, PRINTS, seed=1)
    assert found.keys() == {"normal", "failing"}
    assert found["normal"].pictures == found["failing"].pictures == 60
    one_sided = FAILING | (SOURCES == "small")
    assert probe_sources(rows, one_sided, SOURCES, PRINTS, seed=1).keys() == {"failing"}
    one_print = np.where(SOURCES == "small", 1000, PRINTS)
    assert probe_sources(rows, FAILING, SOURCES, one_print, seed=1) == {}


def test_what_cannot_be_cross_validated_is_refused() -> None:
    with pytest.raises(UsageError, match="found pictures of 1 sources"):
        guess_source(embeddings(1.0)[:90], SOURCES[:90], PRINTS[:90], seed=1)
    with pytest.raises(UsageError, match="found 1 print of small"):
        guess_source(embeddings(1.0), SOURCES, np.where(SOURCES == "small", 1000, PRINTS), seed=1)


def test_how_much_of_the_label_the_source_explains() -> None:
    all_of_it = label_by_source(SOURCES == "small", SOURCES)
    assert (all_of_it.accuracy, all_of_it.auc) == (1, 1)
    assert all_of_it.information == pytest.approx(1)
    nothing = label_by_source(FAILING, SOURCES)
    assert (nothing.accuracy, nothing.majority, nothing.auc) == (0.5, 0.5, 0.5)
    assert nothing.information == pytest.approx(0)
    with pytest.raises(UsageError):
        label_by_source(np.ones(120, np.bool_), SOURCES)


@pytest.mark.data
def test_in_the_real_split_train_the_source_gives_the_label_away(data_dir: Path) -> None:
    images = to_ship(read_images(data_dir))
    found = label_by_source(
        np.array([image.failing for image in images]), np.array([image.source for image in images])
    )
    assert found.auc > 0.85  # a model that knew only the source would look good
    assert found.accuracy == found.majority  # and yet call every picture failing
