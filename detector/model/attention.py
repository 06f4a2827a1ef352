"""Banded causal multi-head attention over a print's tokens, in full and one beat at a time.

Tokens are interleaved by beat: the frame's, the sensors', the next beat's frame's and so on. It is causal by
beat, not by token: the two tokens of a beat see each other, and all tokens of the ``band - 1`` beats before.
Beats that are not there are never looked at, but by themselves: what is said of them means nothing and is
finite.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from ingest.errors import UsageError

SENSES = 2
"""Tokens of a beat: what the camera saw, what the telemetry said."""
BLOCK = 32
"""Beats whose tokens are mixed at once in full: 300 beats by all 300 cost more than twice as much."""
HELD = torch.float16
"""What a cache holds keys and values in: where attention is sharp, it moves probabilities by up to 0.005."""
MLP_GROWTH = 2
"""The layer inside a block's perceptron is so many times as wide as its tokens."""


class TemporalShape(msgspec.Struct, frozen=True, kw_only=True):
    """How a temporal network is built; stands beside its weights. Raises UsageError where it cannot be.

    ``embedding`` are the numbers of a frame's embedding, ``sensors`` those of a sensor token. ``band`` is how
    many beats a token looks back on in each layer, its own included: with 1, a beat is judged by itself.
    ``mixer`` is "attention"; "mean" (every token that may be seen counts alike) and "gru" (a recurrent
    network without a band) stand beside it for comparison, and judge whole sequences only.
    """

    embedding: int
    sensors: int
    width: int = 192
    heads: int = 4
    layers: int = 2
    band: int = 48
    dropout: float = 0.1
    mixer: Literal["attention", "mean", "gru"] = "attention"

    def __post_init__(self) -> None:
        for name in ("embedding", "sensors", "width", "heads", "layers", "band"):
            if getattr(self, name) < 1:
                raise UsageError(f"temporal network: found {name} {getattr(self, name)}, expected 1 or more")
        if self.width % self.heads:
            raise UsageError(
                f"temporal network: found width {self.width} and {self.heads} heads, "
                "expected a width that the heads divide"
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"temporal network: found dropout {self.dropout}, expected 0 or more, below 1")

    @property
    def reach(self) -> int:
        """Beats that what is said of a beat depends on, its own included: each layer adds ``band - 1``."""
        return self.layers * (self.band - 1) + 1

    @property
    def horizon(self) -> int:
        """Beats to replay into a cleared slot, and it is as if it had never stopped; ``reach`` would do."""
        return self.layers * self.band


class Places(NamedTuple):
    """Where the printers of a chunk stand in a cache.

    ``slots`` [c]; ``ring`` [c] is the place of this beat; ``distances`` [c, band] says how many beats ago
    each place's beat was, -1 where there is nothing to be seen.
    """

    slots: Tensor
    ring: Tensor
    distances: Tensor


