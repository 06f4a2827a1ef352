"""Pictures of surfaces in a folder for each class, read once into memory: their parts, noise and batches.

DIR/scratches/1.png, DIR/clean/7.jpg      load(DIR)
DIR/NEU/scratches/1.png                   load(DIR / "NEU")
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from detector.surface.folders import MIN_CLASSES, NAMED, class_files
from detector.surface.sameness import groups_of_same
from features.frame import BGR_MEAN, SIDE
from features.picture import Picture
from features.stills import read_still, to_square
from ingest.errors import SourceError, UsageError

log = logging.getLogger(__name__)

Indices: TypeAlias = npt.NDArray[np.int64]
Part: TypeAlias = int | float
"""How much of each class: a whole number counts pictures, a fraction below 1 is a share of the class."""

MAX_CACHE_BYTES = 16 * 2**30
"""Most memory that the pictures of a dataset may take: 114,000 at 224 px."""
MIN_PICTURES = 2
"""Of each class: one to learn from and one to check with."""


@dataclass(frozen=True)
class Surfaces:
    """A dataset in memory: n pictures of ``classes``, in order of class and then of name.

    ``pictures`` is BGR uint8 [n, side, side, 3], ``labels`` int64 [n] into ``classes``. ``groups`` int64 [n]
    is equal for pictures that are the same. ``left_out`` names the files that could not be read.
    """

    classes: tuple[str, ...]
    files: tuple[Path, ...]
    pictures: npt.NDArray[np.uint8]
    labels: Indices
    groups: Indices
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.files)

    @property
    def side(self) -> int:
        """Side of the pictures, pixels."""
        return int(self.pictures.shape[1])

    def pixels(self, indices: Indices, noise: Noise | None = None) -> Tensor:
        """These pictures in this order as float32 [n, 3, side, side], BGR in 0..255, with noise if any."""
        chosen = self.pictures[indices]
        if noise is None:
            return torch.from_numpy(chosen).permute(0, 3, 1, 2).float()
        noised = [
            noisy(picture, noise.snr_db, np.random.default_rng((noise.seed, int(index))))
            for picture, index in zip(chosen, indices, strict=True)
        ]
        return torch.from_numpy(np.stack(noised)).permute(0, 3, 1, 2)

    def batch(self, indices: Indices, noise: Noise | None = None) -> Tensor:
        """These pictures as a network reads them: float32 [n, 3, side, side], BGR minus BGR_MEAN."""
        return normalised(self.pixels(indices, noise))

    def targets(self, indices: Indices) -> Tensor:
        """The classes of these pictures, int64 [n]."""
        return torch.from_numpy(self.labels[indices])


class Noise(NamedTuple):
    """Gaussian noise at a signal-to-noise ratio; a picture's depends on ``seed`` and its index alone."""

    snr_db: float
    seed: int = 0


class Split(NamedTuple):
    """Three disjoint parts of a dataset: indices in ascending order."""

    train: Indices
    validation: Indices
    test: Indices


def load(folder: Path, side: int = SIDE, *, fewest_classes: int = MIN_CLASSES) -> Surfaces:
    """Read a dataset with one folder for each class, every picture stretched to side x side.

    Files that cannot be read are left out, and one warning names them. Raises SourceNotFound for no folder
    and for one without pictures, UsageError for folders within a class, too few classes, a class with less
    than two pictures or a dataset beyond MAX_CACHE_BYTES, SourceError where none can be read.
    """
    found = class_files(folder, fewest_classes)
    files = [file for group in found.values() for file in group]
    _check_memory(folder, len(files), side)
    with ThreadPoolExecutor() as threads:
        read = list(threads.map(lambda file: _read(file, side), files))
    left_out = [said for said in read if isinstance(said, str)]
    _tell(folder, left_out, len(files))
    usable = [(file, said) for file, said in zip(files, read, strict=True) if not isinstance(said, str)]
    classes = tuple(found)
    labels = np.array([classes.index(file.parent.name) for file, _ in usable], np.int64)
    _check_counts(folder, classes, labels)
    pictures = np.stack([picture for _, picture in usable])
    paths = tuple(file for file, _ in usable)
    return Surfaces(classes, paths, pictures, labels, groups_of_same(pictures), tuple(left_out))


def split(dataset: Surfaces, train: Part, validation: Part, test: Part, seed: int) -> Split:
    """Disjoint parts with so much of each class each, drawn by ``seed``; what is the same is on one side.

    Groups of the same are placed first, each where most is still missing; one that fits nowhere whole is left
    out. Raises UsageError for less than nothing, more than a class has, and a part that would stay empty.
    """
    asked = (train, validation, test)
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    named = zip(dataset.classes, counts, strict=True)
    wanted = np.array([_sizes(asked, int(count), name) for name, count in named])
    part_of, room = _placed(dataset, wanted, np.random.default_rng(seed))
    if ((room == wanted) & (wanted > 0)).any():
        raise UsageError(
            f"found parts of {train}, {validation} and {test} that stay empty in a class, since pictures "
            "that are the same go together: ask for larger parts or give more pictures"
        )
    if room.any():
        log.warning(
            "the parts lack %d pictures: what is the same goes together and fitted nowhere", room.sum()
        )
    return Split(*(np.flatnonzero(part_of == part) for part in range(len(asked))))


