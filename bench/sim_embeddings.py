"""Pictures as SqueezeNet sees them: real ones of the manifest, simulated ones of recordings or folders.

The trunk has the weights of ImageNet (``weights/`` beside the real images) and is never trained here.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import torch

from bench.sim_recordings import Sampling, Shown, recordings, sampled, simulator
from detector.model.encoder import SqueezeNetTrunk
from features.frame import to_batch
from features.picture import Picture
from ingest.errors import UsageError
from ingest.recordings.reader import Recording

Embeddings: TypeAlias = npt.NDArray[np.float32]  # [pictures, 1024]: 512 channels averaged, then their maxima
Bools: TypeAlias = npt.NDArray[np.bool_]
Texts: TypeAlias = npt.NDArray[np.str_]

SIDE = 224
"""Side of the trunk's input, pixels; pictures are stretched to the square, as the detector stretches them."""
CHUNK = 32
WEIGHTS = Path("weights/squeezenet1_1_features.safetensors")
MANIFEST = Path("images/manifest.csv")


class Augment(NamedTuple):
    """How a training picture is varied; each of ``views`` is drawn anew."""

    views: int = 1
    crop: float = 1.0  # least side of the part that is cut out, as a share of the picture's
    flip: bool = False
    jitter: float = 0.0  # standard deviation of brightness, contrast and each colour, relative
    quality: int = 0  # least JPEG quality that it is packed with again; 0: never
    grey: float = 0.0  # share of the views that lose their colour


class Pictures(NamedTuple):
    """Embedded pictures: ``failing`` bool [n], ``prints`` and ``sources`` names [n]."""

    embeddings: Embeddings
    failing: Bools
    prints: Texts
    sources: Texts

    def where(self, chosen: Bools) -> Pictures:
        return Pictures(
            self.embeddings[chosen], self.failing[chosen], self.prints[chosen], self.sources[chosen]
        )


class Embedder:
    """Pictures in, embeddings out. Raises OSError where the weights are missing."""

    def __init__(self, weights: Path) -> None:
        self._trunk = SqueezeNetTrunk()
        self._trunk.load_state_dict(safetensors(weights.read_bytes()))
        self._trunk.eval()

    @torch.inference_mode()
    def embed(self, frames: Iterable[Picture]) -> Embeddings:
        """Frames BGR uint8 of any size -> float32 [n, 1024]."""
        squares, parts = [], [np.empty((0, 1024), np.float32)]
        for frame in frames:
            squares.append(_square(frame))
            if len(squares) == CHUNK:
                parts.append(self._chunk(squares))
                squares = []
        return np.concatenate([*parts, *([self._chunk(squares)] if squares else [])])

    def _chunk(self, squares: Sequence[Picture]) -> Embeddings:
        maps = self._trunk(to_batch(squares))
        return np.asarray(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1).numpy(), np.float32)


def safetensors(data: bytes) -> dict[str, torch.Tensor]:
    """The float32 tensors of a file (https://github.com/huggingface/safetensors#format)."""
    length = int.from_bytes(data[:8], "little")
    head, tensors = json.loads(data[8 : 8 + length]), {}
    for name, told in head.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in told["data_offsets"])
            flat = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
            tensors[name] = flat.reshape(told["shape"])
    return tensors


def real(data: Path, embedder: Embedder, cache: Path) -> tuple[Pictures, Texts]:
    """All pictures of the manifest, and the split of each; embeddings are kept in ``cache``."""
    listed = (data / MANIFEST).read_bytes()
    rows = list(csv.DictReader(listed.decode().splitlines()))
    key = hashlib.sha256(listed + (data / WEIGHTS).read_bytes() + str(SIDE).encode()).hexdigest()[:16]
    file = cache / f"real-{key}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, embedder.embed(_read(data / MANIFEST.parent / row["file"]) for row in rows))
    columns = (np.array([row["print_id"] or row["file"] for row in rows]), _column(rows, "source"))
    return Pictures(np.load(file), _column(rows, "label") == "failing", *columns), _column(rows, "split")


