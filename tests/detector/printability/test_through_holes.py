"""Our own network: what it sees of a hole, and that the hole that speaks most against a part decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from detector.printability.defects import Hole, drill
from detector.printability.grids import HoleSet
from detector.printability.networks import build, parameters
from detector.printability.openings import Opening
from detector.printability.profiles import FAR_VOXELS, RING_VOXELS, RINGS, SECTORS, profile, profiles_of
from detector.printability.through_holes import ThroughHoles, through_holes
from detector.printability.without_torch import NOTHING, HolesJudge
from features.silhouettes import UP
from ingest.errors import UsageError
from tests.detector.printability.test_openings import SLANTED, block

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network() -> ThroughHoles:
    made = build("ThroughHoles", 64, seed=3).eval()
    assert isinstance(made, ThroughHoles)
    return made


def grid(*holes: Hole) -> Tensor:
    occupied = block()
    for hole in holes:
        occupied = drill(occupied, hole)
    return torch.from_numpy(occupied[None]).float()


def ring_of(points: int, radius: float) -> Opening:
    turns = 2 * np.pi * np.arange(points) / points
    return Opening(Hole((0, 0, 0), UP, radius), radius * np.stack([np.cos(turns), np.sin(turns)], 1))


def test_a_profile_tells_how_far_material_is() -> None:
    seen = profile(ring_of(720, 5.0))
    assert seen.shape == (RINGS, SECTORS)
    rings = (np.arange(RINGS) + 0.5) * RING_VOXELS
    expected = np.minimum(np.abs(rings - 5.0), FAR_VOXELS) / FAR_VOXELS
    assert seen == pytest.approx(np.repeat(expected[:, None], SECTORS, 1), abs=0.01)


def test_nothing_around_is_far_everywhere() -> None:
    assert (profile(Opening(Hole((0, 0, 0), UP, 1.0), np.zeros((0, 2)))) == 1).all()


def test_a_hole_says_the_same_however_it_is_turned_about_its_axis(network: ThroughHoles) -> None:
    opening = ring_of(9, 5.0)
    opening = opening._replace(flat=opening.flat + np.array([1.0, 0.5]))
    quarter = opening._replace(flat=opening.flat @ np.array([[0.0, 1.0], [-1.0, 0.0]]))
    seen = [torch.from_numpy(profile(one)).float() for one in (opening, quarter)]
    assert not torch.allclose(*seen)
    with torch.inference_mode():
        said = network.against(torch.stack(seen))
    assert said[0].item() == pytest.approx(said[1].item(), abs=1e-4)


def test_the_hole_that_speaks_most_against_a_part_decides(network: ThroughHoles) -> None:
    holes = [Hole((22.5, 22.5, 0), UP, 3.0), Hole((40.5, 40.5, 0), UP, 6.0)]
    alone = [network.judge(grid(hole))[0] for hole in holes]
    logit, meant = network.judge(grid(*holes))
    assert meant is not None
    assert logit == pytest.approx(min(alone), abs=0.05)
    assert meant.point[:2] == holes[alone.index(min(alone))].point[:2]


def test_a_grid_is_judged_alike_alone_and_beside_others(network: ThroughHoles) -> None:
    grids = torch.stack([grid(Hole((30.5, 30.5, 0), UP, radius)) for radius in (3.0, 6.0)])
    with torch.inference_mode():
        together = network(grids)
        assert together.tolist() == pytest.approx([network(one[None]).item() for one in grids], abs=1e-5)
        assert together.tolist() == pytest.approx([network.judge(one)[0] for one in grids], abs=1e-5)


def test_a_part_without_a_hole_prints_and_none_is_named(network: ThroughHoles) -> None:
    logit, meant = network.judge(grid())
    assert (logit, meant) == (-NOTHING, None)
    assert network(torch.zeros(2, 1, 64, 64, 64)).tolist() == [-NOTHING] * 2


def test_it_looks_where_its_set_has_holes() -> None:
    slanted = grid(Hole((32, 32, 32), SLANTED, 4.0))
    assert through_holes(64).eval().judge(slanted)[1] is None
    everywhere = build("ThroughHoles", 64, holes=HoleSet.ROTATED).eval()
    assert isinstance(everywhere, ThroughHoles)
    meant = everywhere.judge(slanted)[1]
    assert meant is not None
    assert meant.radius == pytest.approx(4.0, abs=0.3)


def test_it_is_a_hundredth_of_the_largest_published_one(network: ThroughHoles) -> None:
    assert parameters(network) < parameters(build("InceptionNet_v3", 64)) / 100


def test_profiles_of_none_are_an_array_too() -> None:
    assert profiles_of([]).shape == (0, RINGS, SECTORS)


def test_a_grid_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="found grids of 8 voxels a side, expected 16"):
        through_holes(8)


def test_without_torch_it_says_the_same_of_the_same_hole() -> None:
    """Weights as they come and norms that have seen something: nothing is 0 or 1 by chance."""
    trained = build("ThroughHoles", 64, seed=5)
    assert isinstance(trained, ThroughHoles)
    profiles = torch.rand(40, RINGS, SECTORS, generator=torch.Generator().manual_seed(2))
    trained.against(profiles)
    with torch.no_grad():
        trained.scale.fill_(1.5)
        trained.shift.fill_(0.25)
    trained.eval()
    without = HolesJudge({name: own.numpy() for name, own in trained.state_dict().items()}, HoleSet.TOP)
    for holes in (
        grid(),
        grid(Hole((32, 32, 32), SLANTED, 5)),
        grid(Hole((20, 20, 0), UP, 3), Hole((40, 40, 0), UP, 6)),
    ):
        logit, hole = without(holes[0].numpy() > 0)
        expected, of_it = trained.judge(holes)
        assert logit == pytest.approx(expected, abs=1e-4)
        assert hole == of_it


def test_weights_of_another_network_are_refused_without_torch(network: ThroughHoles) -> None:
    arrays = {name: own.numpy() for name, own in network.state_dict().items()}
    with pytest.raises(KeyError):
        HolesJudge({name: own for name, own in arrays.items() if name != "shift"}, HoleSet.TOP)
    with pytest.raises(ValueError, match="shape"):
        HolesJudge(arrays | {"trunk.1.1.weight": np.ones((32, 16, 3, 3), np.float32)}, HoleSet.TOP)
