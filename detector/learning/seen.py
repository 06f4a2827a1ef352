"""What the frame network says of a set's frames, kept beside the prints: the temporal network learns from it.

Frames are judged once for a frame network; another one's are judged anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save
from torch import nn

from detector.beyond import peak_of
from detector.files import replacing
from detector.learning.shards import Shard, read_shard
from detector.model.engine import Engine, EngineName, compiled
from detector.model.failure_map import levels
from detector.model.frame_network import EMBEDDING_DIM, GRID, FrameNetwork
from features.frame import SIDE, decode_frame, to_batch
from features.picture import Picture

AT_ONCE = 32
SUFFIX = ".seen"

Floats: TypeAlias = npt.NDArray[np.float32]


class SeenFrames(NamedTuple):
    """What is seen in a print's n beats, zeros where there is no frame.

    ``embeddings`` float16 [n, EMBEDDING_DIM]; ``where`` uint8 [n, GRID, GRID], probability times 255;
    ``failing`` float16 [n], the logit of the frame as a whole.
    """

    embeddings: npt.NDArray[np.float16]
    where: npt.NDArray[np.uint8]
    failing: npt.NDArray[np.float16]


class FrameJudge:
    """A frame network, compiled: pictures in, what it says of them out."""

    def __init__(self, network: FrameNetwork, threads: int = 1, engine: EngineName = "auto") -> None:
        self.version = version_of(network)
        self._network, self._how = network.eval(), (engine, threads)

    @cached_property
    def _engine(self) -> Engine:
        """Compiled when it is first asked: where all is judged already, that is never."""
        engine, threads = self._how
        outputs = ("embedding", "where", "failing")
        return compiled(self._network, outputs, SIDE, engine=engine, threads=threads)

    def judge(self, pictures: Sequence[Picture]) -> SeenFrames:
        """Pictures BGR uint8 [SIDE, SIDE, 3], one row each."""
        parts = [self._part(pictures[at : at + AT_ONCE]) for at in range(0, len(pictures), AT_ONCE)]
        parts = parts or [nothing(0)]
        return SeenFrames(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _part(self, pictures: Sequence[Picture]) -> SeenFrames:
        embedding, where, failing = self._engine(to_batch(pictures).numpy())
        return SeenFrames(
            embedding.astype(np.float16),
            levels(where),
            failing.astype(np.float16),
        )


def version_of(network: nn.Module) -> str:
    """A hash over the network's weights."""
    total = sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return total.hexdigest()[:16]


def nothing(count: int) -> SeenFrames:
    """As of so many beats without a frame."""
    return SeenFrames(
        np.zeros((count, EMBEDDING_DIM), np.float16),
        np.zeros((count, GRID, GRID), np.uint8),
        np.zeros(count, np.float16),
    )


def judge_print(judge: FrameJudge, shard: Shard) -> SeenFrames:
    """What is seen in a print's frames."""
    found = nothing(len(shard.beats))
    rows, pictures = [], []
    for row in np.flatnonzero(shard.clear):
        picture = decode_frame(shard.jpeg(int(row)), SIDE)
        if picture is not None:
            rows.append(int(row))
            pictures.append(picture)
    judged = judge.judge(pictures)
    found.embeddings[rows], found.where[rows], found.failing[rows] = judged
    return found


def see(
    judge: FrameJudge, shards: Sequence[Path], folder: Path, done: Callable[[Path], None] = lambda path: None
) -> list[Path]:
    """Judge the frames of prints whose result is not there, or older than the print; the paths, in order."""
    found = []
    for shard in shards:
        path = folder / judge.version / f"{shard.stem}{SUFFIX}"
        if not path.exists() or path.stat().st_mtime_ns < shard.stat().st_mtime_ns:
            write_seen(path, judge_print(judge, read_shard(shard)))
        found.append(path)
        done(path)
    return found


def peaks_of(seen: SeenFrames, clear: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The peaks of a print's failure maps [n], NaN for beats without a picture, those not ``clear`` [n]."""
    peaks = [peak_of(each) if there else np.nan for each, there in zip(seen.where, clear, strict=True)]
    return np.array(peaks, np.float64)


def write_seen(path: Path, seen: SeenFrames) -> None:
    """Write it, whole or not at all."""
    with replacing(path) as fresh:
        fresh.write_bytes(save(dict(zip(SeenFrames._fields, map(np.ascontiguousarray, seen), strict=True))))


def read_seen(path: Path) -> SeenFrames:
    """What ``see`` wrote. Raises SafetensorError or OSError for anything else: it is ours, in a cache."""
    with safe_open(path, framework="np") as file:
        return SeenFrames(*(file.get_tensor(name) for name in SeenFrames._fields))
