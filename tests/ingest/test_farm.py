"""The farm file: every mistake at once, each with its key, what was found and what was expected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from ingest.align import Timing
from ingest.errors import FarmFileError
from ingest.farm import load_farm
from ingest.feed import Feed
from ingest.records import NS_PER_S
from ingest.writer import Captured
from sinks.settings import load_settings

ROOT = Path(__file__).parent.parent.parent
GOOD = """
[farm]
data = "kept"
span_s = 0.5
lateness_s = 1.5

[[printers]]
name = "ender"
camera = "images:prints/frames?fps=2"
telemetry = "log:prints/serial.log"
"""
TEN_MISTAKES = """
colour = "red"

[farm]
nmae = "cellar"
shards = "eight"
span_s = 0
redis = "localhost:6379"

[[printers]]
name = "a"
camera = "imagse:frames"

[[printers]]
name = "a"
telemetry = "log:serial.log?bd=3"

[[printers]]
name = "c"

[[printers]]
name = "d"
camera = "images:frames"
telemetry = "serial:/dev/ttyUSB0"

[[printers]]
name = "e"
telemetry = "telnet:10.0.0.7"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "farm.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(FarmFileError) as raised:
        load_farm(written(folder, text))
    return raised.value.mistakes


def test_ten_mistakes_are_told_at_once_each_with_key_found_and_expected(tmp_path: Path) -> None:
    told = [
        ("colour", "an unknown key (= 'red')", "known keys: farm, printers"),
        ("farm.nmae", "an unknown key (= 'cellar')", "did you mean name?"),
        ("farm.shards", "'eight'", "expected a whole number from 1 to 1024"),
        ("farm.span_s", "found 0", "expected seconds from 0.1 to 60"),
        ("farm.redis", "'localhost:6379'", "expected embedded or an address that begins with redis://"),
        ("printers[0].camera", "'imagse:frames'", "(did you mean images:frames?)"),
        ("printers[1].telemetry", "option 'bd'", "expected one of: start"),
        ("printers[2]", "neither camera nor telemetry", "expected at least one of them"),
        ("printers[3]", "'images:frames'", "expected both live or both recorded"),
        ("printers[4].telemetry", "'telnet:10.0.0.7'", "expected one of serial:, "),
        ("printers", "2 printers named 'a'", "expected each name once"),
    ]
    mistakes = mistakes_of(tmp_path, TEN_MISTAKES)
    for key, found, expected in told:
        mine = [mistake for mistake in mistakes if mistake.startswith(f"farm.toml: {key}: ")]
        assert any(found in mistake and expected in mistake for mistake in mine), (key, mine)
    assert len(mistakes) == len(told)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("telemetry = 7", "printers[0].telemetry: found 7, expected str"),
        ('telemetry = "serial.log"', "found 'serial.log', expected one of serial:, "),
        ('telemetry = "log:"', "(for instance log:PATH)"),
        ('telemetry = "serial:/dev/ttyUSB0?baud=fast"', "found baud='fast', expected a number from 1200"),
        ('telemetry = "log:a.log?start=yesterday"', "found start='yesterday', expected a day or a moment"),
        ('camera = "images:frames?fps=0"', "found fps='0', expected a number from"),
        ('camera = "log:a.log"', "printers[0].camera: found 'log:a.log', expected one of mjpeg:, "),
        ('telemetri = "log:a.log"', "did you mean telemetry?"),
        (
            'surface_camera = "snapsot:http://a/b"',
            "printers[0].surface_camera: found 'snapsot:http",
        ),
        ('surface_camera = "images:a"', "surface_camera: found 'images:a', expected a live camera"),
    ],
)
def test_a_source_that_makes_no_sense_is_told_with_its_key(tmp_path: Path, line: str, told: str) -> None:
    mistakes = mistakes_of(tmp_path, f'[[printers]]\nname = "a"\n{line}\n')
    assert any("printers[0]" in mistake and told in mistake for mistake in mistakes), mistakes


def test_a_recorded_print_has_no_surface_camera(tmp_path: Path) -> None:
    printer = '[[printers]]\nname = "a"\ncamera = "images:a"\nsurface_camera = "snapshot:http://a/b"\n'
    (mistake,) = mistakes_of(tmp_path, printer)
    assert "surface_camera: found a camera for the finished part of a recorded print" in mistake
    live = printer.replace("images:a", "mjpeg:http://a/c")
    assert load_farm(written(tmp_path, live)).printers[0].surface_camera == "snapshot:http://a/b"


