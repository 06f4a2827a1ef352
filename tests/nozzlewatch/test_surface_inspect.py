"""``surface inspect``: pictures from files, folders and cameras are judged and told."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from detector.surface.inspect import Inspector
from detector.surface.model_file import SurfaceModel
from features.stills import write_png
from ingest.errors import SourceError
from nozzlewatch import trial
from nozzlewatch.surface.inspection import Asked, engine_for
from nozzlewatch.surface.inspection_source import find_stills
from tests.ingest.web import jpeg, open_stream, part, serving, talking, until_gone
from tests.nozzlewatch.inspected import CLASSES, Told, inspect, noise, objects


def kept(folder: Path, name: str, ending: str, pixels: np.ndarray[Any, Any]) -> Path:
    path = folder / name
    path.write_bytes(cv2.imencode(ending, pixels)[1].tobytes())
    return path


def test_a_picture_is_told_with_everything_that_is_found(
    model: Path, network: SurfaceModel, pictures: Path
) -> None:
    (found,) = objects(model, pictures / "z.png")
    (expected,) = Inspector(network, engine="torch").inspect([noise(1)])
    assert found["picture"] == str(pictures / "z.png")
    assert (found["label"], found["nearest"]) == (expected.label, expected.nearest)
    assert found["probability"] == pytest.approx(expected.probability, abs=1e-4)
    assert list(found["probabilities"]) == list(CLASSES)
    assert (found["unlikeness"], found["sound"], found["error"]) == (None, False, None)
    assert np.abs(np.array(found["heat"]) - expected.heat).max() <= 0.0051
    assert (found["width"], found["height"], found["surface"]) == (60, 48, None)
    assert found["ms_per_picture"] > 0
    assert found["read_ms"] > 0
    assert (found["model_path"], found["classes"]) == (str(model), list(CLASSES))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT.*Z", found["at"])


def test_a_folder_is_read_in_order_one_level_down_and_not_deeper(model: Path, pictures: Path) -> None:
    (pictures / "a" / "deep").mkdir()
    write_png(pictures / "a" / "deep" / "x.png", noise(1))
    write_png(pictures / ".hidden.png", noise(1))
    names = [Path(one["picture"]).relative_to(pictures).as_posix() for one in objects(model, pictures)]
    assert names == ["a/1.png", "b/1.png", "b/2.png", "z.png"]


@pytest.mark.parametrize("batch", [1, 3])
def test_the_answer_does_not_depend_on_the_company(model: Path, pictures: Path, batch: int) -> None:
    together = objects(model, pictures, "--batch-size", batch)
    for one in together:
        (alone,) = objects(model, one["picture"])
        assert one["probability"] == pytest.approx(alone["probability"], abs=0.01)


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(model: Path, pictures: Path) -> None:
    (pictures / "a" / "broken.png").write_text("no picture")
    (pictures / "b" / "empty.png").touch()
    found = objects(model, pictures)
    errors = {Path(one["picture"]).name: one["error"] for one in found if one["error"]}
    assert len(found) == 6
    assert "begins with b'no pictu'" in errors["broken.png"]
    assert "found an empty file" in errors["empty.png"]
    told = inspect(model, pictures)
    assert told.code == 0
    assert "4 pictures: " in told.out
    assert "2 left out" in told.out
    assert told.out.count("left out: ") == 2


def test_where_nothing_can_be_read_it_fails_and_says_why(model: Path, tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_text("no picture")
    told = inspect(model, tmp_path, "--log-file", tmp_path / "log")
    assert told.code == 1
    assert "found 2 files and none that can be read; the first:" in told.said
    assert len((tmp_path / "log").read_text().splitlines()) == 2


def test_one_picture_that_cannot_be_read_is_told_once(model: Path, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("no picture")
    told = inspect(model, tmp_path / "1.png")
    assert (told.code, told.out) == (1, "")
    assert told.said.count("expected JPEG, PNG, BMP or TIFF") == 1


def test_a_folder_without_pictures_says_what_was_looked_for(model: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    told = inspect(model, tmp_path)
    assert told.code == 1
    assert re.search(r"found no picture .*, expected files ending in .*\.png", told.said)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "nowhere.png",
            r"nowhere\.png: found no such file or folder, expected a picture, .* address",
        ),
        ("mjpg:http://user:secret@x/", r"did you mean mjpeg:http://x/"),
        ("mjpeg:http://user:secret@x/#turn=1", r"found option 'turn', expected one of"),
        ("x" * 5000, "found no such file"),
    ],
)
def test_what_is_neither_a_path_nor_an_address_is_wrong_usage(model: Path, source: str, words: str) -> None:
    told = inspect(model, source)
    assert told.code == 2
    assert re.search(words, told.said)
    assert "secret" not in told.said


def test_grey_deep_and_transparent_pictures_are_judged_as_their_colours(model: Path, tmp_path: Path) -> None:
    level = noise(5)[..., 0]
    colour = np.repeat(level[..., None], 3, 2)
    alpha = np.concatenate([colour, np.full((*level.shape, 1), 9, np.uint8)], 2)
    plain, *others = (
        objects(model, kept(tmp_path, f"{number}.png", ".png", pixels))[0]["probability"]
        for number, pixels in enumerate((colour, level, level.astype(np.uint16) * 257, alpha))
    )
    assert others == pytest.approx([plain] * 3, abs=0.002)


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(model: Path, tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 9000, 8000, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "huge.png").write_bytes(huge)
    told = inspect(model, tmp_path / "huge.png")
    assert told.code == 1
    assert "found 9000 x 8000 pixels, expected at most 64 megapixels" in told.said


def test_a_live_camera_is_looked_through_once(model: Path) -> None:
    async def run() -> list[dict[str, Any]]:
        async def handler(request: Any) -> Any:
            stream = await open_stream(request)
            for _ in range(3):
                await stream.write(part(jpeg(90, 160, 120)))
            return stream

        async with serving(handler) as url:
            address = f"mjpeg:{url}/#user=u&password=secret"
            return await asyncio.to_thread(objects, model, address)

    (found,) = asyncio.run(run())
    assert (found["width"], found["height"]) == (160, 120)
    assert found["picture"].startswith("mjpeg:http://127.0.0.1")
    assert "secret" not in json.dumps(found)


def test_a_camera_that_is_not_there_fails_and_says_what_to_do(model: Path) -> None:
    told = inspect(model, "mjpeg:http://user:secret@127.0.0.1:9/x")
    assert told.code == 1
    assert "found nobody at 127.0.0.1:9" in told.said
    assert "secret" not in told.said


def test_a_camera_that_says_nothing_is_not_waited_for_any_longer(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "FIRST_S", 0.3)

    async def run() -> Told:
        async with talking(lambda reader, writer: until_gone(reader)) as url:
            return await asyncio.to_thread(inspect, model, f"mjpeg:{url}/")

    told = asyncio.run(run())
    assert told.code == 1
    assert re.search(r"mjpeg:http://127\.0\.0\.1.*: found nothing within 0\.3 s", told.said)


def test_a_folder_as_a_camera_gives_its_first_picture(model: Path, pictures: Path) -> None:
    (found,) = objects(model, f"images:{pictures / 'b'}")
    assert found["picture"] == f"images:{pictures / 'b'}"


def test_reading_is_put_off_until_a_picture_is_wanted(pictures: Path) -> None:
    source = find_stills(str(pictures))
    (pictures / "z.png").unlink()
    *others, last = source.stills
    assert all(one.read().shape == (48, 60, 3) for one in others)
    with pytest.raises(SourceError, match=r"z\.png: found nothing"):
        last.read()


def test_lines_of_json_are_appended_as_pictures_come(model: Path, pictures: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for _ in range(2):
        objects(model, pictures, "--log_file", log)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [Path(line["picture"]).name for line in lines] == ["1.png", "1.png", "2.png", "z.png"] * 2
    assert all("heat" not in line and line["label"] in CLASSES for line in lines)


@pytest.mark.parametrize("option", ["--json", "--report", "--log-file"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    model: Path, pictures: Path, option: str
) -> None:
    told = inspect(model, pictures, option, pictures / "nowhere" / "out")
    assert told.code == 2
    assert option in told.said
    assert told.out == ""


def test_nothing_is_compiled_for_a_few_pictures_unless_that_is_asked_for() -> None:
    asked = Asked(source="x", model_path=Path("m"))
    assert (engine_for(asked, 1), engine_for(asked, 10_000)) == ("torch", "auto")
    assert engine_for(replace(asked, engine="openvino"), 1) == "openvino"
    assert engine_for(replace(asked, tile_px=224), 1) == "auto", "a surface may have thousands of tiles"


def test_a_model_that_is_none_is_told(pictures: Path, tmp_path: Path) -> None:
    told = inspect(tmp_path / "nowhere.safetensors", pictures)
    assert told.code == 2
    assert "nowhere.safetensors" in told.said
