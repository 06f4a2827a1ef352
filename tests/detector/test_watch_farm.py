"""A detector as a farm file asks for it says which network watches, and what it does not watch."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from detector.__main__ import build_worker
from detector.anomaly import Anomaly
from detector.beats import Token
from detector.model.build import VERSION
from detector.model.watch_model import save_watch_model
from detector.settings import DetectorSettings, load_settings
from features.beats import BEAT_WINDOWS
from ingest.records import Health, Status, decode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores
from tests.detector.at_work import SHARDS, feed, scene_jpeg, told, unfinished
from tests.detector.small_watch import small_model
from tests.detector.test_worker_restarts import Source
from tests.detector.windows import printing

pytestmark = pytest.mark.usefixtures("one_thread")


def farm_with(folder: Path, text: str) -> DetectorSettings:
    path = folder / "farm.toml"
    path.write_text(
        f'{text}\n[[printers]]\nname = "p"\ntelemetry = "serial:/dev/ttyUSB0"\n', encoding="utf-8"
    )
    return load_settings(path)


def status_after(stores: Stores, embedded: EmbeddedStores, settings: DetectorSettings) -> Status:
    """What a detector as it is built for a farm says of itself, after it has judged what is there."""
    detector = build_worker(settings, Source(embedded.urls), (0, 1))
    detector.run(threading.Event(), until=lambda: unfinished(stores) == 0)
    return decode(stores.events.hget(STATUS_KEY, "detector/0"), Status)


def test_a_detector_as_a_farm_file_asks_for_it_tells_its_network(
    stores: Stores, embedded: EmbeddedStores, tmp_path: Path
) -> None:
    save_watch_model(tmp_path / "tiny.safetensors", small_model())
    settings = farm_with(
        tmp_path, f'[farm]\nshards = {SHARDS}\n[detector]\ndevice = "cpu"\nmodel = "tiny.safetensors"'
    )
    feed(stores, printing(3 * BEAT_WINDOWS, frame=lambda _: True), scene_jpeg)
    status = status_after(stores, embedded, settings)
    assert status.detail == f"tiny-1+{VERSION} on cpu"
    assert status.health is Health.OK
    assert [each.embedding is not None for each in told(stores, "beats", Token)] == [True] * 3
    assert told(stores, "anomalies", Anomaly)[0].model == f"tiny-1+{VERSION}"


def test_a_network_does_not_watch_windows_of_another_length_and_this_is_told(
    stores: Stores, embedded: EmbeddedStores, tmp_path: Path
) -> None:
    save_watch_model(tmp_path / "tiny.safetensors", small_model())
    settings = farm_with(
        tmp_path,
        f'[farm]\nshards = {SHARDS}\nspan_s = 0.5\n[detector]\ndevice = "cpu"\nmodel = "tiny.safetensors"',
    )
    feed(stores, printing(BEAT_WINDOWS))
    status = status_after(stores, embedded, settings)
    assert status.detail == f"{VERSION} on cpu, without tiny-1: it is for span_s = 1, not 0.5"
    assert status.health is Health.DEGRADED
    assert told(stores, "beats", Token) == []
