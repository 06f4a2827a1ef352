"""The three sets of simulated prints: each with its own printers, cameras, materials, models and faults."""

from __future__ import annotations

from enum import StrEnum


class Split(StrEnum):
    """What a set of prints is for: to learn from, to choose by, to be judged on."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
