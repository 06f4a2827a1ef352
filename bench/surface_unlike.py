"""Rows of the surface table of what is none of NEU's classes.

``python -m bench.surface_unlike SEED`` judges pictures of other kinds by the network of ``msa-200`` of that
seed and writes ``out/surface/unlike-SEED.json``. None of them chose the threshold.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import torch

from bench.machine import data_dir
from bench.surface_trials import path_of, write_row
from detector.surface.inspect import Inspector
from detector.surface.model_file import load_model
from detector.surface.textures import KINDS, texture
from features.picture import Picture
from features.stills import read_still
from ingest.errors import SourceError

EACH = 100
"""Drawn textures of each kind."""


class UnlikeRow(msgspec.Struct, frozen=True, kw_only=True):
    """The share of pictures that is called none of these, by where they come from, and how many they are.

    ``prints`` are all real print images as they are, ``grey_prints`` the same without their colour, which
    NEU's pictures have none of either; ``sources`` are those of the grey ones by source.
    """

    seed: int
    prints: float
    grey_prints: float
    textures: float
    pictures: dict[str, int]
    sources: dict[str, float]


def unlike_row(seed: int) -> UnlikeRow:
    """Judge everything."""
    inspector = Inspector(load_model(path_of("msa-200", seed, "safetensors")))
    coloured: list[bool] = []
    grey: dict[str, list[bool]] = {}
    for source, picture in print_images(data_dir() / "images"):
        coloured.append(_rejected(inspector, picture))
        grey.setdefault(source, []).append(_rejected(inspector, _grey(picture)))
    drawn = [_rejected(inspector, picture) for picture in textures()]
    every = [one for ones in grey.values() for one in ones]
    return UnlikeRow(
        seed=seed,
        prints=float(np.mean(coloured)),
        grey_prints=float(np.mean(every)),
        textures=float(np.mean(drawn)),
        pictures={"prints": len(coloured), "textures": len(drawn)},
        sources={source: float(np.mean(ones)) for source, ones in sorted(grey.items())},
    )


def print_images(folder: Path) -> Iterator[tuple[str, Picture]]:
    """Every picture of the manifest that can be read, with its source."""
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            try:
                yield row["source"], read_still(folder / row["file"])
            except SourceError as error:
                print(error)


def textures() -> Iterator[Picture]:
    """EACH drawn ones of each kind."""
    for number, kind in enumerate(KINDS):
        for at in range(EACH):
            yield texture(kind, np.random.default_rng((77, number, at)))


def _rejected(inspector: Inspector, picture: Picture) -> bool:
    return inspector.inspect([picture])[0].label is None


def _grey(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def main() -> None:
    """Make the row of the seed that the command line names."""
    torch.set_num_threads(1)
    write_row(unlike_row(seed := int(sys.argv[1])), "unlike", seed)


if __name__ == "__main__":
    main()
