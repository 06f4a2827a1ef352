"""The temporal network: from what was sensed of a print, beat by beat, to what is failing and since when.

Each beat is two tokens, the frame's and the sensors'. Where a sense is missing, a learned vector stands for
it, so that a print is judged by the other one alone. Blocks of banded causal attention mix them
(detector/model/attention.py); a beat is judged by its two tokens side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from detector.model.attention import SENSES, Block, TemporalShape, TokenCache
from detector.model.kinds import KINDS
from ingest.errors import UsageError

CHUNK = 8
"""Printers whose beats go through at once, always: kernels, and so the last bits, depend on it."""
FARTHEST = 6.0
LEAST_SPREAD = 1e-3
"""Numbers that hardly vary are not blown up."""
TOKEN_SPREAD = 0.02
"""Standard deviation of the first vectors that stand for a sense (arXiv:1810.04805)."""


class Tokens(NamedTuple):
    """What was sensed of n prints in t beats.

    ``embeddings`` float [n, t, embedding]; ``seen`` bool [n, t]: there was a usable frame. ``sensors`` float
    [n, t, sensors] and ``known`` bool, which of them were measured; ``heard`` bool [n, t]: there was any
    telemetry. ``there`` bool [n, t]: False for holes, and for what fills a batch up. What lies under a False
    is never read.
    """

    embeddings: Tensor
    seen: Tensor
    sensors: Tensor
    known: Tensor
    heard: Tensor
    there: Tensor

    def without_frames(self) -> Tokens:
        """As if no camera had been there."""
        return self._replace(seen=torch.zeros_like(self.seen))

    def without_sensors(self) -> Tokens:
        """As if no telemetry had been there."""
        return self._replace(heard=torch.zeros_like(self.heard))

    def with_senses(self, *, frames: bool, sensors: bool) -> Tokens:
        """As if only these senses had been there."""
        tokens = self if frames else self.without_frames()
        return tokens if sensors else tokens.without_sensors()


class Judged(NamedTuple):
    """What the network says of each beat: ``logits`` [n, t, classes] and ``onset_log_s`` [n, t].

    Class 0 is a print that is fine, class 1 + i is KINDS[i]. The latter is log(1 + s), s being the seconds
    since the failure began.
    """

    logits: Tensor
    onset_log_s: Tensor

    def onset_s(self) -> Tensor:
        """Seconds since the failure began, [n, t]; means nothing for a print that is fine."""
        return self.onset_log_s.clamp(min=0).expm1()


class TemporalNetwork(nn.Module):
    """Judges each beat by itself and the past.

    forward: Tokens [n, t, ...]                           -> Judged [n, t, ...]
    step:    Tokens [m, 1, ...], one beat of m printers   -> Judged [m, 1, ...]

    In evaluation mode both give the same to 1e-3 in probability. A beat that is replayed with
    ``shape.reach`` - 1 beats before it is judged the same bit by bit, however much came before those.
    """

    def __init__(self, shape: TemporalShape, classes: int = 1 + len(KINDS)) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        recurrent = shape.mixer == "gru"
        self.embed = Embed(shape)
        self.blocks = nn.ModuleList([] if recurrent else [Block(shape) for _ in range(shape.layers)])
        self.recurrent = Recurrent(shape) if recurrent else None
        self.norm = nn.LayerNorm(shape.width)
        self.classify = nn.Linear(SENSES * shape.width, classes)
        self.date = nn.Linear(SENSES * shape.width, 1)

    def forward(self, tokens: Tokens) -> Judged:
        """Each beat as known when it was over. What is said of a beat that is not there means nothing."""
        mixed = self.embed(tokens)
        for block in self.blocks:
            mixed = block(mixed, tokens.there)
        return self._judged(mixed if self.recurrent is None else self.recurrent(mixed))

    @torch.inference_mode()
    def step(self, tokens: Tokens, cache: TokenCache, slots: Tensor, beats: Tensor) -> Judged:
        """One more beat of m printers, in evaluation mode; costs the same whatever the age of the print.

        ``slots`` int64 [m] says which slot of the cache is whose, ``beats`` int64 [m] the beats' indices from
        0 on: a slot's ascend, with holes where there was none (the last one may come again). A printer's
        result is the same, bit by bit, whatever the others (on one machine, torch version and thread count).
        A beat that is not ``there`` is not remembered.

        Raises UsageError for another mixer than attention; ValueError for a slot that there is not or that
        comes twice, and for a beat older than its slot's last one.
        """
        if self.shape.mixer != "attention":
            raise UsageError(
                f'temporal network: found the mixer "{self.shape.mixer}", expected "attention": '
                "the others judge whole sequences only"
            )
        _check(cache, slots, beats)
        judged = [self._none(slots.device)]
        for at in range(0, len(slots), CHUNK):
            rows = slice(at, at + CHUNK)
            judged.append(
                self._chunk(Tokens(*(each[rows] for each in tokens)), cache, slots[rows], beats[rows])
            )
        return Judged(*(torch.cat(parts) for parts in zip(*judged, strict=True)))

    def _none(self, device: torch.device) -> Judged:
        return Judged(torch.empty(0, 1, self.classes, device=device), torch.empty(0, 1, device=device))

    def _chunk(self, tokens: Tokens, cache: TokenCache, slots: Tensor, beats: Tensor) -> Judged:
        """At most CHUNK printers, filled up to CHUNK with beats that are not there."""
        count = len(slots)
        filled = Tokens(*(_filled(each) for each in tokens))
        at = cache.enter(_filled(slots).where(filled.there[:, 0], cache.spare), _filled(beats))
        mixed = self.embed(filled)
        for layer, block in enumerate(self.blocks):
            mixed = block.step(mixed, cache, layer, at)  # type: ignore[operator]
        judged = self._judged(mixed)
        return Judged(judged.logits[:count], judged.onset_log_s[:count])

    def _judged(self, mixed: Tensor) -> Judged:
        beats: Tensor = side_by_side(self.norm(mixed))
        return Judged(self.classify(beats), self.date(beats)[..., 0])


class Embed(nn.Module):
    """Tokens [n, t, ...] -> [n, 2 * t, width], interleaved: frame, sensors, the next beat's frame …"""

    def __init__(self, shape: TemporalShape) -> None:
        super().__init__()
        self.standard = Standard(shape.embedding)
        self.frame = nn.Linear(shape.embedding, shape.width)
        self.sensor = nn.Sequential(
            nn.Linear(2 * shape.sensors, shape.width), nn.GELU(), nn.Linear(shape.width, shape.width)
        )
        self.dropout = nn.Dropout(shape.dropout)  # of what is seen: the numbers of one print are much alike
        self.missing = nn.Parameter(TOKEN_SPREAD * torch.randn(SENSES, shape.width))
        self.sense = nn.Parameter(TOKEN_SPREAD * torch.randn(SENSES, shape.width))

    def forward(self, tokens: Tokens) -> Tensor:
        seen, heard = ((each & tokens.there)[..., None] for each in (tokens.seen, tokens.heard))
        known = tokens.known & heard
        measured = tokens.sensors.float().where(known, 0)
        embeddings = self.dropout(self.standard(tokens.embeddings.float().where(seen, 0)))
        frames = self.frame(embeddings).where(seen, self.missing[0])
        sensors = self.sensor(torch.cat([measured, known.float()], -1)).where(heard, self.missing[1])
        return (torch.stack([frames, sensors], 2) + self.sense).flatten(1, 2)


