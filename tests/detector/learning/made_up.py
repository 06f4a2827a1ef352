"""Small made-up folders of images with a manifest, and images that need no file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from detector.anomaly import Box, Kind
from detector.learning.real_images import COLUMNS, MANIFEST, RealImage, Split
from features.stills import as_jpeg

BOX = Box(0.5, 0.25, 0.25, 0.5)
ROW = {
    "source": "web",
    "stated_licence": "1",
    "print_id": "",
    "frame": "",
    "label": "failing",
    "kind": "spaghetti",
    "after_onset": "",
    "split": "train",
    "boxes": "0.5,0.25,0.25,0.5",
    "dhash": "00ff00ff00ff00ff",
}
_HASHES = np.random.default_rng(1)
NORMAL = {"label": "normal", "kind": "none", "boxes": ""}


def folder(data: Path, *rows: dict[str, str]) -> Path:
    """A data folder with an image for each row; what a row leaves out is as in ROW."""
    manifest = data / MANIFEST
    manifest.parent.mkdir(parents=True)
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, row in enumerate(rows):
            (manifest.parent / f"{number}.jpg").write_bytes(as_jpeg(coloured(number)))
            writer.writerow({"file": f"{number}.jpg"} | ROW | row)
    return data


def coloured(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """320 x 240 px, dark, with the box of ROW in a brightness that tells the number."""
    picture = np.full((240, 320, 3), 20, np.uint8)
    picture[60:180, 160:240] = 100 + 10 * number
    return picture


def image(
    source: str = "web",
    print_id: str = "",
    *,
    failing: bool = True,
    boxes: tuple[Box, ...] = (),
    frame: int | None = None,
    kind: Kind | None = None,
    split: Split = Split.TRAIN,
    dhash: int | None = None,
) -> RealImage:
    """An image without a file; its hash is far from every other one's unless it is given."""
    bits = int(_HASHES.integers(1 << 63)) if dhash is None else dhash
    return RealImage(Path("no.jpg"), source, True, print_id, frame, failing, kind, split, boxes, None, bits)
