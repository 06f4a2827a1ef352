"""The command line as a user meets it: real processes, their exit codes and what they say."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from detector.anomaly import Anomaly, Evidence, Kind, State
from ingest.farm import load_farm
from ingest.records import encode
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import write_recording
from ingest.stage import StoreSource
from ingest.store import open_stores
from ingest.stream import DATA, key

LIMIT_S = 60
COMMAND = [sys.executable, "-m", "nozzlewatch"]
ENVIRONMENT = {**os.environ, "COLUMNS": "300"}  # tables are not wrapped: what they say can be found in them
PRINTER = '[[printers]]\nname = "a"\ntelemetry = "log:print/serial.log"\n'
NO_REDIS = ("found nothing that answers at redis://127.0.0.1:1", "expected a Redis", "start it")


class Case(NamedTuple):
    """A command line, its exit code and what it must say."""

    line: str
    code: int
    told: tuple[str, ...]


CASES = {
    "ingest without its store": Case("ingest away.toml", 1, NO_REDIS),
    "detector without its store": Case("detect away.toml", 1, NO_REDIS),
    "sink without its store": Case("sink away.toml", 1, NO_REDIS),
    "watch without its store": Case("watch away.toml", 1, NO_REDIS),
    "check without its store": Case("check away.toml", 1, (*NO_REDIS, "a: telemetry", "hotend_c")),
    "a whole print": Case(
        "replay images:print/frames log:print/serial.log --out out --printer ender --json told.json", 0, ()
    ),
    "a folder that is missing": Case(
        "replay images:nowhere --out x1",
        1,
        ("found nothing", "expected a folder of pictures", "check the path"),
    ),
    "an empty folder": Case(
        "replay images:empty --out x2", 1, ("found no picture", "expected files ending in", "name the folder")
    ),
    "a file for a folder": Case(
        "replay images:noise.log --out x3", 1, ("found a file", "expected a folder", "named video:FILE")
    ),
    "one corrupt picture": Case("replay images:one_bad --out x4", 0, ("10 windows judged", "corrupt 1")),
    "one huge picture": Case("replay images:one_huge --out x5", 0, ("10 windows judged", "too_large 1")),
    "only corrupt pictures": Case(
        "replay images:all_bad --out x6",
        1,
        ("found nothing that can be used", "corrupt 3", "expected a recorded print"),
    ),
    "noise for a log": Case(
        "replay log:noise.log --out x7",
        1,
        ("found no line that a printer sent", "expected a log", "check that"),
    ),
    "two logs": Case("replay log:a.log log:b.log", 2, ("'log:a.log' and 'log:b.log'", "one by one")),
    "a demo in a folder of other things": Case("demo --dir print", 2, ("--dir print", "expected an empty")),
    "a live source": Case("replay serial:/dev/ttyUSB0", 2, ("'serial:/dev/ttyUSB0'", "recorded sources")),
    "an unknown source": Case("replay imags:print", 2, ("found 'imags:print'", "did you mean images:print?")),
    "a speed that is none": Case(
        "replay log:print/serial.log --speed nonsense", 2, ("--speed: found 'nonsense'", "such as 10")
    ),
    "a file for the output": Case(
        "replay log:print/serial.log --out noise.log", 2, ("--out noise.log: found File exists", "a folder")
    ),
    "an unknown command": Case("wtach farm.toml", 2, ("No such command 'wtach'",)),
    "no surface network": Case(
        "replay log:print/serial.log --surface-model noise.log",
        2,
        ("--surface-model: found noise.log, which is no surface network", "of `nozzlewatch surface train`"),
    ),
    "a missing argument": Case("replay", 2, ("Missing argument",)),
    "an unknown key": Case(
        "check typo.toml", 2, ("typo.toml: farm.redsi", "an unknown key", "did you mean redis?", "log.flushs")
    ),
    "a farm file that is missing": Case("watch nowhere.toml", 2, ("found no such file", "farm.example.toml")),
    "a part of no shards": Case("detect good.toml --shard 3/2", 2, ("--shard: found '3/2'", "expected I/N")),
    "a folder that is no log": Case("anomalies list empty", 1, ("empty: found a folder that is no log",)),
    "a log that is missing": Case(
        "anomalies list nowhere", 1, ("nowhere: found no folder", "check the path")
    ),
    "a time that is none": Case("anomalies list empty --since noon", 2, ("found 'noon'", "such as 2026-")),
    "a good farm": Case(
        "check good.toml", 0, ("a: telemetry", "hotend_c", "store", "version", "can be written")
    ),
    "a farm without a port": Case(
        "check unplugged.toml --json -",
        1,
        ("/dev/ttyNONE0: found no such port", "check the cable", "hotend_c"),
    ),
    "the version": Case("--version", 0, ("nozzlewatch 0.",)),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the commands run: recordings good and bad, and farm files."""
    folder = tmp_path_factory.mktemp("work")
    write_recording(folder / "print", 90, [Fault(kind=FaultKind.OPEN_HEATER, at_s=30)])
    frames = [path.read_bytes() for path in sorted((folder / "print" / "frames").iterdir())[:10]]
    cut = frames[3][:3000]
    write_pictures(folder / "one_bad", [*frames[:3], cut, *frames[4:]])
    write_pictures(folder / "one_huge", [*frames[:3], with_size(frames[3], 10_000, 10_000), *frames[4:]])
    write_pictures(folder / "all_bad", [cut, b"", b"\xff\xd8 no picture \xff\xd9"])
    (folder / "empty").mkdir()
    (folder / "noise.log").write_bytes(bytes((n * n * 37 + n) % 256 for n in range(50_000)))
    unplugged = '[[printers]]\nname = "b"\ntelemetry = "serial:/dev/ttyNONE0"\n'
    for name, text in (
        ("away", f'[farm]\nredis = "redis://127.0.0.1:1"\n{PRINTER}'),
        ("typo", f'[farm]\nredsi = "embedded"\n{PRINTER}\n[log]\nflushs = 1\n'),
        ("good", f'[farm]\ndata = "good"\n{PRINTER}camera = "images:print/frames"\n'),
        ("unplugged", f'[farm]\ndata = "unplugged"\n{unplugged}{PRINTER}'),
    ):
        (folder / f"{name}.toml").write_text(text)
    return folder