def reduced(dataset: Surfaces, train: Indices, per_class: int, seed: int) -> Indices:
    """So many pictures of each class out of ``train``; of one seed, fewer are always among more.

    Raises UsageError where a class has less.
    """
    order = np.random.default_rng(seed).permutation(np.sort(train))
    chosen = []
    for label, name in enumerate(dataset.classes):
        those = order[dataset.labels[order] == label]
        if not 0 < per_class <= len(those):
            raise UsageError(
                f"found {len(those)} training pictures of {name}, expected {per_class} of each class "
                "(at least 1): ask for fewer or give more"
            )
        chosen.append(those[:per_class])
    return np.sort(np.concatenate(chosen))


def noisy(picture: Picture, snr_db: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The picture with Gaussian noise at this signal-to-noise ratio: float32 of the same shape, 0..255.

    The signal's power is the mean square of the picture in 0..1; noise is drawn for each pixel and channel,
    and the result is clipped to 0..255.
    """
    values = picture.astype(np.float32)
    deviation = np.sqrt(np.square(values).mean() / np.float32(10 ** (snr_db / 10)))
    drawn = rng.standard_normal(picture.shape, np.float32)
    clipped: npt.NDArray[np.float32] = np.clip(values + deviation * drawn, 0, 255)
    return clipped


def normalised(pixels: Tensor) -> Tensor:
    """Pixels [n, 3, h, w], BGR in 0..255, minus BGR_MEAN: as features.frame.to_batch gives frames."""
    return pixels - torch.tensor(BGR_MEAN, device=pixels.device).view(3, 1, 1)


def _read(file: Path, side: int) -> Picture | str:
    """The picture at its size in memory, or why there is none."""
    try:
        return to_square(read_still(file), side)
    except SourceError as error:
        return str(error)


def _tell(folder: Path, left_out: list[str], files: int) -> None:
    if len(left_out) == files:
        raise SourceError(
            f"{folder}: found {files} files and none that can be read; the first: {left_out[0]}"
        )
    if left_out:
        said = "; ".join(left_out[:NAMED]) + ("; …" if len(left_out) > NAMED else "")
        log.warning("%s: left out %d of %d files: %s", folder, len(left_out), files, said)


def _check_memory(folder: Path, files: int, side: int) -> None:
    wanted = files * side * side * 3
    if wanted > MAX_CACHE_BYTES:
        raise UsageError(
            f"{folder}: found {files} pictures, which take {wanted / 2**30:.1f} GiB at {side} px, expected "
            f"at most {MAX_CACHE_BYTES / 2**30:g} GiB: use fewer of them or a smaller side"
        )


def _check_counts(folder: Path, classes: tuple[str, ...], labels: Indices) -> None:
    for name, count in zip(classes, np.bincount(labels, minlength=len(classes)), strict=True):
        if count < MIN_PICTURES:
            raise UsageError(
                f"{folder / name}: found {count} readable pictures, expected {MIN_PICTURES} or more "
                "for a class: add some or take the folder away"
            )


def _sizes(asked: tuple[Part, ...], count: int, name: str) -> list[int]:
    """Pictures of one class for each part. A share gives at least one picture, unless it is 0."""
    sizes = [part if isinstance(part, int) else max(round(part * count), int(part > 0)) for part in asked]
    shares = sum(part for part in asked if isinstance(part, float))
    if min(asked) < 0 or shares > 1 + 1e-9 or sum(part for part in asked if isinstance(part, int)) > count:
        raise UsageError(
            f"found parts of {', '.join(map(str, asked))}, expected whole numbers that add up to at most "
            f"{count} (pictures of {name}), or shares that add up to at most 1"
        )
    # Rounding may ask for one picture too many: the largest part gives it.
    while sum(sizes) > count:
        sizes[int(np.argmax(sizes))] -= 1
    return sizes


def _placed(dataset: Surfaces, wanted: Indices, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Each picture's part (-1 for none) [n], and what is left of ``wanted`` [classes, parts]."""
    room, part_of = wanted.copy(), np.full(len(dataset), -1)
    for members in _groups(dataset.groups, rng):
        need = np.bincount(dataset.labels[members], minlength=len(room))
        fits = (room >= need[:, None]).all(0)
        if fits.any():
            part = int(np.where(fits, room[need > 0].sum(0), -1).argmax())
            room[:, part] -= need
            part_of[members] = part
    return part_of, room


def _groups(groups: Indices, rng: np.random.Generator) -> list[Indices]:
    """The members of every group, in drawn order, larger groups first."""
    order = rng.permutation(len(groups))
    ordered = order[np.argsort(groups[order], kind="stable")]
    cuts = np.flatnonzero(np.diff(groups[ordered])) + 1
    members = np.split(ordered, cuts)
    drawn = [members[at] for at in rng.permutation(len(members))]
    return sorted(drawn, key=len, reverse=True)
