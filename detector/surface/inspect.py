"""Judges pictures of surfaces: which class, how sure, or none of these, and where.

inspector = Inspector(load_model(path))
finding, = inspector.inspect([read_still(picture)])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from detector.model.engine import EngineName, Floats, compiled
from detector.surface.model_file import SurfaceModel
from features.frame import BGR_MEAN
from features.picture import Picture
from features.stills import to_square

BATCH = 8
"""Pictures that go through the network together: more make it no faster on one core, and take memory."""
NONE_OF_THESE = "none of these"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one picture as a whole.

    ``label`` is its class, None for a picture that is unlike all that the network learned; ``nearest`` is the
    class that it would be then, too. ``probability`` is that class's. ``unlikeness`` is 1 where a picture
    begins to be none of the classes; None where the model remembers nothing to compare with. ``sound``: the
    class is no defect.
    """

    label: str | None
    nearest: str
    probability: float
    probabilities: dict[str, float]
    unlikeness: float | None
    sound: bool

    @property
    def text(self) -> str:
        """In words: "scratches 98 %", "none of these"."""
        return NONE_OF_THESE if self.label is None else f"{self.label} {self.probability * 100:.0f} %"

    def at(self, heat: Floats) -> Finding:
        """The same with where it shows: ``heat`` float32 [rows, columns]."""
        return Finding(**_fields(self), heat=heat)


class Finding(Said, frozen=True, kw_only=True):
    """What is said of one picture, and where: ``heat`` float32 [rows, columns] in 0..1 is where it shows."""

    heat: Floats

    @property
    def said(self) -> Said:
        """The same without the heat: of thousands of tiles, it would take more memory than the picture."""
        return Said(**_fields(self))


def _fields(said: Said) -> dict[str, Any]:
    return {name: getattr(said, name) for name in Said.__struct_fields__}


class Inspector:
    """A model that is ready for pictures, ``batch`` of them together. One thread at a time."""

    def __init__(
        self, model: SurfaceModel, *, engine: EngineName = "auto", threads: int = 1, batch: int = BATCH
    ) -> None:
        self.about = model.about
        self._batch = batch
        self._memory = model.memory
        outputs = ("logits", "cells", "embedding")
        self._run = compiled(model.network, outputs, model.about.side, engine=engine, threads=threads)

    def inspect(self, pictures: Sequence[Picture]) -> list[Finding]:
        """Judge pictures BGR uint8 [height, width, 3] of any size, each stretched to the network's square."""
        return [
            finding
            for begin in range(0, len(pictures), self._batch)
            for finding in self._judged(pictures[begin : begin + self._batch])
        ]

    def _judged(self, pictures: Sequence[Picture]) -> list[Finding]:
        squares = np.stack([to_square(picture, self.about.side) for picture in pictures])
        logits, cells, embeddings = self._run(as_input(squares))
        shares = softmax(logits)
        unlike = self._unlikeness(embeddings)
        return [
            self._finding(shares[at], cells[at], None if unlike is None else float(unlike[at]))
            for at in range(len(pictures))
        ]

    def _unlikeness(self, embeddings: Floats) -> Floats | None:
        return None if self._memory is None else self._memory.unlikeness(embeddings)

    def _finding(self, shares: Floats, cells: Floats, unlike: float | None) -> Finding:
        best = int(shares.argmax())
        nearest = self.about.classes[best]
        label = None if unlike is not None and unlike >= 1 else nearest
        return Finding(
            label=label,
            nearest=nearest,
            probability=float(shares[best]),
            probabilities=dict(zip(self.about.classes, shares.tolist(), strict=True)),
            unlikeness=unlike,
            sound=label in self.about.sound,
            heat=heat(cells, best),
        )


def as_input(squares: Picture) -> Floats:
    """Pictures BGR uint8 [n, side, side, 3] as a network reads them: float32 [n, 3, side, side]."""
    return np.ascontiguousarray((squares - np.array(BGR_MEAN, np.float32)).transpose(0, 3, 1, 2), np.float32)


def softmax(logits: Floats) -> Floats:
    """[n, classes] -> probabilities of the same shape."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def heat(cells: Floats, label: int) -> Floats:
    """Where a class shows: logits by cell [classes, rows, columns] -> [rows, columns] in 0..1.

    What a cell says for the class beyond what it says for all of them on average, as a share of the cell that
    says most; all 0 where none says anything for it.
    """
    beyond = np.maximum(cells[label] - cells.mean(0), 0)
    return np.asarray(beyond / max(float(beyond.max()), 1e-6), np.float32)
