"""What a file says of the printability network in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from detector.printability.defects import HoleRules
from detector.printability.grids import HoleSet
from ingest.errors import UsageError

KEY = "nozzlewatch.printability"


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``size`` in voxels a side, and from which holes the network has learned.

    ``split``, ``seed`` and ``balanced`` say who was held out (see ``dataset.load`` and ``split``): these are
    to judge it on. ``figures`` are of its own validation samples.
    """

    network: str
    size: int
    holes: HoleSet
    rules: HoleRules
    split: Literal["random", "honest"]
    seed: int
    balanced: bool
    figures: dict[str, float] = {}

    def misfit(self, path: Path, trouble: object) -> UsageError:
        """What to raise where the weights beside it are another network's."""
        return UsageError(
            f"{path}: found weights that do not fit {self.network} for {self.size} voxels ({trouble}), "
            "expected its own: train anew with this version"
        )


def about_in(metadata: Mapping[str, str], path: Path) -> About:
    """Out of what a file says of itself. Raises UsageError where that is nothing of the kind."""
    try:
        return msgspec.json.decode(metadata.get(KEY, ""), type=About)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path}: found weights that do not say which printability network they are of ({error}), "
            "expected a file of `nozzlewatch printability train`"
        ) from error
