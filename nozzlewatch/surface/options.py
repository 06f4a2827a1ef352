"""Options that several ``surface`` commands share; with dashes or underscores, as their users know them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from ingest.errors import UsageError
from nozzlewatch.data import NONE, data_folder

log = logging.getLogger(__name__)

USUAL_TRUNK = "weights/squeezenet1_1_features.safetensors"
DEFAULT_TYPE = "MSA_Addition_Pool35"

DataDir = Annotated[Path, typer.Option("--data-dir", "--data_dir", help="folder that holds datasets")]
Dataset = Annotated[str, typer.Option(help="folder in it with a folder of pictures for each class")]
BatchSize = Annotated[int, typer.Option("--batch-size", "--batch_size", min=1, help="pictures at a time")]
ModelPath = Annotated[Path, typer.Option("--model-path", "--model_path", help="a trained network")]
ModelType = Annotated[
    str, typer.Option("--model-type", "--model_type", help="which network; a wrong name lists them")
]
Trunk = Annotated[
    str | None, typer.Option(help="SqueezeNet 1.1's ImageNet weights to begin with (safetensors), or none")
]
Validation = Annotated[float, typer.Option(help="share of each class that chooses the best epoch")]
Seed = Annotated[int, typer.Option(min=0)]
Engine = Annotated[
    Literal["auto", "openvino", "torch"], typer.Option(help="what runs the network; auto is the fastest")
]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]


def trunk_for(model_type: str, asked: str | None) -> Path | None:
    """The file to begin with: none for a network with another trunk, unless one is named all the same."""
    from detector.surface.networks import takes_trunk

    return trunk_of(asked) if asked or takes_trunk(model_type) else None


def trunk_of(text: str | None) -> Path | None:
    """The file to begin with: the one named, none for "none", else ImageNet's of the real data, else ours."""
    from detector.surface import shipped

    if text == NONE:
        return None
    if text is not None:
        return Path(text)
    usual = data_folder() / USUAL_TRUNK
    if usual.is_file():
        return usual
    log.info("found no %s: beginning with the trunk of the network that comes along", usual)
    return shipped.WALLS


def check_validation(share: float) -> None:
    """Raises UsageError."""
    if not 0 < share < 1:
        raise UsageError(f"--validation: found {share:g}, expected a share between 0 and 1")
