"""The ingest process against real Valkey: every window written once, whatever the store does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.records import Health, Window
from ingest.simulate.recording import write_recording
from ingest.stage import StoreSource
from ingest.store import Stores
from ingest.stream import DETECTOR, Reader, backlog, drops, frame_key
from tests.ingest.ingesting import WINDOWS, Ingesting, Watched
from tests.ingest.live_sources import plug_in
from tests.waiting import wait_until

SECONDS = 120
PRINT = SECONDS + 1
"""Windows of the recording: its last word comes when its time is over."""
BATCH, BACKLOG = 8, 16
MOST_AHEAD = BACKLOG + 2 * BATCH
"""Windows that can be unjudged: the backlog is looked at after each batch."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder, SECONDS, fps=0.5)
    return folder


def both(recording: Path) -> str:
    return f'camera = "images:{recording}/frames"\ntelemetry = "log:{recording}/serial.log"'


@pytest.fixture
def recorded(tmp_path: Path, recording: Path) -> Iterator[Ingesting]:
    one = Ingesting(tmp_path, both(recording))
    yield one
    one.close()


def assert_each_once(windows: list[Window]) -> None:
    indices = [window.index for window in windows]
    assert indices == list(range(indices[0], indices[0] + PRINT))


def test_a_recording_is_written_once_with_its_frames_and_then_it_ends(recorded: Ingesting) -> None:
    recorded.begin()
    recorded.end()
    windows = recorded.written()
    assert_each_once(windows)
    frames = [window.frame for window in windows if window.frame]
    assert len(frames) == SECONDS // 2
    with recorded.stores() as stores:
        keys = [frame_key(0, "ender", frame.captured_ns) for frame in frames]
        assert all(jpeg.startswith(b"\xff\xd8") for jpeg in stores.frames.mget(keys))
        assert drops(stores.events, [0]) == {}
    assert recorded.told().health is Health.ENDED
    assert recorded.told("ingest").counts == {"windows_written": PRINT}


def test_a_second_run_over_the_same_store_writes_nothing_new(recorded: Ingesting) -> None:
    recorded.begin()
    recorded.end()
    first = recorded.written()
    recorded.begin()
    recorded.end()
    assert recorded.written() == first
    assert recorded.told("ingest").counts == {"windows_written": 0}


@pytest.fixture
def quick_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few windows are enough for a recording to wait for the detector."""
    monkeypatch.setattr("ingest.worker.BATCH", BATCH)
    monkeypatch.setattr("ingest.worker.BACKLOG", BACKLOG)
    monkeypatch.setattr("ingest.worker.RETRY_S", 0.05)


def judge(stores: Stores) -> int:
    """What a detector does with the stream: read some windows, acknowledge them; how many were unjudged."""
    unjudged = backlog(stores.events, WINDOWS, DETECTOR)
    reader = Reader(stores.events, [WINDOWS], DETECTOR)
    reader.acknowledge([entry for batch in reader.pending(BATCH) for entry in batch])
    reader.acknowledge(reader.read(BATCH, block_ms=10))
    return unjudged


@pytest.mark.usefixtures("quick_to_wait")
def test_a_recording_goes_no_faster_than_it_is_judged(recorded: Ingesting) -> None:
    worker = recorded.begin()
    unjudged = []
    with recorded.stores() as stores:
        wait_until(lambda: backlog(stores.events, WINDOWS, DETECTOR) > BACKLOG, 20, "a backlog")
        while not recorded.done:
            asked = worker.asked
            wait_until(lambda asked=asked: worker.asked > asked or recorded.done, 20, "it to look again")
            unjudged.append(judge(stores))
    recorded.end()
    assert max(unjudged) <= MOST_AHEAD
    assert len(unjudged) >= (SECONDS - MOST_AHEAD) // BATCH
    assert_each_once(recorded.written())


@pytest.mark.usefixtures("quick_to_wait")
def test_a_store_that_dies_in_the_middle_and_comes_back_gets_every_window_once(recorded: Ingesting) -> None:
    worker = recorded.begin()
    for _ in range(2):
        with recorded.stores() as stores:
            wait_until(
                lambda stores=stores: backlog(stores.events, WINDOWS, DETECTOR) > BACKLOG, 20, "a backlog"
            )
        missed = worker.missed
        recorded.kill_stores()
        wait_until(lambda missed=missed: worker.missed > missed, 20, "it to miss the store")
        recorded.owner.ensure()
        with recorded.stores() as stores:
            for _ in range(BACKLOG // BATCH):
                judge(stores)
    with recorded.stores() as stores:
        wait_until(lambda: not judge(stores) and recorded.done, 60, "everything to be judged")
    recorded.end()
    assert_each_once(recorded.written())


def test_what_a_source_leaves_out_is_counted_for_everybody(tmp_path: Path, recording: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number, path in enumerate(sorted((recording / "frames").iterdir())):
        jpeg = path.read_bytes()
        (frames / path.name).write_bytes(jpeg if number % 10 else jpeg[: len(jpeg) // 2])
    one = Ingesting(tmp_path, f'camera = "images:{frames}"')
    try:
        one.begin()
        one.end()
        corrupt = SECONDS // 2 // 10
        with one.stores() as stores:
            assert drops(stores.events, [0]) == {"corrupt": corrupt}
        assert one.told().counts == {"corrupt": corrupt}
    finally:
        one.close()


def test_a_live_printers_windows_are_dropped_and_counted_while_the_store_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(monkeypatch)
    for name, value in (("QUEUE", 4), ("BATCH", 2), ("RETRY_S", 0.05), ("STATUS_EVERY_S", 0.1)):
        monkeypatch.setattr(f"ingest.worker.{name}", value)
    live = Ingesting(tmp_path, 'telemetry = "fake:port"', span_s=0.1)
    try:
        worker = live.begin()
        wait_until(lambda: len(live.written()) >= 3, 20, "the first windows")
        live.kill_stores()
        wait_until(lambda: worker._dropped["ender"] >= 5, 20, "windows for which there is no room")
        live.owner.ensure()
        wait_until(lambda: live.told().counts.get("windows_unwritten", 0) >= 5, 20, "the drops to be told")
        wait_until(lambda: missing(live.written()) > 0, 20, "windows from behind the hole")
        live.stop.set()
        live.end()
        dropped = live.told().counts["windows_unwritten"]
        with live.stores() as stores:
            assert drops(stores.events, [0]) == {"windows_unwritten": dropped}
        indices = [window.index for window in live.written()]
        assert indices == sorted(set(indices))
        assert missing(live.written()) == dropped
    finally:
        live.close()


def test_stores_are_not_closed_under_somebody_who_uses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(monkeypatch)
    live = Ingesting(tmp_path, 'telemetry = "fake:port"')
    try:
        worker = Watched(live.farm, StoreSource(live.farm), speed=None)
        errors: list[Exception] = []

        def tell() -> None:
            try:
                for _ in range(200):
                    worker._tell()
            except Exception as error:
                errors.append(error)

        telling = threading.Thread(target=tell)
        telling.start()
        while telling.is_alive():
            worker._reopen()
        assert errors == []
        worker._stores.close()
    finally:
        live.owner.close()


def missing(windows: list[Window]) -> int:
    """How many windows lack between the first and the last one."""
    return windows[-1].index - windows[0].index + 1 - len(windows)
