"""Real pictures of printers: the manifest of the data folder, its splits, and the pictures themselves.

The data is never part of the project; its folder comes as an argument. Images of the split ``eval`` are
there to be measured on: what learns or chooses is given those of ``train`` and says so by ``only_train``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from detector.anomaly import Box, Kind
from features.frame import SIDE, decode_frame
from features.picture import WHOLE_AREA, Area, Picture, View
from ingest.errors import SourceError, SourceNotFound, UsageError

MANIFEST = Path("images/manifest.csv")  # below the data folder
COLUMNS = (
    "file", "source", "stated_licence", "print_id", "frame", "label", "kind", "after_onset", "split", "boxes",
    "dhash",
)  # fmt: skip
KINDS: Mapping[str, Kind | None] = {
    "none": None,
    "other": None,
    "crack": None,
    "spaghetti": Kind.SPAGHETTI,
    "stringing": Kind.STRINGING,
    "under_extrusion": Kind.UNDER_EXTRUSION,
    "blob": Kind.BLOB,
    "detached": Kind.DETACHMENT,
}
"""What the manifest calls a kind, as a Kind; None where it names none that is learned."""
LABELS: Mapping[str, bool] = {"normal": False, "failing": True}
FLAGS: Mapping[str, bool] = {"0": False, "1": True}
ROUNDING = 1e-3
"""By how much a box may leave the picture: its numbers are rounded to four digits."""
SLIP = 1e-4
"""Boxes of a smaller share of the picture (five pixels square of 512) are slips of the hand: left out."""

_Value = TypeVar("_Value")


class Split(StrEnum):
    """What an image may be used for."""

    TRAIN = "train"
    TRAIN_RESEARCH = "train_research"  # experiments, not weights that ship: for research use only
    TRAIN_UNLICENSED = "train_unlicensed"  # experiments, not weights that ship: no licence is stated
    EVAL = "eval"  # measured on, never chosen by


@dataclass(frozen=True, slots=True)
class RealImage:
    """One row of the manifest. ``file`` is its full path.

    ``print_id`` is empty where the source names no prints. ``kind`` is None for a normal image and for one
    whose kind is none that is learned. ``boxes`` hold the failure, where the source has boxes.
    ``after_onset`` is None where the source says nothing of an onset.
    """

    file: Path
    source: str
    stated_licence: bool
    print_id: str
    frame: int | None
    failing: bool
    kind: Kind | None
    split: Split
    boxes: tuple[Box, ...]
    after_onset: bool | None
    dhash: int  # 64 bits: of 8 x 8 places row by row, whether it gets lighter to the right


def read_images(data: Path) -> tuple[RealImage, ...]:
    """All images of the manifest below the data folder, in its order.

    Raises UsageError, naming file and line, for no manifest, a missing column, a value that makes no sense
    and an image that is not there.
    """
    manifest = data / MANIFEST
    try:
        text = manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{manifest}: found {error}, expected the list of real images") from error
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(f"{manifest}: found no column {', '.join(missing)}, expected {', '.join(COLUMNS)}")
    return tuple(_Row(manifest, reader.line_num, row).image() for row in reader)


def of_split(images: Sequence[RealImage], split: Split) -> tuple[RealImage, ...]:
    """Those of one split, in their order."""
    return tuple(image for image in images if image.split is split)


def to_ship(images: Sequence[RealImage]) -> tuple[RealImage, ...]:
    """Those that weights which ship may learn from: of the split ``train``, with a licence that is stated."""
    return tuple(image for image in of_split(images, Split.TRAIN) if image.stated_licence)


def only_train(images: Sequence[RealImage], what: str) -> None:
    """Raise UsageError where an image is not of the split ``train``; ``what`` would have used it."""
    other = next((image for image in images if image.split is not Split.TRAIN), None)
    if other is not None:
        raise UsageError(
            f"{what}: found {other.file} of the split {other.split}, expected images of the split train alone"
        )


def pictures(images: Sequence[RealImage], side: int = SIDE) -> Iterator[Picture]:
    """The pictures one after the other, BGR uint8 [side, side, 3], each read when it is asked for.

    Raises what ``picture`` raises.
    """
    return (picture(image, side) for image in images)


def picture(image: RealImage, side: int = SIDE, area: Area | Box = WHOLE_AREA) -> Picture:
    """BGR uint8 [side, side, 3]: an area of the image, stretched to the square exactly as a live frame is.

    Raises SourceNotFound where the file is gone, SourceError where it is no JPEG that can be decoded.
    """
    try:
        jpeg = image.file.read_bytes()
    except OSError as error:
        raise SourceNotFound(f"{image.file}: found {error.strerror}, expected a picture") from error
    decoded = decode_frame(jpeg, side, View(crop=(area[0], area[1], area[2], area[3])))
    if decoded is None:
        raise SourceError(f"{image.file}: found a file that cannot be decoded, expected a whole JPEG")
    return decoded


class _Row:
    """A row that is being read: what is wrong with it is said with its file and line."""

    def __init__(self, manifest: Path, line: int, row: dict[str, str | None]) -> None:
        self._manifest, self._line, self._row = manifest, line, row

    def image(self) -> RealImage:
        failing = self._one_of("label", LABELS)
        image = RealImage(
            file=self._file(),
            source=self._text("source") or self._wrong("source", "the name of a source"),
            stated_licence=self._one_of("stated_licence", FLAGS),
            print_id=self._text("print_id"),
            frame=self._whole("frame", 10, "a whole number or nothing") if self._text("frame") else None,
            failing=failing,
            kind=self._kind(failing),
            split=self._one_of("split", {split.value: split for split in Split}),
            boxes=self._boxes(),
            after_onset=self._one_of("after_onset", FLAGS) if self._text("after_onset") else None,
            dhash=self._whole("dhash", 16, "64 bits as 16 hexadecimal digits"),
        )
        if image.boxes and not failing:
            self._wrong("boxes", "none: the picture is normal")
        return image

    def _text(self, column: str) -> str:
        value = self._row[column]
        return self._wrong(column, "as many values as there are columns") if value is None else value

    def _one_of(self, column: str, known: Mapping[str, _Value]) -> _Value:
        text = self._text(column)
        return known[text] if text in known else self._wrong(column, f"one of {', '.join(known)}")

    def _whole(self, column: str, base: int, expected: str) -> int:
        try:
            value = int(self._text(column), base)
        except ValueError:
            return self._wrong(column, expected)
        return value if 0 <= value < 1 << 64 else self._wrong(column, expected)

    def _kind(self, failing: bool) -> Kind | None:
        kind = self._one_of("kind", KINDS)
        if (self._text("kind") == "none") == failing:
            self._wrong("kind", "a kind, as the picture fails" if failing else "none: the picture is normal")
        return kind

    def _file(self) -> Path:
        file = self._manifest.parent / self._text("file")
        return file if file.is_file() else self._wrong("file", f"an image below {self._manifest.parent}")

    def _boxes(self) -> tuple[Box, ...]:
        expected = "boxes x,y,width,height from 0 to 1 that lie in the picture, with ; between"
        try:
            read = [Box(*map(float, one.split(","))) for one in self._text("boxes").split(";") if one]
        except (ValueError, TypeError):
            return self._wrong("boxes", expected)
        if not all(_within(box) for box in read):
            self._wrong("boxes", expected)
        return tuple(box for box in read if box.width * box.height >= SLIP)

    def _wrong(self, column: str, expected: str) -> _Value:  # type: ignore[type-var]
        raise UsageError(
            f"{self._manifest}: line {self._line}: {column}: found {self._row[column]!r}, expected {expected}"
        )


def _within(box: Box) -> bool:
    """Whether a box lies in the picture; one with NaN does not."""
    ends = (box.x, box.y, box.x + box.width, box.y + box.height)
    return box.width >= 0 and box.height >= 0 and all(0 <= end <= 1 + ROUNDING for end in ends)
