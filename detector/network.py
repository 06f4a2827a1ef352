"""The trained network at work: what pictures show, then beat by beat what is failing at each printer.

A printer's memory (keys and values) is made of its last tokens and of nothing else. So it may be thrown away
at any time: the next beat builds it anew, and says the same, bit by bit, on one machine, torch version and
thread count.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from detector.beats import Token, packed_map
from detector.model.engine import Engine, EngineName, Floats, compiled
from detector.model.frame_network import FrameNetwork
from detector.model.past import SIGHT_DIM
from detector.model.temporal import Judged, TokenCache, Tokens
from detector.model.watch_model import WatchModel
from detector.verdict import Probabilities, calibrated
from features.frame import SIDE, Picture, to_batch

FRAMES_ON_GPU = 8
"""Pictures that go through a GPU at once, always: kernels, and so the last bits, depend on it.

On a CPU they go one by one, which takes no longer.
"""
FIRST_SLOTS = 8


class Shown(NamedTuple):
    """What a beat's picture shows, as ``Token`` holds it."""

    embedding: bytes
    where: bytes


class Asked(NamedTuple):
    """A beat to be judged, and the printer's tokens before it, oldest first."""

    past: Sequence[Token]
    token: Token


class Said(NamedTuple):
    """What the network says of a beat: each class's probability, and how old the failure is, s."""

    probabilities: Probabilities
    onset_s: float


class Slot(NamedTuple):
    """A printer's place in the cache, and the newest token that it has taken in."""

    number: int
    newest: Token | None = None


class Watcher:
    """The networks with their memory of every printer. One thread at a time."""

    def __init__(
        self,
        model: WatchModel,
        device: torch.device | str = "cpu",
        *,
        engine: EngineName = "auto",
        threads: int = 1,
    ) -> None:
        self.about = model.about
        self.horizon = model.about.temporal.horizon
        self._device = torch.device(device)
        self._temporal = model.temporal.to(self._device)
        self._see = _eyes(model.frame, self._device, engine, threads)
        self._cache = TokenCache(model.about.temporal, FIRST_SLOTS, self._device)
        self._slots: dict[str, Slot] = {}

    def see(self, pictures: Sequence[Picture]) -> list[Shown]:
        """What pictures show, BGR uint8 each [SIDE, SIDE, 3]."""
        shown = []
        size = 1 if self._device.type == "cpu" else FRAMES_ON_GPU
        for at in range(0, len(pictures), size):
            chunk = pictures[at : at + size]
            blanks = [np.zeros((SIDE, SIDE, 3), np.uint8)] * (size - len(chunk))
            embeddings, maps = self._see(to_batch([*chunk, *blanks]).numpy())
            shown += [
                Shown(embedding.astype(np.float16).tobytes(), packed_map(where))
                for embedding, where in zip(embeddings[: len(chunk)], maps, strict=False)
            ]
        return shown

    def step(self, asked: Sequence[Asked]) -> list[Said]:
        """Judge one beat of each of these printers, which are different ones, side by side."""
        self._rebuild([one for one in asked if not self._holds(one)])
        judged = self._advance([one.token for one in asked])
        logits, onsets_s = judged.logits[:, 0].cpu().numpy(), judged.onset_s()[:, 0].cpu().numpy()
        temperatures, biases = self.about.temperatures, self.about.biases
        # Row by row: sums of several rows at once may differ in the last bit.
        return [
            Said(calibrated(row, temperatures, biases), float(onset_s))
            for row, onset_s in zip(logits, onsets_s, strict=True)
        ]

    def forget(self, printer: str) -> None:
        """Free the place of a printer at which no print runs."""
        self._slots.pop(printer, None)

    @torch.inference_mode()
    def judge(self, tokens: Tokens) -> Probabilities:
        """What is said of the last beat of n prints that are given as a whole, [n, classes]."""
        moved = Tokens(*(each.to(self._device) for each in tokens))
        logits = self._temporal(moved).logits[:, -1].float().cpu().numpy()
        return calibrated(logits, self.about.temperatures, self.about.biases)

    def _holds(self, asked: Asked) -> bool:
        """Whether the printer's memory is of just these tokens."""
        slot = self._slots.get(asked.token.printer)
        return slot is not None and bool(asked.past) and slot.newest == asked.past[-1]

    def _rebuild(self, asked: Sequence[Asked]) -> None:
        """Make the memory of printers anew out of their tokens, side by side."""
        for one in asked:
            number = self._slot_for(one.token)  # first: the cache may be another one after it
            self._cache.clear(number)
        for at in range(max((len(one.past) for one in asked), default=0)):
            self._advance([one.past[at] for one in asked if at < len(one.past)])

    def _advance(self, tokens: Sequence[Token]) -> Judged:
        slots = torch.tensor([self._slot_for(token) for token in tokens], dtype=torch.int64)
        beats = torch.tensor([token.beat for token in tokens], dtype=torch.int64)
        sensed = [sequence([token]) for token in tokens]
        joined = Tokens(*(torch.cat(each).to(self._device) for each in zip(*sensed, strict=True)))
        judged = self._temporal.step(joined, self._cache, slots.to(self._device), beats.to(self._device))
        for token in tokens:
            self._slots[token.printer] = Slot(self._slots[token.printer].number, token)
        return judged

    def _slot_for(self, token: Token) -> int:
        """The number of a printer's slot; one that has none yet gets a free one."""
        if token.printer not in self._slots:
            taken = {slot.number for slot in self._slots.values()}
            self._slots[token.printer] = Slot(next(number for number in count() if number not in taken))
        number = self._slots[token.printer].number
        if number >= self._cache.slots:
            self._cache = self._grown()
        return number

    def _grown(self) -> TokenCache:
        """A cache with twice as many slots; what is held stays."""
        old = self._cache
        cache = TokenCache(self.about.temporal, 2 * old.slots, self._device)
        cache.keys[:, : old.slots] = old.keys[:, : old.slots]
        cache.values[:, : old.slots] = old.values[:, : old.slots]
        cache.beats[: old.slots] = old.beats[: old.slots]
        return cache