def test_one_mistake_of_a_printer_does_not_hide_the_others(tmp_path: Path) -> None:
    mistakes = mistakes_of(
        tmp_path,
        """
[[printers]]
name = "a"
colour = "red"
camera = "foo:x"

[[printers]]
name = "a"
telemetry = "log:x?y=1"
camera = 3
""",
    )
    keys = [mistake.split(": ")[1] for mistake in mistakes]
    assert sorted(keys) == [
        "printers",
        "printers[0].camera",
        "printers[0].colour",
        "printers[1].camera",
        "printers[1].telemetry",
    ]


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "a\\nb", "<b>"])
def test_a_name_that_would_not_fit_into_a_key_or_a_page_is_refused(tmp_path: Path, name: str) -> None:
    (mistake,) = mistakes_of(tmp_path, f'[[printers]]\nname = "{name}"\ntelemetry = "log:x"\n')
    assert mistake.startswith("farm.toml: printers[0].name: found ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "printers: found [], expected at least one [[printers]] table"),
        ("printers = 3", "printers: found 3, expected at least one"),
        ("printers = [3]", "printers[0]: found 3, expected a table"),
        ('farm = "x"\n[[printers]]\nname = "a"\ntelemetry = "log:x"', "farm: found 'x', expected a table"),
        ("[[printers]]\ntelemetry = 'log:x'", "printers[0].name: found nothing, expected a name of 1 to 64"),
        ("[farm\nname=", "found text that is not TOML"),
    ],
)
def test_a_file_without_printers_or_without_sense_is_told(tmp_path: Path, text: str, told: str) -> None:
    (mistake,) = mistakes_of(tmp_path, text)
    assert mistake.startswith(("farm.toml: ", str(tmp_path)))
    assert told in mistake


def test_a_file_that_cannot_be_read_is_told_by_its_path(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('[farm]\nname = "Köln"\n'.encode("latin-1"))
    for path, told in (
        (tmp_path / "missing.toml", "found no such file"),
        (tmp_path, "found a file that cannot be read"),
        (latin, "expected a farm file in UTF-8"),
    ):
        with pytest.raises(FarmFileError) as raised:
            load_farm(path)
        (mistake,) = raised.value.mistakes
        assert mistake.startswith(f"{path}: ")
        assert told in mistake


def test_a_good_file_is_read_with_its_times_in_ns(tmp_path: Path) -> None:
    farm = load_farm(written(tmp_path, GOOD))
    assert [printer.name for printer in farm.printers] == ["ender"]
    assert (farm.span_ns, farm.timing(farm.printers[0]).lateness_ns) == (NS_PER_S // 2, 3 * NS_PER_S // 2)
    assert farm.table.redis == "embedded"


def test_relative_paths_start_at_the_farm_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    farm = load_farm(written(tmp_path, GOOD))
    assert farm.data == tmp_path / "kept"
    (printer,) = farm.printers
    for without, wanted in (("telemetry", "images:{}/prints/frames"), ("camera", "{}/prints/serial.log")):
        feed = Feed(msgspec.structs.replace(printer, **{without: ""}), Timing(), farm.path.parent)
        asyncio.run(feed.run(no_window, None))
        assert feed.detail.startswith(f"{wanted.format(tmp_path)}: found no")


async def no_window(batch: Sequence[Captured]) -> None:
    assert not batch


def test_the_tables_of_later_stages_are_left_to_them(tmp_path: Path) -> None:
    nonsense = (
        '[detector]\ndevice = "gpu"\n[log]\nflush_s = -1\n[alerts]\nconsole = 3\n[kinds]\nfire = "off"\n'
    )
    path = written(tmp_path, nonsense + GOOD)
    assert set(load_farm(path).tables) == {"detector", "log", "alerts", "kinds"}
    with pytest.raises(FarmFileError) as raised:
        load_settings(path)
    keys = [mistake.split(": ")[1] for mistake in raised.value.mistakes]
    assert sorted(keys) == ["alerts.console", "detector.device", "kinds.fire", "log.flush_s"]


def test_the_mistakes_of_all_stages_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, f"{TEN_MISTAKES}\n[log]\nflush_s = 0\n[kinds]\nstall = ['off']\n")
    ingests = mistakes_of(tmp_path, path.read_text())
    with pytest.raises(FarmFileError) as raised:
        load_settings(path)
    assert set(ingests) < set(raised.value.mistakes)
    assert len(raised.value.mistakes) == len(ingests) + 2


def test_the_shipped_example_is_a_good_farm_file() -> None:
    settings = load_settings(ROOT / "farm.example.toml")
    assert settings.detector.farm.printers
