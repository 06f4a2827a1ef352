"""Options that several ``printability`` commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_NETWORK = "ThroughHoles"
DEFAULT_SIZE = 128
"""The published full resolution; of rotated holes what they are made in, 64, is enough for it."""

Parts = Annotated[Path, typer.Option("--data", help="folder of nozzlewatch printability preprocess")]
ModelPath = Annotated[Path, typer.Option("--model-path", help="a trained network (safetensors)")]
Network = Annotated[str, typer.Option(help="which network; a wrong name lists them")]
Size = Annotated[int, typer.Option(help="voxels a side that it sees: 64 or 128")]
Holes = Annotated[
    Literal["top", "rotated"], typer.Option("--set", help="holes from the top, or along any direction")
]
SplitOption = Annotated[
    Literal["honest", "random"],
    typer.Option(help="hold out whole designers, or, as published, samples: variants on both sides"),
]
Unbalanced = Annotated[
    bool, typer.Option("--unbalanced", help="also samples of parts that have no room for the opposite one")
]
BatchSize = Annotated[int, typer.Option(min=1, help="samples at a time, of all processes together")]
EpochSamples = Annotated[
    int | None, typer.Option(min=1, help="most samples of an epoch, drawn anew in each (default: all)")
]
Turned = Annotated[bool, typer.Option(help="turn parts by right angles, as far as their set allows")]
Places = Annotated[
    int,
    typer.Option(min=0, help="where a sample's hole is, one place an epoch in turn; 0: always a new one"),
]
Seed = Annotated[int, typer.Option(min=0)]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]
