"""Pictures are learned as other cameras would see them; how they differ from the past is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from detector.learning.seen import nothing, write_seen
from detector.learning.sequences import Filed, read_sequence
from detector.learning.temporal_learner import OTHER_SCENE, elsewhere, standardise
from detector.model.temporal import FARTHEST, build_temporal
from tests.detector.learning.tiny_model import SHAPE
from tests.detector.learning.tiny_prints import BEATS, tiny, write_prints
from tests.detector.model.temporal_prints import sensed


def test_in_training_each_print_is_shifted_by_as_much_in_all_of_its_beats() -> None:
    network = build_temporal(SHAPE).train()
    given = sensed(6, 9, SHAPE)
    network.embed.standard.fit(given.embeddings.flatten(0, 1))
    half = SHAPE.embedding // 2
    shift = elsewhere(network, given).embeddings - given.embeddings
    torch.testing.assert_close(shift[:, :1, :half].expand(-1, 9, -1), shift[..., :half])
    assert (shift[..., half:] == 0).all()
    assert 0.8 * OTHER_SCENE < float(shift[:, 0, :half].std()) < 1.2 * OTHER_SCENE
    assert not torch.equal(shift[0], shift[1])


def test_what_is_judged_is_not_shifted() -> None:
    given = sensed(2, 4, SHAPE)
    assert elsewhere(build_temporal(SHAPE).eval(), given) is given


def made(folder: Path, *, blind: bool) -> list[Filed]:
    """Two prints with random embeddings."""
    found = []
    for number, path in enumerate(write_prints(folder, [tiny("one", blind=blind), tiny("two", blind=blind)])):
        seen, rng = nothing(BEATS), np.random.default_rng(number)
        seen.embeddings[:] = rng.normal(3, 2, seen.embeddings.shape)
        write_seen(path.with_suffix(".seen"), seen)
        found.append(Filed(path, path.with_suffix(".seen")))
    return found


def test_numbers_are_measured_by_how_they_vary_in_what_is_learned_from(tmp_path: Path) -> None:
    network = build_temporal(SHAPE)
    prints = made(tmp_path, blind=False)
    standardise(network, prints)
    shown = torch.from_numpy(np.concatenate([read_sequence(each).embeddings for each in prints]))
    scaled = network.embed.standard(shown.float())
    half = SHAPE.embedding // 2
    assert abs(float(scaled[:, :half].mean())) < 0.3
    assert 0.7 < float(scaled[:, :half].std()) < 1.6
    assert scaled.abs().max() <= FARTHEST


def test_prints_without_a_picture_leave_the_scale_as_it_was(tmp_path: Path) -> None:
    network = build_temporal(SHAPE)
    standardise(network, made(tmp_path, blind=True))
    assert (network.embed.standard.spread == 1).all()
