"""Gives a trained network its memory, and finds from where on a picture is none of its classes."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from detector.model.engine import Floats
from detector.surface.dataset import Split, Surfaces
from detector.surface.judging import Judge
from detector.surface.memory import Memory, remembered
from detector.surface.model_file import SurfaceModel

LOST = 0.01
"""Share of pictures like the learned ones that may be taken for none of them: what a threshold is set by."""
MARGIN = 1.1
"""The threshold lies so much beyond: a few validation pictures say little of the farthest one."""


def with_memory(model: SurfaceModel, dataset: Surfaces, parts: Split) -> SurfaceModel:
    """The model with a memory of its training pictures; the threshold is set by the validation pictures."""
    judge = Judge(model)
    learned = judge.judge(dataset, parts.train).embeddings
    memory = remembered(learned, dataset.labels[parts.train])
    limit = threshold(memory, judge.judge(dataset, parts.validation).embeddings)
    return model._replace(memory=memory, about=replace(model.about, unlike_from=limit))


def threshold(memory: Memory, embeddings: Floats) -> float:
    """The distance that all but LOST of some pictures [n, width] keep below, with MARGIN."""
    return max(float(np.quantile(memory.unlikeness(embeddings), 1 - LOST)) * MARGIN, 1e-6)
