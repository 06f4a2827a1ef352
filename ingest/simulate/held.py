"""What a folder of simulated prints holds: recordings of one set, which is made by one process at a time.

``simulation.json`` says what they have in common; recordings of other arguments or of another simulator are
never mixed into the folder.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ingest.errors import UsageError
from ingest.recordings.writer import SUFFIX
from ingest.simulate.splits import Split

MAKING, HELD, LOCK = ".making", "simulation.json", "lock"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the recordings of a folder have in common."""

    split: Split
    seed: int
    minutes: float
    fps: float
    failing: float
    size: tuple[int, int]  # width, height, pixels
    gcode: str  # the version of the real G-code that jobs are taken from, "" for none
    pairs: bool = False
    kinds: tuple[str, ...] = ()  # those that take turns
    simulator: str


@contextmanager
def claimed(folder: Path, held: Held) -> Iterator[None]:
    """The folder, made where it is missing, checked to hold nothing else, and nobody else's meanwhile.

    Raises UsageError.
    """
    try:
        (folder / MAKING).mkdir(parents=True, exist_ok=True)
        lock = (folder / MAKING / LOCK).open("w")
    except OSError as error:
        raise UsageError(
            f"{folder}: found {error.strerror}, expected a folder to write recordings into"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"{folder}: found another simulate at work there, expected none: wait for it, or "
                "choose another folder"
            ) from error
        _claim(folder, held)
        yield


def _claim(folder: Path, held: Held) -> None:
    """Check that the folder holds recordings of these arguments, or say that it will."""
    told = folder / HELD
    if not told.exists():
        _refuse_strangers(folder)
        fresh = told.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(held)) + b"\n")
        fresh.replace(told)
        return
    try:
        before = msgspec.json.decode(told.read_bytes(), type=Held)
    except (msgspec.DecodeError, OSError) as error:
        raise UsageError(f"{told}: found what is no such file ({error}): choose another folder") from error
    differences = [
        f"{name} {getattr(before, name)} (now {getattr(held, name)})"
        for name in Held.__struct_fields__
        if getattr(before, name) != getattr(held, name)
    ]
    if differences:
        raise UsageError(
            f"{folder}: found recordings of {', '.join(differences)}, expected those of the same "
            "arguments and simulator: choose another folder, or remove this one"
        )


def _refuse_strangers(folder: Path) -> None:
    strangers = sorted(folder.glob(f"*{SUFFIX}"))
    if strangers:
        raise UsageError(
            f"{folder}: found {strangers[0].name} but no {HELD} that says what made it, expected a "
            "folder of its own for simulated recordings: choose another one"
        )
