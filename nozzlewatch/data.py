"""Where real data lies that is not Nozzlewatch's own: real G-code, ImageNet's weights."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE, USUAL = "NOZZLEWATCH_DATA", "../shared/data"
NONE = "none"
"""What a user says to do without."""


def data_folder() -> Path:
    """The folder that NOZZLEWATCH_DATA names, else the usual one; it need not be there."""
    return Path(os.environ.get(VARIABLE, USUAL))
