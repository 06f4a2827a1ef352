"""Parts with and without holes: which samples there are, how they are read, and who is held out.

PARTS/FAMILY/x.stl.part     load(PARTS, HoleSet.TOP), made by ``nozzlewatch printability preprocess``
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.printability.defects import Defect, Hole, drill, place
from detector.printability.grids import HoleSet, as_input, hole_as_input, turned
from detector.printability.part_file import SUFFIX, Made, Making, Part, read_part
from features.silhouettes import Occupied
from ingest.errors import UsageError

Indices: TypeAlias = npt.NDArray[np.int64]
Marks: TypeAlias = npt.NDArray[np.bool_]
How = Literal["random", "honest"]

OPPOSITES = ((Defect.NONE, Defect.MIDDLE_SMALL), (Defect.MIDDLE_LARGE, Defect.BORDER_LARGE))
"""Printable ones, each with one of its kind that is not."""
RELATED = (
    frozenset({"voron0", "voron_trident"}),
    frozenset({"prusa_i3", "prusa_mini", "prusa_mendel", "mendel90"}),
    frozenset({"so_arm100", "low_cost_robot"}),
)
"""Families of which one knows the other's parts: held out together or not at all."""
VALIDATION = RELATED[0]
"""The families that choose the best epoch, where they are there: one design house, 15 % of the meshes that
are to be trained on, as they lie on the bed. (Prusa's and its ancestors would be a third of them.)"""
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
"""Of all samples; the published split is 80 to 20, and ours takes what chooses the epoch from the 80."""


@dataclass(frozen=True)
class Parts:
    """The samples of one set of holes: n of them, in order of part, variant and defect.

    ``samples`` says how each is made, ``labels`` bool [n] whether it is printable, ``groups`` int64 [n] of
    which of ``parts`` it is.
    """

    holes: HoleSet
    parts: tuple[Part, ...]
    samples: tuple[Made, ...]
    labels: Marks
    groups: Indices

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def making(self) -> Making:
        """How all of them were made."""
        return self.parts[0].facts.making

    def occupied(
        self, index: int, size: int, turn: int = 0, random: np.random.Generator | None = None
    ) -> Occupied:
        """A sample's voxels, bool [size, size, size], turned once more by ``turn`` (of TURNS).

        With ``random`` its hole is placed anew, where the part has room; what it is stays. Raises UsageError.
        """
        drilled, _ = self.drilled(index, size, random)
        return turned(turned(drilled, self.samples[index].turn), turn)

    def drilled(
        self, index: int, size: int, random: np.random.Generator | None = None
    ) -> tuple[Occupied, Hole | None]:
        """As ``occupied``, but not turned, and where its hole is then. Raises UsageError."""
        made, grid = self.samples[index], self._part(index).grid(self.holes)
        hole = made.hole
        if hole is None:
            return as_input(grid, size), None
        if random is not None:
            hole = place(grid, made.defect, self.making.rules(self.holes), random) or hole
        return as_input(drill(grid, hole), size), hole_as_input(hole, len(grid), size)

    def untouched(self, index: int, size: int) -> Occupied:
        """The same part before its hole was drilled, not turned. Raises UsageError."""
        return as_input(self._part(index).grid(self.holes), size)

    def file(self, index: int) -> str:
        """The mesh that a sample is of."""
        return self._part(index).facts.file

    def _part(self, index: int) -> Part:
        return self.parts[int(self.groups[index])]


class Split(NamedTuple):
    """Indices of samples, int64, each ascending, and what is in none of them in none."""

    train: Indices
    validation: Indices
    test: Indices