class Standard(nn.Module):
    """Each number less its mean, over its spread, as they are in what the network learns from [..., size].

    What lies farther off than FARTHEST is taken for that much.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.mean, self.spread = nn.Buffer(torch.zeros(size)), nn.Buffer(torch.ones(size))

    def forward(self, numbers: Tensor) -> Tensor:
        return ((numbers - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)

    def fit(self, numbers: Tensor) -> None:
        """Take on mean and spread of numbers [n, size]."""
        self.mean.copy_(numbers.mean(0))
        self.spread.copy_(numbers.std(0).clamp(min=LEAST_SPREAD))


class Recurrent(nn.Module):
    """A GRU over the beats' two tokens side by side, for comparison: [n, 2 * t, width] -> the same.

    It has no band, and a beat that is not there is one without senses to it.
    """

    def __init__(self, shape: TemporalShape) -> None:
        super().__init__()
        dropout = shape.dropout if shape.layers > 1 else 0.0  # torch warns of one that has no place
        size = SENSES * shape.width
        self.gru = nn.GRU(size, size, shape.layers, batch_first=True, dropout=dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        given: Tensor = self.gru(side_by_side(tokens))[0]
        return given.reshape(tokens.shape)


def side_by_side(tokens: Tensor) -> Tensor:
    """The two tokens of each beat: [n, 2 * t, width] -> [n, t, 2 * width]."""
    n, length, width = tokens.shape
    return tokens.reshape(n, length // SENSES, SENSES * width)


def build_temporal(shape: TemporalShape, seed: int = 0) -> TemporalNetwork:
    """The network with first weights of a seed, on the CPU; torch's own randomness is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TemporalNetwork(shape)


def _filled(each: Tensor) -> Tensor:
    """Up to CHUNK rows with zeros: nothing seen, nothing heard, not there."""
    return torch.cat([each, each.new_zeros((CHUNK - len(each), *each.shape[1:]))])


def _check(cache: TokenCache, slots: Tensor, beats: Tensor) -> None:
    found: Sequence[int] = slots.tolist()
    if len(set(found)) < len(found) or any(not 0 <= slot < cache.slots for slot in found):
        raise ValueError(f"found slots {found}, expected different ones from 0 to {cache.slots - 1}")
    behind = beats < cache.beats[slots].amax(1).clamp(min=0)
    if behind.any():
        raise ValueError(
            f"found beats {beats[behind].tolist()} for slots {slots[behind].tolist()}, "
            "expected none below 0 or older than the slot's last one: clear the slot of another print"
        )


__all__ = [
    "CHUNK",
    "Judged",
    "TemporalNetwork",
    "TemporalShape",
    "TokenCache",
    "Tokens",
    "build_temporal",
]
