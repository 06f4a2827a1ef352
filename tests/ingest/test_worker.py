"""The ingest process against real Valkey: every window written once, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.farm import load_farm
from ingest.records import Health, Status, Window, decode
from ingest.simulate.recording import write_recording
from ingest.stage import STATUS_KEY, StoreSource
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import DATA, DETECTOR, Reader, backlog, drops, frame_key, key
from ingest.worker import IngestWorker
from tests.ingest.live_sources import plug_in
from tests.waiting import wait_until

SECONDS = 120
PRINT = SECONDS + 1
"""Windows of the recording: its last word comes when its time is over."""
WINDOWS = key("windows", 0)
BATCH, BACKLOG = 8, 16
MOST_AHEAD = BACKLOG + 2 * BATCH
"""Windows that can be unjudged: the backlog is looked at after each batch."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_recording(folder, SECONDS, fps=0.5)
    return folder


class Ingesting:
    """An ingest worker at work in a thread of its own, over stores that the test owns."""

    def __init__(self, folder: Path, sources: str, span_s: float = 1.0) -> None:
        farm = folder / "farm.toml"
        head = f"[farm]\nshards = 1\nspan_s = {span_s}\nlateness_s = 0.5\n"
        farm.write_text(f'{head}\n[[printers]]\nname = "ender"\n{sources}\n')
        self.farm = load_farm(farm)
        self.owner = EmbeddedStores(self.farm.data)
        self.owner.ensure()
        self.stop = threading.Event()

    def begin(self) -> Watched:
        """Start a worker; it reads recorded sources as fast as they go."""
        self.source = StoreSource(self.farm)
        self.worker = Watched(self.farm, self.source, speed=None)
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self.worker

    def _run(self) -> None:
        try:
            asyncio.run(self.worker.run(self.stop))
        except BaseException as error:
            self._errors.append(error)

    def end(self) -> None:
        """Wait until the worker has ended by itself."""
        wait_until(lambda: not self._thread.is_alive(), 60, "the worker to end")
        assert self._errors == []
        self.source.__exit__(None, None, None)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self.stop.set()
        self.owner.ensure()
        self._thread.join(30)
        self.owner.close()

    @contextlib.contextmanager
    def stores(self) -> Iterator[Stores]:
        opened = open_stores(self.owner.urls())
        with contextlib.closing(opened):
            yield opened

    def kill_stores(self) -> None:
        """SIGKILL for the server that holds the events."""
        with self.stores() as stores:
            server = stores.events.info("server")["process_id"]
        os.kill(server, signal.SIGKILL)

    def written(self) -> list[Window]:
        """Every window in the stream, in the order in which they were written."""
        with self.stores() as stores:
            return [decode(fields[DATA], Window) for _, fields in stores.events.xrange(WINDOWS)]

    def told(self, part: str = "ingest/ender") -> Status:
        with self.stores() as stores:
            return decode(stores.events.hget(STATUS_KEY, part), Status)


class Watched(IngestWorker):
    """Counts how often it has asked for the detector's backlog, and for the store when that was away."""

    asked = missed = 0

    def _backlog(self, printer: str) -> int:
        self.asked += 1
        return super()._backlog(printer)

    def _reopen(self) -> None:
        self.missed += 1
        super()._reopen()


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