def load(folder: Path, holes: HoleSet, *, balanced: bool = True) -> Parts:
    """The samples of a folder of parts.

    ``balanced``: a sample without its opposite (OPPOSITES) for want of room in the part is left out. Small
    parts have room for no hole, so that otherwise being small would mean being printable. Raises UsageError.
    """
    parts = parts_in(folder)
    if not parts:
        raise UsageError(
            f"{folder}: found no *{SUFFIX}, expected parts: nozzlewatch printability preprocess MESHES"
        )
    if len({part.facts.making for part in parts}) > 1:
        raise UsageError(
            f"{folder}: found parts that were made in different ways, expected one way for all: "
            "preprocess the meshes again, or name another folder"
        )
    found = [(number, made) for number, part in enumerate(parts) for made in _of(part, holes, balanced)]
    if not found:
        raise UsageError(f"{folder}: found no part with room for a hole of the set {holes}, expected some")
    return Parts(
        holes=holes,
        parts=parts,
        samples=tuple(made for _, made in found),
        labels=np.array([made.defect.printable for _, made in found]),
        groups=np.array([number for number, _ in found], np.int64),
    )


def parts_in(folder: Path) -> tuple[Part, ...]:
    """The parts of a folder, in the order of their names. Raises UsageError for a file that is none."""
    return tuple(read_part(path) for path in sorted(folder.rglob(f"*{SUFFIX}")))


def split(parts: Parts, how: How, seed: int = 0) -> Split:
    """Who learns, who chooses the epoch, and who is judged.

    ``random``: as published, over samples; the variants of one part are on both sides, and what is measured
    so is how well parts are known again. ``honest``: whole designers, those of RELATED together; test is what
    the manifest calls eval, without it families drawn by ``seed``. Raises UsageError where one of the three
    would lack a label.
    """
    found = _over_samples(parts, seed) if how == "random" else _over_families(parts, seed)
    for name, indices in found._asdict().items():
        if len(set(parts.labels[indices].tolist())) < 2:  # noqa: PLR2004 - yes and no
            raise UsageError(
                f"--split {how}: found {len(indices)} samples for {name}, expected some of both labels: "
                "this takes meshes of at least three designers, each in a sub-folder of its own"
            )
    return found


def _of(part: Part, holes: HoleSet, balanced: bool) -> Iterable[Made]:
    own = [made for made in part.facts.samples if made.holes is holes]
    if not balanced:
        return own
    there = {(made.defect, made.variant) for made in own}
    return [made for made in own if (_opposite(made.defect), made.variant) in there]


def _opposite(defect: Defect) -> Defect:
    return next(pair[1 - pair.index(defect)] for pair in OPPOSITES if defect in pair)


def _over_samples(parts: Parts, seed: int) -> Split:
    drawn = np.random.default_rng(seed).permutation(len(parts))
    test, validation = (round(share * len(parts)) for share in (TEST_SHARE, VALIDATION_SHARE))
    cuts = np.split(drawn, [len(parts) - test - validation, len(parts) - test])
    return Split(*(np.sort(cut) for cut in cuts))


def _over_families(parts: Parts, seed: int) -> Split:
    facts = [parts.parts[number].facts for number in parts.groups]
    families, test = [one.family for one in facts], {one.family for one in facts if one.split == "eval"}
    test = test or _drawn([family for family in families if family not in VALIDATION], TEST_SHARE, seed)
    rest = [family for family in families if family not in test]
    validation = VALIDATION & set(rest) or _drawn(rest, VALIDATION_SHARE, seed)
    sides = [2 if family in test else 1 if family in validation else 0 for family in families]
    train, held, judged = (np.flatnonzero(np.array(sides) == side) for side in range(3))
    return Split(train, held, judged)


def _drawn(families: Sequence[str], share: float, seed: int) -> set[str]:
    """Whole groups of families by chance, until they have this share of the samples; a third at most."""
    groups = sorted({min(_related(family)) for family in families})
    drawn: set[str] = set()
    for number in np.random.default_rng(seed).permutation(len(groups))[: max(len(groups) // 3, 1)]:
        drawn |= _related(groups[number])
        if sum(family in drawn for family in families) >= share * len(families):
            break
    return drawn


def _related(family: str) -> frozenset[str]:
    return next((group for group in RELATED if family in group), frozenset({family}))
