"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import build
from features.stills import write_png
from tests.nozzlewatch.inspected import CLASSES, SIDE, noise


@pytest.fixture(scope="module")
def network() -> SurfaceModel:
    """A small network that was never trained: it gives the same answer always, and that is enough here."""
    return SurfaceModel(
        build("SqueezeNet", 2, seed=0).eval(), About(model_type="SqueezeNet", classes=CLASSES, side=SIDE)
    )


@pytest.fixture(scope="module")
def model(network: SurfaceModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, network)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A dataset as it is trained on, a picture beside the classes, and a text."""
    folder = tmp_path / "pictures"
    for name in ("b/2", "b/1", "a/1", "z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / f"{name}.png", noise(len(name)))
    (folder / "README.md").write_text("not a picture, and not called one")
    return folder
