"""Gives a trained network its memory."""

from __future__ import annotations

from detector.surface.dataset import Split, Surfaces
from detector.surface.judging import Judge
from detector.surface.memory import remembered
from detector.surface.model_file import SurfaceModel


def with_memory(model: SurfaceModel, dataset: Surfaces, parts: Split) -> SurfaceModel:
    """The model with a memory of its training pictures, whose limits its validation pictures set."""
    judge = Judge(model)
    learned, others = (judge.judge(dataset, part).embeddings for part in (parts.train, parts.validation))
    return model._replace(memory=remembered(learned, dataset.labels[parts.train], others))
