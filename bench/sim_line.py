"""Straight lines through embeddings: logistic regression on frames, and on pairs of windows."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from bench.sim_embeddings import LAYERS, Bools, Embeddings, Pictures, Texts
from bench.sim_pairs import Pairs

Values: TypeAlias = npt.NDArray[np.float64]


class Line(NamedTuple):
    """A fitted line: score = embedding / scale @ slope + bias, for some maps; failing above 0."""

    layers: str
    scale: Values
    slope: Values
    bias: float

    def scores(self, embeddings: Embeddings) -> Values:
        """float64 [n] for embeddings [n, 768]."""
        return np.asarray(
            embeddings[:, LAYERS[self.layers]] / self.scale @ self.slope + self.bias, np.float64
        )


def fit_frames(seen: Pictures, layers: str, strength: float) -> Line:
    """Failing frames against normal ones; both labels weigh the same, and within a label each print does."""
    rows = seen.embeddings[:, LAYERS[layers]].astype(np.float64)
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    weights = balanced(seen.failing, seen.prints)
    slope, bias = _logistic((rows - mean) / scale, seen.failing, weights, strength)
    return Line(layers, scale, slope, bias - float(mean / scale @ slope))


def fit_pairs(pairs: Pairs, layers: str, strength: float) -> Line:
    """Each window with its failure against the same one without; every print weighs the same.

    What the two have in common, the camera, the light, the part, is taken out before the fit.
    """
    failing, spared = (one[:, LAYERS[layers]].astype(np.float64) for one in (pairs.failing, pairs.spared))
    half = (failing - spared) / 2
    rows, scale = np.concatenate([half, -half]), np.concatenate([failing, spared]).std(0) + 1e-6
    labels = np.arange(len(rows)) < len(half)
    weights = balanced(labels, np.concatenate([pairs.prints, pairs.prints]))
    slope, _ = _logistic(rows / scale, labels, weights, strength)
    middle = (failing.mean(0) + spared.mean(0)) / 2
    return Line(layers, scale, slope, -float(middle / scale @ slope))


def balanced(failing: Bools, prints: Texts) -> Values:
    """A weight for each row: labels weigh the same, prints of a label do, and all add up to n."""
    weights = np.zeros(len(failing))
    for label in (False, True):
        _, number, count = np.unique(prints[failing == label], return_inverse=True, return_counts=True)
        weights[failing == label] = 1 / count[number] / max(len(count), 1)
    return np.asarray(weights / weights.sum() * len(weights), np.float64)


def _logistic(rows: Values, failing: Bools, weights: Values, strength: float) -> tuple[Values, float]:
    x, y, w = (torch.from_numpy(np.asarray(one, np.float64)) for one in (rows, failing, weights))
    line = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([line], max_iter=300, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        descent.zero_grad()
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(
            x @ line[:-1] + line[-1], y, w, reduction="sum"
        )
        total = wrong + (line[:-1] ** 2).sum() / (2 * strength)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    descent.step(loss)  # type: ignore[no-untyped-call]
    found = line.detach().numpy()
    return found[:-1], float(found[-1])