def write_pictures(folder: Path, pictures: list[bytes]) -> None:
    folder.mkdir()
    for number, jpeg in enumerate(pictures):
        (folder / f"{1_767_225_600 + number}.jpg").write_bytes(jpeg)


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The same picture with another size in its frame header (SOF0: marker, length, precision, size)."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + height.to_bytes(2) + width.to_bytes(2) + jpeg[at + 4 :]


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    return subprocess.run(
        [*COMMAND, *line.split()],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=ENVIRONMENT,
        timeout=LIMIT_S,
    )


Answers = dict[str, Future[subprocess.CompletedProcess[str]]]


@pytest.fixture(scope="module")
def answers(work: Path) -> Iterator[Answers]:
    """All cases, several at a time: the first ones only wait for a server that is not there."""
    with ThreadPoolExecutor(5) as pool:
        yield {name: pool.submit(run, case.line, work) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_command_ends_with_its_exit_code_and_says_what_it_found(name: str, answers: Answers) -> None:
    ended = answers[name].result()
    told = ended.stdout + ended.stderr
    assert ended.returncode == CASES[name].code, told
    assert "Traceback" not in told
    assert [text for text in CASES[name].told if text not in told] == [], told


def test_check_tells_of_every_part_although_one_has_failed(answers: Answers) -> None:
    findings = json.loads(answers["a farm without a port"].result().stdout)
    assert {row["part"]: row["fine"] for row in findings} == {
        "store": True,
        "b: telemetry": False,
        "a: telemetry": True,
        "log": True,
        "alerts: console": True,
    }


@pytest.fixture
def log(work: Path, answers: Answers) -> Path:
    """The log of a replayed print."""
    assert answers["a whole print"].result().returncode == 0
    return work / "out" / "log"


def test_a_replays_log_is_listed_and_exported_in_every_format(work: Path, log: Path, tmp_path: Path) -> None:
    listed = run(f"anomalies list {log} --kind heater_fault", work)
    assert (listed.returncode, "heater fault" in listed.stdout) == (0, True)
    (row,) = json.loads(run(f"anomalies list {log} --kind heater_fault --json -", work).stdout)
    assert (row["printer"], row["kind"]) == ("ender", "heater_fault")
    assert row["id"] in {
        anomaly["id"] for anomaly in json.loads((work / "told.json").read_bytes())["anomalies"]
    }

    files = [tmp_path / f"found.{ending}" for ending in ("json", "csv", "parquet")]
    for file in files:
        assert run(f"anomalies export {log} --kind heater_fault --out {file}", work).returncode == 0
    assert json.loads(files[0].read_bytes()) == [row]
    with files[1].open(newline="") as opened:
        assert [read["id"] for read in csv.DictReader(opened)] == [row["id"]]
    assert pq.read_table(files[2])["id"].to_pylist() == [row["id"]]

    nothing = run(f"anomalies list {log} --until 2025-12-31T23:59:59 --json -", work)
    assert json.loads(nothing.stdout) == []
    assert (
        "expected one that ends in .json"
        in run(f"anomalies export {log} --out {tmp_path}/x.doc", work).stderr
    )


def anomaly(number: int, printer: str = "a") -> Anomaly:
    return Anomaly(
        id=f"anomaly-{number}",
        printer=printer,
        job="live",
        kind=Kind.STALL,
        state=State.OPENED,
        revision=1,
        severity=0.9,
        score=0.9,
        onset_ns=number,
        detected_ns=number,
        at_ns=number,
        text="",
        evidence=Evidence(),
    )


def test_tail_tells_what_the_topic_holds_then_what_comes_and_ends_in_order(tmp_path: Path) -> None:
    (tmp_path / "farm.toml").write_text(f"[farm]\nshards = 2\n{PRINTER}")
    with StoreSource(load_farm(tmp_path / "farm.toml")) as source:
        stores = open_stores(source.urls())
        stores.events.xadd(key("anomalies", 0), {DATA: encode(anomaly(1))})
        stores.events.xadd(key("anomalies", 1), {DATA: encode(anomaly(2, printer="b"))})
        line = ["anomalies", "tail", "farm.toml", "--from-start", "--json", "--printer", "a"]
        with subprocess.Popen([*COMMAND, *line], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as tail:
            assert tail.stdout is not None
            assert json.loads(tail.stdout.readline())["id"] == "anomaly-1"
            stores.events.xadd(key("anomalies", 1), {DATA: encode(anomaly(3))})
            assert json.loads(tail.stdout.readline())["id"] == "anomaly-3"
            tail.send_signal(signal.SIGINT)
            assert tail.wait(20) == 0
        stores.close()
