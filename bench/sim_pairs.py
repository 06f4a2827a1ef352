"""Simulated pictures for a probe: frames picked by their truth, and pairs with and without the failure.

The two frames of a pair are the same print at the same moment: what differs between them is the failure, and
where they differ tells in which windows it is seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from bench.sim_embeddings import COLUMNS, GRID, Bools, Embedder, Embeddings, Pictures, Texts, decoded, windows
from bench.sim_recordings import Sampling, Shown, pictures, recordings, sampled, simulator
from features.picture import Picture
from ingest.errors import UsageError
from ingest.recordings.reader import Recording
from ingest.simulate.scenario import SPARED

AT_ONCE = Sampling(growth_s=0.0, grown=0.0, skip_s=0.0)
"""Frames from the onset on: whether anything is seen yet, the pair itself tells."""
GREY_LEVELS = 10
"""By how much a pixel must differ, of 255, after a blur that takes out the JPEG's own errors."""
CHANGED = 0.05
"""Share of a window's pixels that must differ."""


class Pairs(NamedTuple):
    """Windows in which a failure is seen, float32 [n, 768], and the same windows without it."""

    failing: Embeddings
    spared: Embeddings
    prints: Texts


def simulated(
    folder: Path, embedder: Embedder, sampling: Sampling, seed: int = 1
) -> tuple[Pictures, Pairs, str]:
    """Frames of all recordings in a folder, pairs, and which simulator made them.

    Raises SourceError, and UsageError where there are no pairs.
    """
    frames, pairs, versions = [], [], set()
    for number, path in enumerate(recordings(folder)):
        if path.stem.endswith(SPARED):
            continue
        recording, random = Recording(path), np.random.default_rng([seed, number])
        frames.append(_frames(sampled(recording, sampling, random), path.stem, embedder))
        versions.add(simulator(recording))
        if (other := path.with_stem(path.stem + SPARED)).exists():
            failing = sampled(recording, AT_ONCE._replace(each=sampling.each), random)
            pairs.append(_pairs([one for one in failing if one.failing], other, embedder))
    if not pairs:
        raise UsageError(f"{folder}: found no *{SPARED}.mcap, expected pairs: simulate them with --pairs")
    return _joined(frames), Pairs(*map(np.concatenate, zip(*pairs, strict=True))), " ".join(sorted(versions))


def changed(failing: Picture, spared: Picture) -> Bools:
    """In which windows two pictures of the same size differ, bool [25]."""
    apart = cv2.absdiff(failing, spared).max(axis=2)
    beyond = (cv2.GaussianBlur(apart, (3, 3), 0) > GREY_LEVELS).astype(np.float32)
    cells = cv2.resize(beyond, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(windows(torch.from_numpy(cells)[None, None]).numpy().ravel() > CHANGED, np.bool_)


def _frames(shown: list[Shown], title: str, embedder: Embedder) -> Pictures:
    failing = np.array([one.failing for one in shown], np.bool_)
    names = np.full(len(shown), title)
    return Pictures(embedder.embed(decoded(one.jpeg) for one in shown), failing, names, names)


def _pairs(failing: list[Shown], spared: Path, embedder: Embedder) -> Pairs:
    """The windows that differ, of all frames that both recordings have."""
    others = {picture.at_ns: picture.data for picture in pictures(Recording(spared))}
    found = [np.empty((2, 0, COLUMNS), np.float32)]
    for one in failing:
        if one.at_ns in others:
            both = decoded(one.jpeg), decoded(others[one.at_ns])
            found.append(embedder.windows(both)[:, changed(*both)])
    with_it, without = np.concatenate(found, axis=1)
    return Pairs(with_it, without, np.full(len(with_it), spared.stem))


def _joined(parts: list[Pictures]) -> Pictures:
    return Pictures(*(np.concatenate(column) for column in zip(*parts, strict=True)))
