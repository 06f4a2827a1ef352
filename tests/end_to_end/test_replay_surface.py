"""The part of a replayed print is judged when its recording ends, by the network that was named for it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch

from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import build
from nozzlewatch.replay import Replayed, replay, tell
from sinks.read_log import read_inspections, read_scores
from tests.detector.at_work import scene_jpeg

BEGIN_S = 1_700_000_000
SECONDS = 20
CLASSES = ("good", "stringing")


@pytest.fixture(scope="module", name="pictures")
def _pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recorded print that is nothing but pictures."""
    folder = tmp_path_factory.mktemp("benchy")
    for second in range(SECONDS):
        (folder / f"{BEGIN_S + second}.jpg").write_bytes(scene_jpeg(second))
    return f"images:{folder}"


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that finds strings on everything."""
    network = build("SqueezeNet", len(CLASSES), seed=0)
    last = network.get_submodule("head.1")
    with torch.no_grad():
        last.get_parameter("weight").zero_()
        last.get_parameter("bias").copy_(torch.tensor([0.0, 3.0]))
    path = tmp_path_factory.mktemp("model") / "net.safetensors"
    about = About(model_type="SqueezeNet", classes=CLASSES, side=64, sound=("good",))
    save_model(path, SurfaceModel(network, about))
    return path


def replayed(out: Path, source: str, model: Path | None) -> Replayed:
    return replay([source], out, printer="ender", surface_model=model, stop=threading.Event())


def test_the_part_is_judged_once_and_stands_in_log_report_and_terminal(
    pictures: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = replayed(tmp_path, pictures, model)
    (inspection,) = read_inspections(tmp_path / "log", printer="ender")
    assert (inspection.verdict, inspection.sound) == ("stringing", False)
    assert inspection.probability == pytest.approx(0.9526, abs=0.01)
    assert [one.frame.captured_ns // 10**9 - BEGIN_S for one in inspection.pictures] == [5, 10, 15]
    assert inspection.at_ns == (BEGIN_S + SECONDS) * 10**9
    assert found.inspections == [inspection]
    line = "After the print: surface: stringing 95 % (3 of 3 pictures)"
    assert line in (tmp_path / "report.html").read_text()
    tell(found, None)
    assert line in capsys.readouterr().out
    (told,) = json.loads((tmp_path / "report.json").read_bytes())["inspections"]
    assert (told["verdict"], told["text"]) == ("stringing", inspection.text)


def test_a_replay_finds_the_very_same_with_and_without_a_surface_network(
    pictures: str, model: Path, tmp_path: Path
) -> None:
    plain, judged = replayed(tmp_path / "a", pictures, None), replayed(tmp_path / "b", pictures, model)
    assert plain.inspections == []
    assert not (tmp_path / "a" / "log" / "inspections").exists()
    assert plain.anomalies == judged.anomalies
    rows = [read_scores(one.out / "log").drop(["stream", "entry_id"]).to_pylist() for one in (plain, judged)]
    assert rows[0] == rows[1]
    again = replayed(tmp_path / "b", pictures, model)  # into the same folder
    assert again.inspections == judged.inspections
    assert len(read_inspections(tmp_path / "b" / "log")) == 1
