"""``nozzlewatch alert`` and ``anomalies label``: real alerts to real receivers, and answers that arrive."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.anomaly import Kind, Label
from ingest.farm import load_farm
from ingest.records import decode, encode
from ingest.stage import StoreSource
from ingest.store import EmbeddedStores, Stores
from ingest.stream import DATA, key, shard_of
from sinks.message import Answer, Word
from tests.sinks.conftest import make_anomaly

PRINTER = '[[printers]]\nname = "voron-2"\ntelemetry = "serial:/dev/ttyUSB0"\n'


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    path = tmp_path / "farm.toml"
    path.write_text(PRINTER)
    return path


@pytest.fixture
def live(farm: Path) -> Iterator[Stores]:
    """The farm's stores, as a running watch has them."""
    with EmbeddedStores(load_farm(farm).data) as embedded:
        embedded.ensure()
        with closing(StoreSource(load_farm(farm)).attach()) as stores:
            yield stores


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nozzlewatch", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def entries(stores: Stores, stream: str, kind: type[Any]) -> list[Any]:
    return [decode(fields[DATA], kind) for _, fields in stores.events.xrange(stream)]


def test_a_test_alert_says_of_each_channel_how_it_went(farm: Path) -> None:
    farm.write_text(f'{PRINTER}[alerts]\napprise = ["json://127.0.0.1:9/"]\n')
    told = run("alert", "test", str(farm), "--json", "-")
    console, _, rest = told.stdout.partition("[")
    assert "a test alert" in console
    found = {one["channel"]: one for one in json.loads(f"[{rest}")}
    assert found["console"]["fine"]
    assert not found["json://127.0.0.1:9"]["fine"]
    assert told.returncode == 1


def test_a_farm_without_channels_fails_the_test(farm: Path) -> None:
    farm.write_text(f"{PRINTER}[alerts]\nconsole = false\n")
    told = run("alert", "test", str(farm))
    assert told.returncode == 1
    assert "see [alerts]" in told.stdout


def test_answers_from_the_terminal_arrive(farm: Path, live: Stores) -> None:
    assert run("alert", "snooze", str(farm), "--printer", "voron-2", "--minutes", "5").returncode == 0
    assert run("alert", "fine", str(farm), "--message", "a1", "--text", "only a hair").returncode == 0
    snooze, fine = entries(live, "nw:answers:{0}", Answer)
    assert (snooze.word, snooze.printer, snooze.for_ns) == (Word.SNOOZE, "voron-2", 300_000_000_000)
    assert (fine.word, fine.message, fine.text) == (Word.FINE, "a1", "only a hair")


def test_an_answer_for_an_unknown_printer_is_wrong_usage(farm: Path) -> None:
    told = run("alert", "seen", str(farm), "--printer", "voron")
    assert told.returncode == 2
    assert "found no printer 'voron' in farm.toml, expected one of: voron-2" in told.stderr


def test_an_answer_without_a_running_watch_says_so(farm: Path) -> None:
    told = run("alert", "seen", str(farm), "--printer", "voron-2")
    assert told.returncode == 1
    assert "redis: found nothing that answers" in told.stderr


def test_a_label_of_an_anomaly_takes_its_print_and_time(farm: Path, live: Stores) -> None:
    anomaly = make_anomaly()
    shard = shard_of("voron-2", 8)
    live.events.xadd(key("anomalies", shard), {DATA: encode(anomaly)})
    told = run("anomalies", "label", str(farm), "--anomaly", "a0", "--kind", "blob")
    assert (told.returncode, "voron-2: blob" in told.stdout) == (0, True), told
    assert run("anomalies", "label", str(farm), "--anomaly", "a0", "--fine").returncode == 0
    kind, fine = entries(live, key("labels", shard), Label)
    assert (kind.kind, kind.anomaly, kind.from_ns) == (Kind.BLOB, "a0", anomaly.onset_ns)
    assert (fine.kind, fine.job) == (None, anomaly.job)
    [answer] = entries(live, "nw:answers:{0}", Answer)
    assert (answer.word, answer.message) == (Word.FINE, "a0")


def test_a_stretch_that_the_watch_missed_can_be_labelled(farm: Path, live: Stores) -> None:
    span = ("--since", "2026-05-01T13:00", "--until", "2026-05-01T13:20")
    assert (
        run("anomalies", "label", str(farm), "--printer", "voron-2", *span, "--kind", "blob").returncode == 0
    )
    [label] = entries(live, key("labels", shard_of("voron-2", 8)), Label)
    assert label.to_ns - label.from_ns == 1200 * 10**9


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--anomaly", "nosuch", "--fine"), "found no anomaly 'nosuch'"),
        (("--anomaly", "a0"), "found neither a kind nor --fine"),
        (("--anomaly", "a0", "--fine", "--kind", "blob"), "found both a kind and --fine"),
        (("--printer", "voron-2", "--kind", "blob"), "found no stretch of time"),
    ],
)
def test_a_label_that_makes_no_sense_is_wrong_usage(
    farm: Path, live: Stores, words: tuple[str, ...], found: str
) -> None:
    told = run("anomalies", "label", str(farm), *words)
    assert told.returncode == 2
    assert found in told.stderr
