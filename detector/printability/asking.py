"""Networks that a check can ask; our own without torch, which takes longer to import than to check a part."""

from __future__ import annotations

from pathlib import Path

from detector.model.tensor_file import read_tensors
from detector.printability.about import about_in
from detector.printability.seen import Look
from detector.printability.without_torch import OF, HolesJudge

SHIPPED = Path(__file__).parent.parent / "weights" / "printability.safetensors"
"""The network that comes along; a part is judged by its geometry alone where it does not."""


def usual_look() -> Look | None:
    """That of the network that comes along, None where it does not. Raises UsageError for a broken file."""
    return look_of(SHIPPED) if SHIPPED.is_file() else None


def look_of(path: Path) -> Look:
    """That of the network in a file of ``save_model``. Raises UsageError for anything else."""
    arrays, metadata = read_tensors(path, "numpy")
    about = about_in(metadata, path)
    if about.network != OF:
        # Imported where it is needed, with torch.
        from detector.printability.model_file import load_model  # noqa: PLC0415
        from detector.printability.with_torch import look_with_torch  # noqa: PLC0415

        return look_with_torch(load_model(path))
    try:
        return Look(about, HolesJudge(arrays, about.holes))
    except (KeyError, ValueError) as error:
        raise about.misfit(path, error) from error
