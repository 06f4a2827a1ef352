"""A dataset on disk: a folder for each class, named as the class is, with its pictures and nothing below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.stills import SUFFIXES
from ingest.errors import SourceError, SourceNotFound, UsageError

MIN_CLASSES = 2
NAMED = 5
"""How many of the files or folders that are wrong a message names."""


def class_files(folder: Path, fewest: int = MIN_CLASSES) -> Mapping[str, list[Path]]:
    """The pictures of each class, classes and pictures in order of name; what is hidden is passed over.

    Raises SourceNotFound for no folder and for one without pictures, SourceError for one that cannot be read,
    UsageError for folders within a class and for less than ``fewest`` classes.
    """
    if not folder.is_dir():
        raise SourceNotFound(f"{folder}: found no folder, expected one with a folder for each class")
    classes = [path for path in _within(folder) if path.is_dir()]
    for class_folder in classes:
        _check_flat(class_folder)
    found = {path.name: _pictures(path) for path in classes}
    if not any(found.values()):
        raise SourceNotFound(
            f"{folder}: found no picture in {len(classes)} folders, expected a folder for each class with "
            f"files ending in {', '.join(sorted(SUFFIXES))}"
        )
    if len(classes) < fewest:
        raise UsageError(
            f"{folder}: found one class ({classes[0].name}), expected {fewest} or more, each a folder"
        )
    return found


def pictures_in(folder: Path) -> list[Path]:
    """All pictures of a folder and of the folders directly in it, in order of name; not deeper.

    A folder that cannot be read stands among them in its own name: who reads it, says so. Raises SourceError
    where ``folder`` itself cannot be read, SourceNotFound where nothing is in it.
    """
    found = [each for path in _within(folder) for each in _one_down(path)]
    if not found:
        raise SourceNotFound(
            f"{folder}: found no picture in it and in the folders directly in it, expected files ending in "
            f"{', '.join(sorted(SUFFIXES))}: name the folder that holds them"
        )
    return found


def _one_down(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.suffix.lower() in SUFFIXES else []
    try:
        return _pictures(path)
    except SourceError:
        return [path]


def _check_flat(class_folder: Path) -> None:
    within = [path.name for path in _within(class_folder) if path.is_dir()]
    if within:
        raise UsageError(
            f"{class_folder}: found folders in a class ({', '.join(within[:NAMED])}), expected pictures "
            f"alone: if these are the classes, the dataset is {class_folder}; else move them out"
        )


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _within(folder) if path.suffix.lower() in SUFFIXES]


def _within(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden, in order of name."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SourceError(f"{folder}: found {error.strerror}, expected a readable folder") from error
