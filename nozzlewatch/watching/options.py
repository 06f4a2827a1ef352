"""What the commands of the detector's learning share: options, where data lies, and a bar for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import UsageError
from nozzlewatch.data import NONE, data_folder

if TYPE_CHECKING:
    from detector.model.watch_model import WatchModel

MANIFEST = "images/manifest.csv"

Recordings = Annotated[
    list[Path], typer.Argument(metavar="SOURCE…", help="recordings (NAME.mcap) or folders of them")
]
Prints = Annotated[
    list[Path], typer.Argument(metavar="PRINTS…", help="folders of nozzlewatch preprocess to learn from")
]
HeldOut = Annotated[
    list[Path], typer.Option("--held-out", help="a folder of prints that choose and calibrate, of others")
]
DataDir = Annotated[
    str | None, typer.Option("--data-dir", help="folder with images/manifest.csv: real pictures, or none")
]
Trunk = Annotated[
    str | None, typer.Option(help="SqueezeNet 1.1's ImageNet weights to begin with (safetensors), or none")
]
ModelPath = Annotated[
    Path | None, typer.Option("--model-path", help="of nozzlewatch train (default: the one that comes along)")
]
Jobs = Annotated[int | None, typer.Option(min=1, max=1024, help="processes (default: cores)")]
Seed = Annotated[int, typer.Option(min=0)]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]


def data_of(text: str | None) -> Path | None:
    """The folder of real pictures: the one named, none for "none", else the usual one where it has any.

    Raises UsageError for one that is named and has none.
    """
    if text == NONE:
        return None
    folder = data_folder() if text is None else Path(text)
    if (folder / MANIFEST).is_file():
        return folder
    if text is not None:
        raise UsageError(f"--data-dir: found no {folder / MANIFEST}, expected real pictures, or {NONE}")
    return None


def model_of(path: Path | None) -> WatchModel:
    """The network that is named, else the one that comes along. Raises UsageError."""
    from detector.model.watch_model import DEFAULT, default_watch_model, load_watch_model

    model = load_watch_model(path) if path is not None else default_watch_model()
    if model is None:
        raise UsageError(f"--model-path: found none and no {DEFAULT}, expected a file of nozzlewatch train")
    return model


def check_places(**places: str | Path | None) -> None:
    """Before the work: that the files which are to be written can be. ``report_to`` is ``--report-to``.

    Raises UsageError.
    """
    for name, place in places.items():
        if place is None or place == "-":
            continue
        option, path = f"--{name.replace('_', '-')} {place}", Path(place)
        if path.is_dir():
            raise UsageError(f"{option}: found a folder, expected the name of a file to write")
        if not path.parent.is_dir():
            raise UsageError(f"{option}: found no folder {path.parent}, expected one to write into: make it")


def figures_text(figures: dict[str, float], names: Sequence[str]) -> str:
    """Some of the figures in a line: "mistakes 3.100, auc 0.950"."""
    return ", ".join(f"{name} {figures[name]:.3f}" for name in names if name in figures)
