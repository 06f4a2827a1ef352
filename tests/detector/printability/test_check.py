"""What is said of a part as a whole: by its geometry, by a network, and where the two do not agree."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detector.printability.about import About
from detector.printability.check import Steps, Verdict, check_mesh, check_part
from detector.printability.defects import TOP, UP, Hole
from detector.printability.grids import HoleSet
from detector.printability.model_file import PrintabilityModel
from detector.printability.physical.process import Process
from detector.printability.with_torch import look_with_torch
from features.mesh import Loaded, Mesh, MeshError
from tests.nozzlewatch.checked import UPSIDE_DOWN, box, table, together, write_stl

ABOUT = About(
    network="ours", size=64, holes=HoleSet.TOP, rules=TOP, split="honest", seed=0, balanced=True
)  # fmt: skip


class Fixed(nn.Module):
    """A network that always says the same, and means the hole at one place of its grid."""

    def __init__(self, logit: float, at: tuple[float, float, float]) -> None:
        super().__init__()
        self.logit, self.at, self.asked = logit, at, torch.zeros(0)

    def judge(self, grid: Tensor) -> tuple[float, Hole | None]:
        self.asked = grid
        return self.logit, Hole(self.at, UP, 3.0)


class Plain(nn.Module):
    """A network without places."""

    def forward(self, grids: Tensor) -> Tensor:
        return torch.full((len(grids),), -2.0)


def model(
    logit: float, at: tuple[float, float, float] = (30.0, 30.0, 30.0), **about: object
) -> PrintabilityModel:
    return PrintabilityModel(Fixed(logit, at), msgspec.structs.replace(ABOUT, **about))


def checked(mesh: Mesh, network: PrintabilityModel | None = None, *, closed: bool = True) -> Verdict:
    return check_mesh(
        Loaded(mesh, (), closed), "part.stl", Process(), network and look_with_torch(network), Steps()
    )


def test_a_cube_is_printable_and_nothing_is_wrong_with_it() -> None:
    verdict = checked(box((20, 20, 20)))
    assert (verdict.printable, verdict.needs_support, verdict.headline) == (True, False, "Printable")
    assert verdict.findings == ()
    assert verdict.size_mm == (20, 20, 20)
    assert set(verdict.seconds) >= {"geometry", "orientations"}


def test_a_wall_that_is_too_thin_is_not_printable_and_is_named_with_its_place() -> None:
    verdict = checked(together(box((30, 30, 5)), box((0.2, 30, 20), (10, 0, 5))))
    assert (verdict.printable, verdict.headline) == (False, "Not printable")
    assert any(one.problem == "thin wall" and one.severity == "fails" for one in verdict.findings)
    assert verdict.reasons[0].startswith("Thin wall: 1 place fails; it is 0.2 mm thick at (10")
    assert any("0.8 mm" in line for line in verdict.advice)


def test_a_table_prints_with_support_and_is_advised_to_stand_on_its_head() -> None:
    verdict = checked(table())
    assert (verdict.printable, verdict.needs_support) == (True, True)
    assert verdict.headline == "Printable with support"
    assert verdict.orientations[0].rotation @ (0, 0, 1) == pytest.approx(UPSIDE_DOWN @ (0, 0, 1))
    assert verdict.advice[0] == verdict.orientations[0].text


def test_a_part_that_lies_best_as_it_is_gets_no_advice_to_turn_it() -> None:
    assert checked(box((30, 30, 5))).advice == ()


def test_without_a_network_the_part_is_judged_and_that_is_said() -> None:
    verdict = checked(box((20, 20, 20)))
    assert (verdict.probability, verdict.threshold, verdict.network_where_mm) == (None, None, None)
    assert any("No network" in note for note in verdict.notes)


def test_a_network_that_agrees_is_told() -> None:
    verdict = checked(box((20, 20, 20)), model(3.0))
    assert verdict.printable
    assert verdict.probability == pytest.approx(0.9526, abs=1e-4)
    assert verdict.network_where_mm is None
    assert "no hole that speaks against it (95.3 %" in verdict.reasons[-1]


def test_a_network_that_doubts_overrules_no_measure_and_says_where() -> None:
    verdict = checked(box((20, 20, 20)), model(-3.0))
    assert (verdict.printable, verdict.headline) == (True, "Printable; the network doubts it")
    assert verdict.network_where_mm is not None
    assert "What was measured prints" in verdict.reasons[-1]
    assert "look at it there" in verdict.reasons[-1]


def test_what_was_measured_counts_where_a_network_sees_nothing() -> None:
    verdict = checked(together(box((30, 30, 5)), box((0.2, 30, 20), (10, 0, 5))), model(3.0))
    assert not verdict.printable
    assert "what was measured counts" in verdict.reasons[-1]


def test_a_network_has_its_own_threshold() -> None:
    assert "doubts" in checked(box((20, 20, 20)), model(0.5, figures={"threshold": 0.7})).headline
    assert "doubts" not in checked(box((20, 20, 20)), model(0.5)).headline


def test_a_network_without_places_says_how_likely_alone() -> None:
    verdict = checked(box((20, 20, 20)), PrintabilityModel(Plain(), ABOUT))
    assert "doubts" in verdict.headline
    assert verdict.network_where_mm is None


@pytest.mark.parametrize(
    ("holes", "size", "inner"), [(HoleSet.TOP, 64, 64), (HoleSet.TOP, 128, 128), (HoleSet.ROTATED, 128, 64)]
)
def test_a_place_of_the_network_is_a_place_of_the_part(holes: HoleSet, size: int, inner: int) -> None:
    """Whether the grid is halved, as it is, or padded on its way into the network."""
    mesh = box((10, 10, 10), (100, 200, 300))
    at = (0.45 * size, 0.55 * size, 0.6 * size)
    network = model(-3.0, at, holes=holes, size=size)
    seen = look_with_torch(network).at(mesh)
    assert seen is not None
    assert seen.where_mm is not None
    assert isinstance(network.network, Fixed)
    assert network.network.asked.shape == (1, size, size, size)
    share = (np.array(at) - (size - inner) / 2) / inner  # of the cube around the part
    assert np.array(seen.where_mm) == pytest.approx(np.array((100, 200, 300)) + 10 * share, abs=0.2)


def test_a_part_too_thin_for_the_voxels_is_not_shown_to_the_network() -> None:
    network = model(3.0)
    assert look_with_torch(network).at(box((100, 0.2, 100))) is None
    assert look_with_torch(network).at(box((100, 2.0, 100))) is not None
    verdict = checked(box((100, 0.2, 100)), network)
    assert verdict.probability is None
    assert any("thinner than the voxels" in note for note in verdict.notes)


def test_an_open_surface_is_judged_and_told() -> None:
    whole = box((20, 20, 20))
    verdict = checked(Mesh(whole.vertices, whole.faces[:-1]), closed=False)
    assert not verdict.watertight
    assert any("open" in reason for reason in verdict.reasons)


def test_a_file_is_read_and_its_numbers_may_be_inches(tmp_path: Path) -> None:
    path = write_stl(tmp_path / "part.stl", box((1, 1, 1)))
    assert check_part(path, Process(), unit="inch").size_mm == pytest.approx((25.4, 25.4, 25.4))


def test_a_file_that_is_no_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part.stl").write_bytes(b"solid nothing at all")
    with pytest.raises(MeshError, match=r"part\.stl"):
        check_part(tmp_path / "part.stl", Process())
