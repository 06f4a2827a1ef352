"""``predict`` says of any picture or print what is wrong with it, or what is wrong with the file."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from detector.anomaly import Kind
from detector.model.watch_model import save_watch_model
from features.stills import write_png
from nozzlewatch.cli import app
from tests.detector.learning.tiny_model import tiny_model
from tests.detector.learning.tiny_prints import tiny, write_prints
from tests.nozzlewatch.inspected import noise

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that sees something in every picture: its map's bias is high."""
    path, tiny_one = tmp_path_factory.mktemp("model") / "watch.safetensors", tiny_model()
    with torch.no_grad():
        tiny_one.frame.where[2].get_parameter("weight").zero_()
        tiny_one.frame.where[2].get_parameter("bias").fill_(2.0)
    save_watch_model(path, tiny_one)
    return path


def run(model: Path, *arguments: object) -> Result:
    usual = ["--model-path", str(model), "--engine", "torch"]
    return CliRunner().invoke(app, ["predict", *map(str, arguments), *usual])


def told(model: Path, *arguments: object) -> dict[str, Any]:
    result = run(model, *arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def header_of(width: int, height: int) -> bytes:
    """A PNG that claims to be of this size and has no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def test_a_picture_has_a_probability_kinds_and_boxes(model: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", noise(1))
    (one,) = told(model, tmp_path / "a.png")["pictures"]
    assert one["failing"]
    assert one["probability"] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=0.02)
    assert one["kind"] == next(iter(one["kinds"]))
    assert one["boxes"][0]["width"] == 1.0  # every cell
    assert (one["width"], one["height"], len(one["map"])) == (60, 48, 13)
    (calm,) = told(model, tmp_path / "a.png", "--threshold", 0.99)["pictures"]
    assert (calm["failing"], calm["kind"]) == (False, None)


def test_grey_deep_and_transparent_pictures_are_judged_and_broken_ones_told(
    model: Path, tmp_path: Path
) -> None:
    picture = noise(2)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "deep.png"), picture.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "clear.png"), np.dstack([picture, grey]))
    (tmp_path / "huge.png").write_bytes(header_of(40_000, 40_000))
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "cut.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes()[:40])
    found = {Path(one["picture"]).name: one["error"] for one in told(model, tmp_path)["pictures"]}
    assert [name for name, error in found.items() if error is None] == ["clear.png", "deep.png", "grey.png"]
    assert "found 40000 x 40000 pixels, expected at most 64 megapixels" in found["huge.png"]
    assert "found an empty file" in found["empty.jpg"]
    assert found["cut.jpg"]
    people = run(model, tmp_path)
    assert people.exit_code == 0
    assert people.stdout.count("left out: ") == 3
    assert "3 pictures, 3 with a failure" in people.stdout


def test_where_none_can_be_read_it_fails_and_says_why(model: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"not a picture")
    alone = run(model, tmp_path / "one.png")
    assert alone.exit_code == 1
    assert "it is no picture" in alone.stderr
    absent = run(model, tmp_path / "absent.png")
    assert absent.exit_code == 2
    assert "found no such file or folder" in absent.stderr


def test_a_print_is_told_change_by_change(model: Path, tmp_path: Path) -> None:
    write_prints(tmp_path, [tiny("one", Kind.STALL, blind=True)])
    (tmp_path / "two.beats").write_bytes(b"no print")
    found = told(model, tmp_path)
    assert [one["name"] for one in found["prints"]] == ["one"]
    assert [one["error"] is None for one in found["pictures"]] == [False]
    people = run(model, tmp_path / "one.beats")
    assert people.exit_code == 0
    assert "one: 1.3 min, 0 pictures" in people.stdout


def test_the_page_shows_pictures_with_their_boxes_and_prints(model: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "<b>.png", noise(1))
    write_prints(tmp_path, [tiny("one", Kind.STALL, blind=True)])
    page = tmp_path / "page.html"
    assert run(model, tmp_path, "--report", page).exit_code == 0
    text = page.read_text()
    assert "data:image/jpeg;base64," in text
    assert 'class="spot"' in text
    assert "&lt;b&gt;.png" in text
    assert "<b>.png" not in text
    assert "<h2>Prints</h2>" in text
    assert "script" not in text


def test_without_a_model_it_says_what_it_needs(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", noise(1))
    missing = run(tmp_path / "absent", tmp_path / "a.png")
    assert missing.exit_code == 2
    assert "found no file, expected weights" in missing.stderr
