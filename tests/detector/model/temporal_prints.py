"""Prints for tests of the temporal network: random tokens, and a network as sharp as a trained one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from detector.model.kinds import KINDS
from detector.model.temporal import Judged, TemporalNetwork, TemporalShape, TokenCache, Tokens, build_temporal

BAND = 7
SHAPE = TemporalShape(embedding=12, sensors=5, width=24, heads=3, layers=2, band=BAND)
WIDE = TemporalShape(embedding=200, sensors=50)
BEATS = 5 * BAND + 3
CLASSES = 1 + len(KINDS)
PROBABILITY = 1e-3
"""How far a step may be from the whole."""


def sensed(n: int, t: int, shape: TemporalShape = SHAPE, seed: int = 0, *, whole: bool = False) -> Tokens:
    """Random tokens, with holes and missing senses unless ``whole``."""
    random = torch.Generator().manual_seed(seed)

    def often(*size: int) -> Tensor:
        return torch.rand(size, generator=random) < (2 if whole else 0.8)

    embeddings = torch.randn(n, t, shape.embedding, generator=random)
    sensors = torch.randn(n, t, shape.sensors, generator=random)
    return Tokens(embeddings, often(n, t), sensors, often(n, t, shape.sensors), often(n, t), often(n, t))


def trained(shape: TemporalShape = SHAPE, seed: int = 1) -> TemporalNetwork:
    """As after training: sharp attention, biases that matter, probabilities near 0 and 1."""
    network = build_temporal(shape, seed).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("attention.bias"):
                parameter.copy_(2 * torch.randn(parameter.shape, generator=random))
            elif "split" in name or "classify" in name:
                parameter.mul_(4)
    return network


def beat(tokens: Tokens, at: int, rows: Sequence[int] | None = None) -> Tokens:
    """One beat of some prints."""
    chosen = range(len(tokens.there)) if rows is None else rows
    return Tokens(*(each[list(chosen), at : at + 1] for each in tokens))


def steps(
    network: TemporalNetwork, tokens: Tokens, cache: TokenCache, slots: Sequence[int], since: int = 0
) -> Judged:
    """Beat by beat from ``since`` on; prints without a beat there take no step, and are judged 0."""
    n, t = tokens.there.shape
    logits, onsets = torch.zeros(n, t, CLASSES), torch.zeros(n, t)
    for at in range(since, t):
        rows = tokens.there[:, at].nonzero()[:, 0].tolist()
        their = torch.tensor([slots[row] for row in rows], dtype=torch.int64)
        given = network.step(beat(tokens, at, rows), cache, their, torch.full_like(their, at))
        logits[rows, at], onsets[rows, at] = given.logits[:, 0], given.onset_log_s[:, 0]
    return Judged(logits, onsets)


@torch.inference_mode()
def whole(network: TemporalNetwork, tokens: Tokens) -> Judged:
    judged: Judged = network(tokens)
    return judged


def furthest(one: Judged, other: Judged, there: Tensor) -> float:
    """The largest difference of a probability, at beats that are there."""
    return float((one.logits.softmax(-1) - other.logits.softmax(-1))[there].abs().max())


def same(one: Judged, other: Judged) -> bool:
    return torch.equal(one.logits, other.logits) and torch.equal(one.onset_log_s, other.onset_log_s)
