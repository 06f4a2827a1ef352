"""How a picture differs from what its print has looked like so far. Pure.

Most of what an embedding tells is the camera, the lamp and the part, which are the same in all pictures of a
print, and other ones in the prints that a network learns from. What changed in this print is therefore said
beside it, against a running mean of its pictures that follows the growing part over some minutes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from detector.model.frame_network import EMBEDDING_DIM

SIGHT_DIM = 2 * EMBEDDING_DIM
FOLLOWED = 120
"""Pictures over which the mean goes at most: ten minutes of beats."""

Halves = npt.NDArray[np.float16]


class Past(Struct, frozen=True, kw_only=True):
    """The mean embedding of a print's pictures, float32 bytes [EMBEDDING_DIM], and how many they are."""

    mean: bytes = b""
    pictures: int = 0


def beside_past(past: Past, embedding: Halves) -> tuple[Halves, Past]:
    """A picture's embedding [EMBEDDING_DIM] and how it differs from the past, together [SIGHT_DIM]; the past
    with it. The first picture of a print differs from nothing."""
    given = embedding.astype(np.float32)
    mean = np.frombuffer(past.mean, np.float32) if past.pictures else given
    apart = given - mean
    count = past.pictures + 1
    followed = mean + apart * np.float32(max(1 / count, 1 / FOLLOWED))
    sight = np.concatenate([embedding, apart.astype(np.float16)])
    return sight, Past(mean=followed.tobytes(), pictures=min(count, FOLLOWED))


def sights(embeddings: Halves, seen: npt.NDArray[np.bool_]) -> Halves:
    """The same of a whole print: [n, EMBEDDING_DIM] and which rows are pictures -> [n, SIGHT_DIM]; the other
    rows are zeros."""
    found = np.zeros((len(embeddings), SIGHT_DIM), np.float16)
    past = Past()
    for row in np.flatnonzero(seen):
        found[row], past = beside_past(past, embeddings[row])
    return found