def simulated(
    folder: Path, embedder: Embedder, sampling: Sampling, augment: Augment, seed: int = 1
) -> tuple[Pictures, str]:
    """Frames of all recordings in a folder, and which simulator made them. Raises SourceError, UsageError."""
    parts, versions = [], set()
    for number, path in enumerate(recordings(folder)):
        recording, random = Recording(path), np.random.default_rng([seed, number])
        shown = sampled(recording, sampling, random)
        parts.append(_views(shown, str(path.relative_to(folder)), embedder, augment, random))
        versions.add(simulator(recording))
    return _joined(parts), " ".join(sorted(versions))


def stills(folder: Path, embedder: Embedder, augment: Augment, seed: int = 1) -> Pictures:
    """Pictures in ``normal/`` and ``failing/``; those in a folder below belong to the print of its name.

    Raises UsageError where there are none.
    """
    parts = []
    for failing, name in ((False, "normal"), (True, "failing")):
        for number, file in enumerate(sorted((folder / name).rglob("*.jpg"))):
            inside = file.relative_to(folder / name)
            title = str(inside.parent) if len(inside.parts) > 1 else inside.stem
            random = np.random.default_rng([seed, failing, number])
            parts.append(_views([Shown(file.read_bytes(), failing)], title, embedder, augment, random))
    if len({bool(part.failing.any()) for part in parts}) < 2:
        raise UsageError(f"{folder}: found no *.jpg of both labels, expected normal/*.jpg and failing/*.jpg")
    return _joined(parts)


def varied(frame: Picture, augment: Augment, random: np.random.Generator) -> Picture:
    """One view of a picture, BGR uint8 of any size; without ``augment`` the picture itself."""
    frame = _cut(frame, augment.crop, random)
    if augment.flip and random.random() < 0.5:
        frame = np.asarray(cv2.flip(frame, 1), np.uint8)
    if augment.jitter:
        gains = 1 + random.normal(0, augment.jitter, 3) / 2 + random.normal(0, augment.jitter)
        lit = (frame - 128.0) * (1 + random.normal(0, augment.jitter)) + 128.0
        frame = np.clip(lit * gains, 0, 255).astype(np.uint8)
    if random.random() < augment.grey:
        frame = np.repeat(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2).astype(np.uint8)
    if augment.quality:
        asked = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(augment.quality, 96))]
        frame = _decoded(cv2.imencode(".jpg", frame, asked)[1].tobytes())
    return frame


def _views(
    shown: Sequence[Shown], title: str, embedder: Embedder, augment: Augment, random: np.random.Generator
) -> Pictures:
    """All views of some frames of one print."""
    failing = np.repeat(np.array([one.failing for one in shown], np.bool_), augment.views)
    frames = (varied(_decoded(one.jpeg), augment, random) for one in shown for _ in range(augment.views))
    names = np.full(len(failing), title)
    return Pictures(embedder.embed(frames), failing, names, np.full(len(failing), "simulated"))


def _joined(parts: Sequence[Pictures]) -> Pictures:
    return Pictures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _cut(frame: Picture, least: float, random: np.random.Generator) -> Picture:
    if least >= 1:
        return frame
    share = random.uniform(least, 1)
    height, width = (round(side * share) for side in frame.shape[:2])
    top, left = (int(random.integers(a - b + 1)) for a, b in zip(frame.shape, (height, width), strict=False))
    return frame[top : top + height, left : left + width]


def _square(frame: Picture) -> Picture:
    return np.asarray(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _read(file: Path) -> Picture:
    return _decoded(file.read_bytes())


def _decoded(jpeg: bytes) -> Picture:
    read = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert read is not None, "a picture that cannot be decoded"
    return np.asarray(read, np.uint8)


def _column(rows: Iterable[dict[str, str]], name: str) -> Texts:
    return np.array([row[name] for row in rows])
