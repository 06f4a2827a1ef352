"""Things in several pieces each, as flat arrays: whose each piece is, and which of its pieces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def repeats(counts: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Each index as often as its count says, and how often it came before; both [sum of the counts].

    For the counts 2, 0, 3 these are 0 0 2 2 2 and 0 1 0 1 2.
    """
    which = np.repeat(np.arange(len(counts)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
