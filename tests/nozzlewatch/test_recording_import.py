"""``import`` makes one recording of what a print left behind, and says what does not fit."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ingest.cameras.registry import open_camera
from ingest.errors import SourceError, SourceNotFound, UsageError
from ingest.feed import merged
from ingest.recordings.reader import Recording
from ingest.records import NS_PER_S, Frame
from ingest.simulate.recording import EPOCH, write_recording
from ingest.sources import Item
from ingest.telemetry import open_telemetry
from nozzlewatch.importing import Imported, import_print
from nozzlewatch.prints import as_printer
from tests.ingest.recordings import jpeg, own_ns, read_frames, read_telemetry, write
from tests.ingest.recordings import second as second_of

SECONDS = 20
BEGIN_S = int(EPOCH.timestamp())


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A print as pictures and a log, the pictures also by number, and the log without stamps and as CSV."""
    folder = tmp_path_factory.mktemp("print")
    write_recording(folder, SECONDS)
    (folder / "numbered").mkdir()
    for number, path in enumerate(sorted((folder / "frames").iterdir())):
        (folder / "numbered" / f"frame_{number}.jpg").write_bytes(path.read_bytes())
    rows = [f"{BEGIN_S + n},{200 + n},60,{n}" for n in range(SECONDS)]
    (folder / "print.csv").write_text("\n".join(["time,nozzle,bed,mood", *rows]))
    bare = [line.partition("Recv: ")[2] for line in (folder / "serial.log").read_text().splitlines()]
    (folder / "bare.log").write_text("\n".join(filter(None, bare)))
    return folder


def made(work: Path, out: Path, *sources: str, offset_s: float = 0.0) -> Imported:
    found = [f"{kind}:{work}/{where}" for kind, _, where in (source.partition(":") for source in sources)]
    return import_print(found, out, printer="ender", offset_s=offset_s, stop=threading.Event())


def begins_s(path: Path) -> tuple[float, float]:
    frames: list[Item] = [*read_frames(path)]
    telemetry: list[Item] = [*read_telemetry(path)]
    return own_ns(frames[0]) / NS_PER_S - BEGIN_S, own_ns(telemetry[0]) / NS_PER_S - BEGIN_S


