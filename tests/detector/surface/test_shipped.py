"""The network that comes along: it is what its card says, it works without data, and others begin with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from typer.testing import CliRunner

from detector.surface.model_file import load_model
from detector.surface.networks import build
from detector.surface.shipped import WALLS
from detector.surface.train import trunk_of
from nozzlewatch.cli import app

CARD = WALLS.with_suffix(".md").read_text(encoding="utf-8")


def test_the_card_is_of_this_very_file_with_its_data_licences_and_figures() -> None:
    assert hashlib.sha256(WALLS.read_bytes()).hexdigest() in CARD
    for told in ("no real picture", "MIT License", "BSD 2-clause", "accuracy, simulated", "on real walls"):
        assert told in CARD


def test_the_demo_draws_walls_and_tells_their_flaws_without_data(tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["surface", "demo", "--dir", str(tmp_path), "--per-class", "3", "--json", "-"]
    )
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["pictures"] == 18
    assert found["accuracy"] >= 0.9
    assert len(list((tmp_path / "walls").rglob("*.png"))) == 18
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_clean_walls_are_sound_and_flaws_are_not() -> None:
    about, memory = load_model(WALLS)[1:]
    assert about.sound == ("clean",)
    assert set(about.sound) < set(about.classes)
    assert memory is not None


def test_other_networks_begin_with_its_trunk() -> None:
    trunk = trunk_of(WALLS)
    assert trunk is not None
    for model_type in ("MSA_Addition_Pool35", "SqueezeNet"):
        state = build(model_type, 4, trunk).state_dict()
        name = next(name for name in state if name.endswith("features.12.expand3x3.weight"))
        assert torch.equal(state[name], trunk["features.12.expand3x3.weight"])
