"""``ThroughHoles`` without torch, for whoever has one part to ask about: what it says is the same.

judge = HolesJudge(arrays, HoleSet.TOP); logit, hole = judge(occupied)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.printability.defects import Hole
from detector.printability.grids import HoleSet
from detector.printability.profiles import RINGS, Profile, openings, profiles_of
from features.silhouettes import Occupied

Array: TypeAlias = npt.NDArray[np.float32]

OF = "ThroughHoles"
"""Its name in NETWORKS."""
STRIDES = ((1, 1), (2, 1), (2, 2))
"""Of its convolutions, over rings and sectors."""
NOTHING = -8.0
"""What a part without a through-hole says against printing."""
KERNEL = (5, 3)
EPSILON = 1e-5
"""Of its batch norms, as in torch."""


class _Ring(NamedTuple):
    """A convolution [width, channels, rings, sectors], and its norm as a factor and a summand [width]."""

    kernels: Array
    factor: Array
    summand: Array
    stride: tuple[int, int]

    def over(self, maps: Array) -> Array:
        """[k, channels, rings, sectors] -> [k, width, ...]: round and round, and 0 beyond the rings."""
        beside = np.concatenate([maps[..., -1:], maps, maps[..., :1]], 3)
        padded = np.pad(beside, ((0, 0), (0, 0), (2, 2), (0, 0)))
        rings, sectors = self.stride
        seen = np.lib.stride_tricks.sliding_window_view(padded, KERNEL, (2, 3))[:, :, ::rings, ::sectors]
        found = np.tensordot(seen, self.kernels, ((1, 4, 5), (1, 2, 3)))
        return np.asarray(np.maximum(np.moveaxis(found * self.factor + self.summand, 3, 1), 0))


class HolesJudge:
    """A ``Judge``, of the arrays of a ThroughHoles' ``state_dict``.

    Raises KeyError and ValueError for those of another network.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], set_of_holes: HoleSet) -> None:
        self._set_of_holes = set_of_holes
        self._rings = [_ring(arrays, f"trunk.{at}", stride) for at, stride in enumerate(STRIDES)]
        self._head = [(arrays[f"head.{at}.weight"], arrays[f"head.{at}.bias"]) for at in (0, 3)]
        self._scale, self._shift = float(arrays["scale"]), float(arrays["shift"])
        self._against(np.ones((1, RINGS, 1), np.float16))  # weights of another shape shall be told now

    def __call__(self, occupied: Occupied) -> tuple[float, Hole | None]:
        found = openings(occupied, self._set_of_holes)
        if not found:
            return self._logit(NOTHING), None
        said = self._against(profiles_of(found))
        return self._logit(float(said.max())), found[int(said.argmax())].hole

    def _against(self, seen: Profile) -> Array:
        """As ``ThroughHoles.against``: profiles [k, RINGS, SECTORS] -> logits [k]."""
        maps = seen.astype(np.float32)[:, None]
        for ring in self._rings:
            maps = ring.over(maps)
        told = np.concatenate([maps.max(3), maps.mean(3)], 1).reshape(len(maps), -1)
        (first, of_first), (last, of_last) = self._head
        hidden = np.maximum(told @ first.T + of_first, 0)
        return np.asarray((hidden @ last.T + of_last)[:, 0])

    def _logit(self, against: float) -> float:
        return -(against * self._scale + self._shift)


def _ring(arrays: Mapping[str, npt.NDArray[Any]], name: str, stride: tuple[int, int]) -> _Ring:
    norm = f"{name}.2"
    factor = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + EPSILON)
    summand = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * factor
    kernels = arrays[f"{name}.1.weight"]
    return _Ring(kernels, factor.astype(np.float32), summand.astype(np.float32), stride)
