"""What ``surface inspect`` found, as a page and by tiles: pictures, surfaces, and what nobody knows."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.surface.memory import Memory
from detector.surface.model_file import About, SurfaceModel, save_model
from features.stills import write_png
from nozzlewatch.surface import inspection_report
from tests.nozzlewatch.inspected import CLASSES, SIDE, inspect, noise, objects


class Page(HTMLParser):
    """What a page is made of, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "onerror"}]


def test_a_page_shows_each_picture_and_its_heat_and_needs_no_network(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    assert inspect(model, pictures, "--report", tmp_path / "page.html").code == 0
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.tags.count("img") == 2 * 4
    assert all(source.startswith("data:image/jpeg;base64,/9j/") for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "b/2.png" in text
    assert "4 with a defect" in text


@pytest.fixture
def knowing(network: SurfaceModel, tmp_path: Path) -> Path:
    """The network, which remembers one dark picture and calls half the way to a light one too far."""
    pixels = torch.from_numpy(np.stack([noise(1, SIDE, SIDE), noise(1, SIDE, SIDE, 200)])).permute(0, 3, 1, 2)
    mean = torch.tensor((104.0, 117.0, 123.0)).view(3, 1, 1)
    with torch.inference_mode():
        seen = network.network.judge(pixels.float() - mean).embedding.numpy()
    bare = Memory(torch.from_numpy(seen[:1]).half(), torch.zeros(1, dtype=torch.int64), torch.ones(2))
    memory = bare._replace(limits=torch.from_numpy(bare.distances(seen)[1]) / 2)
    about = About(model_type="SqueezeNet", classes=CLASSES, side=SIDE, sound=CLASSES)
    path = tmp_path / "knowing.safetensors"
    save_model(path, SurfaceModel(network.network, about, memory))
    return path


def test_none_of_these_is_told_and_what_is_known_is_sound(knowing: Path, tmp_path: Path) -> None:
    for name, level in (("1.png", 60), ("2.png", 200)):
        write_png(tmp_path / name, noise(1, SIDE, SIDE, level))
    known, strange = objects(knowing, tmp_path)
    assert known["label"] == known["nearest"]
    assert known["sound"]
    assert known["unlikeness"] < 0.2
    assert (strange["label"], strange["sound"], strange["text"]) == (None, False, "none of these")
    assert strange["unlikeness"] == pytest.approx(2, abs=0.2)
    told = inspect(knowing, tmp_path, "--report", tmp_path / "page.html")
    assert re.search(r"none of\s+these, nearest", told.out)
    assert "yes (" in told.out
    assert "no (" in told.out
    page = (tmp_path / "page.html").read_text()
    assert "1 none of these" in page
    assert "1 sound" in page
    assert 'class="odd">none of these' in page


def test_a_large_surface_goes_by_tiles_and_every_tile_is_told(model: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "large.png", noise(3, 200, 300))
    (found,) = objects(model, tmp_path / "large.png", "--tile-px", 100, "--batch-size", 4)
    surface = found["surface"]
    assert (surface["rows"], surface["columns"]) == (3, 4)
    assert len(surface["tiles"]) == 12
    assert surface["tiles"][-1]["box"]["x"] == 200
    assert surface["tiles"][-1]["box"]["share"] == [0.666667, 0.5, 0.333333, 0.5]
    assert sum(region["tiles"] for region in surface["regions"]) == 12
    assert sum(surface["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert found["label"] == surface["regions"][0]["label"]
    assert np.array(found["heat"]).shape == (3, 4)
    log = tmp_path / "log"
    told = inspect(
        model, tmp_path / "large.png", "--tile_px", 100, "--report", tmp_path / "page.html", "--log-file", log
    )
    assert "3 x 4 tiles" in told.out
    assert "3 x 4 tiles" in (tmp_path / "page.html").read_text()
    assert "tiles" not in json.loads(log.read_text())["surface"]


def test_no_name_of_a_file_becomes_markup(model: Path, tmp_path: Path) -> None:
    evil = tmp_path / "<img src=x onerror=alert(1)>[red]"
    evil.mkdir()
    write_png(evil / "&lt;b&gt; {{ 7 * 7 }}\x1b[31m.png", noise(1))
    (evil / "<script>.png").write_text("no picture")
    told = inspect(model, evil, "--report", tmp_path / "page.html")
    assert told.code == 0
    assert "\x1b" not in told.out
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.tags.count("img") == 2
    assert "script" not in page.tags
    assert "x" not in page.sources
    assert "{{ 7 * 7 }}" in text


def test_a_name_that_is_no_utf8_is_told_and_written(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    write_png(folder / b"\xff1.png".decode(errors="surrogateescape"), noise(1))
    (folder / b"\xff2.png".decode(errors="surrogateescape")).write_text("no picture")
    first, second = objects(model, folder, "--report", tmp_path / "page.html", "--log-file", tmp_path / "log")
    assert first["picture"].endswith("\ufffd1.png")
    assert "\ufffd2.png" in second["error"]


def test_a_page_is_bounded_and_says_so(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection_report, "CARDS", 3)
    monkeypatch.setattr(inspection_report, "ROWS", 4)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(9):
        write_png(folder / f"{number}.png", noise(number))
    assert inspect(model, folder, "--report", tmp_path / "page.html").code == 0
    text = (tmp_path / "page.html").read_text()
    assert Page(text).tags.count("img") == 2 * 3
    assert "The first 3 pictures are shown above" in text
    assert "2 more are left away" in text
    assert [name in text for name in ("2.png", "6.png", "7.png")] == [True, True, False]
