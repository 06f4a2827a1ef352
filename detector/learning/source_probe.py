"""Whether embeddings give away which source a picture is of, and whether the source gives away the label.

A network that learned the camera instead of the failure does well wherever the label follows the source.
Two figures tell: how well a linear probe guesses the source of normal pictures (and of failing ones) from
their embeddings, and how much of the label the source alone explains.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from detector.training.metrics import Marks, roc_auc
from ingest.errors import UsageError

Values: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.str_]

FOLDS = 5
STRENGTH = 1e-1
"""C, the inverse of the L2 penalty on the slopes, with all weights adding up to the number of rows."""
FEWEST = 2  # sources, and prints of each: without a second print none would be left to learn from


class SourceGuess(NamedTuple):
    """How well sources are guessed, each picture by a probe that saw nothing of its print."""

    pictures: int
    sources: int
    accuracy: float
    majority: float  # accuracy of always guessing the most common source
    balanced: float  # mean over sources of the share guessed right, by a probe to which all weigh the same
    chance: float  # the same, of guessing blindly: 1 / sources


class LabelBySource(NamedTuple):
    """How much of the label (failing or normal) the source alone explains."""

    accuracy: float  # of guessing each source's more common label
    majority: float  # of guessing the more common label of all
    information: float  # what the source tells of the label, as a share of the label's entropy
    auc: float  # of scoring each picture by its source's share of failing ones


def probe_sources(
    embeddings: npt.NDArray[np.floating[Any]],
    failing: Marks,
    sources: Names,
    groups: npt.NDArray[Any],
    seed: int,
) -> dict[str, SourceGuess]:
    """``guess_source`` among ``normal`` pictures alone and among ``failing`` ones alone.

    What cannot be asked, as only one source has pictures of that label from several prints, is left out.
    """
    found = {}
    for name, those in (("normal", ~failing), ("failing", failing)):
        usable = those.copy()
        for source in np.unique(sources[those]):
            here = those & (sources == source)
            usable[here] = len(np.unique(groups[here])) >= FEWEST
        if len(np.unique(sources[usable])) >= FEWEST:
            found[name] = guess_source(embeddings[usable], sources[usable], groups[usable], seed)
    return found


def guess_source(
    embeddings: npt.NDArray[np.floating[Any]], sources: Names, groups: npt.NDArray[Any], seed: int
) -> SourceGuess:
    """Softmax regression from embeddings [n, width] to sources [n], cross-validated by groups [n] (prints).

    Raises UsageError for less than two sources and for a source with less than two prints.
    """
    names, truth = np.unique(sources, return_inverse=True)
    _check(names, truth, groups)
    weights = len(truth) / (len(names) * np.bincount(truth)[truth])
    plain, even = np.empty_like(truth), np.empty_like(truth)
    for learn, held in _folds(truth, groups, np.random.default_rng(seed)):
        rows, asked = _scaled(embeddings[learn], embeddings[held])
        plain[held] = _guessed(rows, truth[learn], np.ones(len(learn)), asked, len(names))
        even[held] = _guessed(rows, truth[learn], weights[learn], asked, len(names))
    right = np.bincount(truth, even == truth) / np.bincount(truth)
    majority = float(np.bincount(truth).max() / len(truth))
    accuracy = float((plain == truth).mean())
    return SourceGuess(len(truth), len(names), accuracy, majority, float(right.mean()), 1 / len(names))


def label_by_source(failing: Marks, sources: Names) -> LabelBySource:
    """Of labels and sources, both [n]. Raises UsageError where all labels are the same."""
    _, number = np.unique(sources, return_inverse=True)
    share = (np.bincount(number, failing) / np.bincount(number))[number]
    overall = failing.mean()
    auc = roc_auc(share, failing)
    left, entropy = float(_entropy(share).mean()), float(_entropy(np.array([overall]))[0])
    accuracy = float(np.maximum(share, 1 - share).mean())
    return LabelBySource(accuracy, float(max(overall, 1 - overall)), 1 - left / entropy, auc)


def _check(names: Names, truth: Indices, groups: npt.NDArray[Any]) -> None:
    if len(names) < FEWEST:
        raise UsageError(f"found pictures of {len(names)} sources, expected {FEWEST} or more to tell apart")
    for at, name in enumerate(names):
        count = len(np.unique(groups[truth == at]))
        if count < FEWEST:
            raise UsageError(f"found {count} print of {name}, expected {FEWEST} or more of each source")


def _folds(
    truth: Indices, groups: npt.NDArray[Any], rng: np.random.Generator
) -> Iterator[tuple[Indices, Indices]]:
    """Indices to learn from and held out; each source's prints are dealt out over the folds."""
    fold = np.empty(len(truth), np.int64)
    for source in range(truth.max() + 1):
        own = np.flatnonzero(truth == source)
        names, number = np.unique(groups[own], return_inverse=True)
        fold[own] = (rng.permutation(len(names)) % FOLDS)[number]
    for held in range(FOLDS):
        if (fold == held).any():
            yield np.flatnonzero(fold != held), np.flatnonzero(fold == held)


def _scaled(
    learn: npt.NDArray[np.floating[Any]], held: npt.NDArray[np.floating[Any]]
) -> tuple[Values, Values]:
    """Both by mean and deviation of what is learned from."""
    mean, deviation = learn.mean(0, dtype=np.float64), learn.std(0, dtype=np.float64) + 1e-6
    return (learn - mean) / deviation, (held - mean) / deviation


def _guessed(rows: Values, truth: Indices, weights: Values, asked: Values, classes: int) -> Indices:
    """The likeliest class of each row that is asked for, [m], by a probe learned from ``rows``."""
    x, y, w = torch.from_numpy(rows), torch.from_numpy(truth), torch.from_numpy(weights / weights.mean())
    slopes = torch.zeros(x.shape[1], classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS(
        [slopes, bias], max_iter=200, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        descent.zero_grad()
        wrong = w @ functional.cross_entropy(x @ slopes + bias, y, reduction="none")
        total = wrong + slopes.square().sum() / (2 * STRENGTH)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    descent.step(loss)  # type: ignore[no-untyped-call]
    guesses = asked @ slopes.detach().numpy() + bias.detach().numpy()
    return np.asarray(guesses.argmax(1), np.int64)


def _entropy(share: Values) -> Values:
    """Of a coin with these chances, in bits."""
    chances = np.clip(np.stack([share, 1 - share]), 1e-12, 1)
    return np.asarray(-(chances * np.log2(chances)).sum(0), np.float64)