def test_pictures_and_a_log_become_one_recording(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.mcap"
    imported = made(work, out, "images:frames", "log:serial.log")
    assert (imported.frames, imported.estimated, imported.left_out, imported.notes) == (SECONDS, [], {}, [])
    assert imported.size == out.stat().st_size
    assert [f.jpeg for f in read_frames(out)] == [p.read_bytes() for p in sorted((work / "frames").iterdir())]
    assert len(read_telemetry(out)) == imported.telemetry
    about = Recording(out).about
    assert about is not None
    assert (about.printer, about.telemetry) == ("ender", f"log:{work}/serial.log")


def test_pictures_without_times_are_laid_beside_the_log_and_it_is_said(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.mcap"
    imported = made(work, out, "images:numbered", "log:serial.log")
    assert imported.estimated == ["camera"]
    assert "times of camera are estimated, laid to begin together" in imported.notes[0]
    assert begins_s(out) == (0, 0)


@pytest.mark.parametrize("log", ["log:serial.log", "log:bare.log"], ids=["stamped", "estimated"])
def test_an_offset_moves_the_camera_after_it_was_laid(work: Path, tmp_path: Path, log: str) -> None:
    out = tmp_path / "p.mcap"
    made(work, out, "images:numbered", log, offset_s=2.5)
    camera_s, telemetry_s = begins_s(out)
    assert camera_s - telemetry_s == 2.5
    times = [own_ns(arrival) for arrival in merged_items(out)]
    assert times == sorted(times)


def merged_items(path: Path) -> list[Item]:
    """As a replay reads it."""

    async def read() -> list[Item]:
        sources = open_camera(f"recording:{path}", "p"), open_telemetry(f"recording:{path}", "p")
        return [item async for _, item in merged(*sources)]

    return asyncio.run(read())


def test_a_laid_print_is_replayed_where_it_was_laid(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.mcap"
    made(work, out, "images:frames", "log:bare.log", offset_s=-3.0)
    items = merged_items(out)
    first_frame = next(own_ns(item) for item in items if isinstance(item, Frame))
    first_word = next(own_ns(item) for item in items if not isinstance(item, Frame))
    assert first_word - first_frame == 3 * NS_PER_S


def test_a_csv_of_readings_goes_with_pictures_and_strange_columns_are_named(
    work: Path, tmp_path: Path
) -> None:
    imported = made(work, tmp_path / "p.mcap", "images:frames", "csv:print.csv")
    assert imported.notes == ["telemetry: columns not understood: mood"]
    assert {i.channel for i in read_telemetry(tmp_path / "p.mcap")} == {"hotend_c", "bed_c"}  # type: ignore[union-attr]


def test_sources_without_common_time_are_told_with_what_would_help(work: Path, tmp_path: Path) -> None:
    imported = made(work, tmp_path / "p.mcap", "images:numbered?start=2026-01-01T02:00:00Z", "log:serial.log")
    (note,) = imported.notes
    assert "camera (2026-01-01 02:00:00Z to 2026-01-01 02:00:19Z)" in note
    assert "do not overlap: they are 1:59:40 apart" in note
    assert "--offset -7200 would" in note
    better = made(
        work,
        tmp_path / "better.mcap",
        "images:numbered?start=2026-01-01T02:00:00Z",
        "log:serial.log",
        offset_s=-7200,
    )
    assert better.notes == []


def test_an_import_that_fails_leaves_no_file(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.mcap"
    with pytest.raises(SourceNotFound):
        made(work, out, "images:frames", "log:none.log")
    stop = threading.Event()
    stop.set()
    with pytest.raises(SourceError, match="was stopped"):
        import_print([f"log:{write_long_log(tmp_path)}"], out, printer="p", offset_s=0, stop=stop)
    assert not out.exists()


def write_long_log(folder: Path) -> Path:
    path = folder / "long.log"
    path.write_text("T:200.00 /215.00 B:60.00 /60.00 @:64 B@:20\nok\n" * 500)
    return path


@pytest.mark.parametrize(
    ("sources", "offset_s", "told"),
    [
        (("recording:x.mcap",), 0.0, "found a recording"),
        (("images:frames", "video:x.mp4"), 0.0, "at most one camera"),
        (("serial:/dev/ttyUSB0",), 0.0, "recorded sources"),
        (("images:frames",), 3.0, "found one source"),
        (("images:frames", "log:serial.log"), float("nan"), "--offset: found nan"),
    ],
)
def test_what_makes_no_print_is_refused_in_words(
    work: Path, tmp_path: Path, sources: tuple[str, ...], offset_s: float, told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        made(work, tmp_path / "p.mcap", *sources, offset_s=offset_s)
    assert told in str(refused.value)


def test_a_recording_is_as_much_of_a_print_as_it_holds(tmp_path: Path) -> None:
    items = second_of(0)
    both = write(tmp_path / "both.mcap", [items])
    camera = write(tmp_path / "camera.mcap", [[i for i in items if isinstance(i, Frame)]])
    telemetry = write(tmp_path / "telemetry.mcap", [[i for i in items if not isinstance(i, Frame)]])
    for path, expected in (
        (both, (f"recording:{both}", f"recording:{both}")),
        (camera, (f"recording:{camera}", "")),
        (telemetry, ("", f"recording:{telemetry}")),
    ):
        for source in (str(path), f"recording:{path}"):
            printer = as_printer("replay", [source], "p")
            assert (printer.camera, printer.telemetry) == expected
    chosen = as_printer("replay", [f"recording:{both}?camera=/camera"], "p")
    assert (chosen.camera, chosen.telemetry) == (f"recording:{both}?camera=/camera", f"recording:{both}")


def test_the_command_tells_what_it_made_and_never_overwrites(work: Path, tmp_path: Path) -> None:
    (tmp_path / "there.mcap").write_bytes(jpeg())
    command = [
        sys.executable,
        "-m",
        "nozzlewatch",
        "import",
        "images:frames",
        "log:serial.log",
        "--json",
        "-",
    ]
    ended = [
        subprocess.run(
            [*command, "-o", str(tmp_path / name)],
            check=False,
            capture_output=True,
            text=True,
            cwd=work,
            timeout=60,
        )
        for name in ("new.mcap", "there.mcap")
    ]
    assert (ended[0].returncode, ended[1].returncode) == (0, 2), ended
    assert json.loads(ended[0].stdout)["frames"] == SECONDS
    assert "exists already, expected a new name" in ended[1].stderr
    assert (tmp_path / "there.mcap").read_bytes() == jpeg()