class TokenCache:
    """Keys and values of the last ``band`` beats of each printer, fp16: one slot for a printer.

    A slot is a ring: beat b lies at b modulo band, with b beside it, so that holes are known for what they
    are. One slot more, ``spare``, takes what fills a chunk up. Not for two threads at once.
    """

    def __init__(self, shape: TemporalShape, slots: int, device: torch.device | str = "cpu") -> None:
        size = (shape.layers, slots + 1, SENSES * shape.band, shape.heads, shape.width // shape.heads)
        self.keys = torch.zeros(size, dtype=HELD, device=device)
        self.values = torch.zeros_like(self.keys)
        self.beats = torch.full((slots + 1, shape.band), -1, dtype=torch.int64, device=device)
        self.band = shape.band
        self.slots = self.spare = slots

    @torch.inference_mode()
    def clear(self, slot: int) -> None:
        """Forget the printer of a slot. Raises ValueError for a slot that there is not."""
        if not 0 <= slot < self.slots:
            raise ValueError(f"found slot {slot}, expected 0 to {self.slots - 1}")
        self.beats[slot] = -1
        self.values[:, slot] = 0  # masked ones still take part, times 0, which a NaN survives

    def enter(self, slots: Tensor, beats: Tensor) -> Places:
        """Make room for one beat of each slot, int64 [c] both; the oldest beat of a full ring goes."""
        ring = beats % self.band
        self.beats[slots, ring] = beats
        held = self.beats[slots]
        distances = beats[:, None] - held
        seen = (held >= 0) & (distances >= 0) & (distances < self.band)
        return Places(slots, ring, distances.where(seen, -1))

    def swap(self, layer: int, at: Places, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put in this beat's [c, 2, heads, d]; get all that is held, float32 [c, 2 * band, heads, d]."""
        return self._swapped(self.keys[layer], at, keys), self._swapped(self.values[layer], at, values)

    def _swapped(self, held: Tensor, at: Places, new: Tensor) -> Tensor:
        held.view(-1, self.band, SENSES, *held.shape[2:])[at.slots, at.ring] = new.to(HELD)
        return held[at.slots].float()


class BandedAttention(nn.Module):
    """Multi-head attention over the last ``band`` beats, with a learned bias by head, sense and distance.

    full: tokens [n, 2 * t, width], there bool [n, t]      -> [n, 2 * t, width]
    step: tokens [c, 2, width] of one beat of each printer -> [c, 2, width]

    Both give the same: in evaluation mode, keys and values are rounded in full as the cache rounds them. As a
    mean, what is seen counts alike instead.
    """

    def __init__(self, shape: TemporalShape) -> None:
        super().__init__()
        self.band, self.heads, self.each = shape.band, shape.heads, shape.width // shape.heads
        self.mean = shape.mixer == "mean"
        self.split = nn.Linear(shape.width, 3 * shape.width)
        self.join = nn.Linear(shape.width, shape.width)
        self.bias = nn.Parameter(torch.zeros(shape.heads, SENSES, shape.band))

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        n, t = there.shape
        cut = Cut(min(BLOCK, t), min(self.band, t) - 1)
        queries, keys, values = self.split(tokens).view(n, t, SENSES, 3, self.heads, self.each).unbind(3)
        if not self.training:
            keys, values = (each.to(HELD).to(queries.dtype) for each in (keys, values))
        mixed = self._mixed(
            cut.blocks(queries),
            cut.spans(keys),
            cut.spans(values),
            self._bias(cut.distances(there.device)),
            cut.seen(there, self.band),
        )
        mixed = mixed.transpose(2, 3).reshape(n, -1, self.heads * self.each)
        given: Tensor = self.join(mixed[:, : SENSES * t])
        return given

    def step(self, tokens: Tensor, cache: TokenCache, layer: int, at: Places) -> Tensor:
        """As ``forward``, for a beat that ``cache.enter`` has made room for."""
        parts = self.split(tokens).view(-1, SENSES, 3, self.heads, self.each)
        queries, keys, values = parts.unbind(2)
        keys, values = (each.transpose(1, 2) for each in cache.swap(layer, at, keys, values))
        bias = self._bias(at.distances[:, None]).transpose(0, 1)
        seen = (at.distances >= 0).repeat_interleave(SENSES, 1)[:, None, None]
        mixed = self._mixed(queries.transpose(1, 2), keys, values, bias, seen)
        given: Tensor = self.join(mixed.transpose(1, 2).flatten(2))
        return given

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, seen: Tensor) -> Tensor:
        """queries [..., heads, q, d], keys and values [..., heads, k, d] -> as queries.

        ``bias`` is [heads, q, k], ``seen`` bool [..., 1, q, k], or what broadcasts to these.
        """
        scores = queries @ keys.transpose(-1, -2) * self.each**-0.5 + bias
        if self.mean:
            scores = torch.zeros_like(scores)
        weights = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1)
        return torch.matmul(weights, values)

    def _bias(self, distances: Tensor) -> Tensor:
        """Beats [..., q, k] -> [heads, ..., 2 * q, 2 * k], the senses of the keys interleaved."""
        known = self.bias[:, :, distances.clamp(0, self.band - 1)].movedim(1, -1).flatten(-2)
        return known.repeat_interleave(SENSES, -2)


class Block(nn.Module):
    """Attention, then a perceptron, each added to what went in and after a norm of its own."""

    def __init__(self, shape: TemporalShape) -> None:
        super().__init__()
        self.before = nn.LayerNorm(shape.width)
        self.attention = BandedAttention(shape)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(shape.width),
            nn.Linear(shape.width, MLP_GROWTH * shape.width),
            nn.GELU(),
            nn.Linear(MLP_GROWTH * shape.width, shape.width),
        )
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        return self._beside(tokens, self.attention(self.before(tokens), there))

    def step(self, tokens: Tensor, cache: TokenCache, layer: int, at: Places) -> Tensor:
        """One beat of each printer of a chunk."""
        return self._beside(tokens, self.attention.step(self.before(tokens), cache, layer, at))

    def _beside(self, tokens: Tensor, attended: Tensor) -> Tensor:
        tokens = tokens + self.dropout(attended)
        given: Tensor = tokens + self.dropout(self.perceptron(tokens))
        return given


class Cut(NamedTuple):
    """A sequence cut into blocks of ``size`` beats, each with the ``back`` beats before it: its span."""

    size: int
    back: int

    def blocks(self, each: Tensor) -> Tensor:
        """[n, t, 2, heads, d] -> [n, blocks, heads, 2 * size, d], filled up with zeros."""
        filled = functional.pad(each, (0, 0) * 3 + (0, -each.shape[1] % self.size))
        blocks = filled.view(len(each), -1, SENSES * self.size, *each.shape[3:])
        return blocks.transpose(2, 3)

    def spans(self, each: Tensor) -> Tensor:
        """[n, t, 2, heads, d] -> [n, blocks, heads, 2 * (back + size), d]."""
        filled = functional.pad(each, (0, 0) * 3 + (self.back, -each.shape[1] % self.size))
        spans = filled.unfold(1, self.back + self.size, self.size)
        return spans.permute(0, 1, 3, 5, 2, 4).flatten(3, 4)

    def distances(self, device: torch.device) -> Tensor:
        """From a block's beats back to its span's: int64 [size, back + size], below 0 for later ones."""
        at = torch.arange(self.back + self.size, device=device)
        return at[self.back :, None] - at

    def seen(self, there: Tensor, band: int) -> Tensor:
        """What a block may look at of its span: bool [n, blocks, 1, 2 * size, 2 * (back + size)]."""
        filled = functional.pad(there, (self.back, -there.shape[1] % self.size))
        keys = filled.unfold(1, self.back + self.size, self.size)[:, :, None]
        distances = self.distances(there.device)
        seen = (distances >= 0) & (distances < band) & (keys | (distances == 0))
        return seen.repeat_interleave(SENSES, 2).repeat_interleave(SENSES, 3)[:, :, None]
