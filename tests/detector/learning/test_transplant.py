"""A failure in another scene: both twins go the same way, and what differs between them stays what it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from detector.learning.transplant import COVERS, EDGE_PX, transplanted

SIDE = 64
SCENES = (40.0, 90.0, 140.0, 190.0) * 4
THERE = slice(16, 40)


def pairs(cover: slice = THERE) -> Tensor:
    """Each scene has one level; the failure is 30 levels brighter."""
    sound = torch.tensor(SCENES).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE)
    differs = torch.zeros(len(SCENES), 1, SIDE, SIDE)
    differs[:, :, cover, cover] = 255
    return torch.cat([torch.where(differs > 0, sound + 30, sound), sound, differs], 1)


def moved(given: Tensor, *, fixed: bool = False, grounds: Tensor | None = None) -> tuple[Tensor, list[int]]:
    """The pairs after it, and the rows of those that are in another scene."""
    left = torch.full((len(given),), fixed)
    found = transplanted(given, left, grounds, np.random.default_rng(0))
    return found, [row for row in range(len(given)) if not torch.equal(found[row], given[row])]


def test_the_failure_and_its_twin_come_into_the_same_other_scene() -> None:
    given = pairs()
    found, rows = moved(given)
    assert 2 <= len(rows) < len(SCENES)
    for row in rows:
        corner = found[row, :6, 0, 0]
        assert (corner == corner[0]).all(), "both show the same scene"
        assert corner[0] in SCENES
        middle = (THERE.start + THERE.stop) // 2
        assert found[row, 0, middle, middle] == SCENES[row] + 30
        assert found[row, 3, middle, middle] == SCENES[row]


def test_they_still_differ_where_they_did_and_nowhere_else() -> None:
    given = pairs()
    found, _ = moved(given)
    apart = (found[:, :3] - found[:, 3:6]).abs().amax(1, keepdim=True)
    inside = given[:, 6:] > 0
    edge = EDGE_PX // 2
    core = torch.zeros_like(inside)
    core[:, :, THERE.start + edge : THERE.stop - edge, THERE.start + edge : THERE.stop - edge] = True
    assert (apart[core] == 30).all()
    assert (apart[~inside] == 0).all()
    assert torch.equal(found[:, 6:], given[:, 6:])


def test_real_scenes_are_taken_where_there_are_any() -> None:
    found, rows = moved(pairs(), grounds=torch.full((3, 3, SIDE, SIDE), 7.0))
    assert 7.0 in {float(found[row, 0, 0, 0]) for row in rows}


@pytest.mark.parametrize("cover", [slice(0, 2), slice(0, SIDE)])
def test_what_hardly_shows_and_what_is_everywhere_stays_where_it_is(cover: slice) -> None:
    share = (cover.stop / SIDE) ** 2
    assert not COVERS[0] <= share <= COVERS[1]
    assert moved(pairs(cover))[1] == []


def test_what_has_no_place_of_its_own_stays_where_it_is() -> None:
    assert moved(pairs(), fixed=True)[1] == []
