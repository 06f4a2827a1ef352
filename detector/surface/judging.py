"""Judges the pictures of a dataset in memory, for figures and for a model's memory."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from detector.model.engine import EngineName, Floats, compiled
from detector.surface.dataset import Indices, Noise, Surfaces, normalised
from detector.surface.inspect import BATCH, softmax
from detector.surface.model_file import SurfaceModel

MS_PER_S = 1e3


class Judged(NamedTuple):
    """Of n pictures the probability of each class [n, classes], and their embeddings [n, width]."""

    shares: Floats
    embeddings: Floats


class Judge:
    """A model that is ready for the pictures of datasets of its size. One thread at a time."""

    def __init__(self, model: SurfaceModel, engine: EngineName = "auto") -> None:
        self._run = compiled(model.network, ("logits", "embedding"), model.about.side, engine=engine)

    def judge(
        self, dataset: Surfaces, indices: Indices, *, batch_size: int = BATCH, noise: Noise | None = None
    ) -> Judged:
        """Judge these pictures (one at least), so many at a time, with noise if any."""
        parts = [indices[begin : begin + batch_size] for begin in range(0, len(indices), batch_size)]
        found = [self._run(dataset.batch(part, noise).contiguous().numpy()) for part in parts]
        logits, embeddings = (np.concatenate(each) for each in zip(*found, strict=True))
        return Judged(softmax(logits), embeddings)

    def embeddings(self, pixels: Tensor, *, batch_size: int = BATCH) -> Floats:
        """Embeddings [n, width] of pictures [n, 3, side, side], BGR in 0..255."""
        parts = torch.split(normalised(pixels), batch_size)
        return np.concatenate([self._run(part.contiguous().numpy())[1] for part in parts])

    def ms_per_picture(self, dataset: Surfaces, tries: int = 20) -> float:
        """Median time of the network for one picture at a time, ms, after a first one that warms up."""
        took = []
        for number in range(tries + 1):
            picture = dataset.batch(np.array([number % len(dataset)])).contiguous().numpy()
            began_s = time.perf_counter()
            self._run(picture)
            took.append(time.perf_counter() - began_s)
        return float(np.median(took[1:]) * MS_PER_S)
