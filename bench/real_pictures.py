"""The real pictures of the manifest, embedded: whole ones, and crops with a failure and without it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench import sim_embeddings
from bench.sim_embeddings import WEIGHTS, Embedder, Embeddings, Pictures, Texts, decoded
from features.picture import Picture

MANIFEST = Path("images/manifest.csv")
SMALLEST_CROP, LARGEST_CROP = 0.25, 0.6  # of the picture's sides
LARGEST_BOX = 0.4  # of the picture's area: beside a larger one there is no room
TOUCHED = 0.1  # of a crop's area: so much of it may be failing where it counts as sound
TRIES = 40


class Box(NamedTuple):
    """A part of a picture, in shares of its width and height."""

    left: float
    top: float
    width: float
    height: float

    def shared(self, other: Box) -> float:
        """The area of what both hold, as a share of the picture's."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        return max(across, 0.0) * max(down, 0.0)

    def cut(self, picture: Picture) -> Picture:
        """The part itself."""
        height, width = picture.shape[:2]
        left, top = round(self.left * width), round(self.top * height)
        return picture[top : top + round(self.height * height), left : left + round(self.width * width)]


class Crops(NamedTuple):
    """Two crops of each of n pictures, float32 [n, 768]: with the failure, and as large without it."""

    failing: Embeddings
    sound: Embeddings
    sources: Texts


class RealPictures:
    """What the manifest lists. Embeddings are kept in ``cache``, as the same are asked for every time."""

    def __init__(self, data: Path, embedder: Embedder, cache: Path) -> None:
        listed = (data / MANIFEST).read_bytes()
        self._folder, self._embedder, self._cache = (data / MANIFEST).parent, embedder, cache
        self._rows = list(csv.DictReader(listed.decode().splitlines()))
        codes = b"".join(Path(file).read_bytes() for file in (__file__, sim_embeddings.__file__))
        self._key = hashlib.sha256(listed + (data / WEIGHTS).read_bytes() + codes).hexdigest()[:16]

    def of(self, split: str) -> Pictures:
        """All of a split."""
        rows = [row for row in self._rows if row["split"] == split]
        return Pictures(
            self._kept(split, (self._read(row) for row in rows)),
            np.array([row["label"] == "failing" for row in rows]),
            np.array([row["print_id"] or row["file"] for row in rows]),
            np.array([row["source"] for row in rows]),
        )

    def crops(self, split: str, seed: int = 1) -> Crops:
        """Of those pictures of a split that have a box and room beside it."""
        random, placed = np.random.default_rng(seed), []
        for row in self._rows:
            if row["split"] == split and (places := with_and_without(boxes(row["boxes"]), random)):
                placed.append((row, places))
        parts = (place.cut(self._read(row)) for row, places in placed for place in places)
        embedded = self._kept(f"{split}-crops-{seed}", parts)
        return Crops(embedded[0::2], embedded[1::2], np.array([row["source"] for row, _ in placed]))

    def _kept(self, name: str, frames: Iterable[Picture]) -> Embeddings:
        file = self._cache / f"{name}-{self._key}.npy"
        if not file.exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            np.save(file, self._embedder.embed(frames))
        return np.asarray(np.load(file), np.float32)

    def _read(self, row: dict[str, str]) -> Picture:
        return decoded((self._folder / row["file"]).read_bytes())


def boxes(text: str) -> list[Box]:
    """The manifest's ``x,y,w,h;x,y,w,h``, shares of the picture's sides."""
    return [Box(*map(float, one.split(","))) for one in text.split(";") if one]


def with_and_without(failing: Sequence[Box], random: np.random.Generator) -> tuple[Box, Box] | None:
    """A square around the largest box, and one as large that (almost) misses all; None where none does."""
    largest = max(failing, key=lambda box: box.width * box.height, default=None)
    if largest is None or largest.width * largest.height > LARGEST_BOX:
        return None
    side = min(max(largest.width, largest.height, SMALLEST_CROP), LARGEST_CROP)
    middle = largest.left + largest.width / 2, largest.top + largest.height / 2
    middles = random.uniform(side / 2, 1 - side / 2, (TRIES, 2)).tolist()
    tried = (_square_at(x, y, side) for x, y in middles)
    sound = min(tried, key=lambda place: sum(place.shared(box) for box in failing))
    touched = sum(sound.shared(box) for box in failing)
    return (_square_at(*middle, side), sound) if touched <= TOUCHED * side**2 else None


def _square_at(x: float, y: float, side: float) -> Box:
    """Around a point, moved so that it lies within the picture."""
    left, top = (min(max(at - side / 2, 0.0), 1.0 - side) for at in (x, y))
    return Box(left, top, side, side)