def sequence(tokens: Sequence[Token]) -> Tokens:
    """The tokens of one print, in ascending order, as the network takes them: [1, t, ...] from the first beat
    to the last one, with holes for beats that are missing."""
    rows = [token.beat - tokens[0].beat for token in tokens]
    seen = np.array([token.embedding is not None for token in tokens])
    blank = np.zeros(SIGHT_DIM, np.float16).tobytes()
    return Tokens(
        embeddings=_rows(rows, [_numbers(token.embedding or blank) for token in tokens]),
        seen=_rows(rows, seen),
        sensors=_rows(rows, [_numbers(token.sensors) for token in tokens]),
        known=_rows(rows, [np.frombuffer(token.known, np.bool_) for token in tokens]),
        heard=_rows(rows, [np.bool_(token.heard) for token in tokens]),
        there=_rows(rows, np.ones(len(tokens), np.bool_)),
    )


def _numbers(halves: bytes) -> Floats:
    return np.frombuffer(halves, np.float16).astype(np.float32)


def _rows(rows: Sequence[int], values: Sequence[Any] | npt.NDArray[Any]) -> Tensor:
    """Values of beats put into their rows, zeros between them: [1, t, ...]."""
    given = np.stack(list(values))
    spread = np.zeros((1, rows[-1] + 1, *given.shape[1:]), given.dtype)
    spread[0, list(rows)] = given
    return torch.from_numpy(spread)


def _eyes(network: FrameNetwork, device: torch.device, engine: EngineName, threads: int) -> Engine:
    """Embeddings and failure maps of pictures, on a CPU by the fastest engine that is installed."""
    if device.type == "cpu":
        return compiled(network, ("embedding", "where"), SIDE, engine=engine, threads=threads)
    network.to(device)

    @torch.inference_mode()
    def run(pictures: Floats) -> list[Floats]:
        batch = torch.from_numpy(pictures).to(device).contiguous(memory_format=torch.channels_last)
        seen = network(batch)
        return [each.float().cpu().numpy() for each in (seen.embedding, seen.where)]

    return run
