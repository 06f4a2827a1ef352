"""The detector over restarts, take-overs and lost stores: the same scores and ids, each window once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from detector import worker
from detector.anomaly import Anomaly, Kind, Scores, State
from detector.commit import ShardOwner
from detector.judge import Judge
from detector.model.build import build_encoder
from detector.model.encoder import FrameEncoder
from detector.worker import DetectorWorker
from ingest.errors import Fenced, StoreUnreachable
from ingest.records import EventKind, Health, Status, Window, decode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores, StoreUrls, open_stores, wait_for_stores
from ingest.stream import DETECTOR, Reader, drops, key, shard_of
from tests.detector.at_work import (
    SHARDS,
    Loader,
    Startled,
    feed,
    of,
    scene_jpeg,
    seconds_judged,
    session,
    told,
    unfinished,
)
from tests.detector.windows import FIRST, printing

RUNAWAY = (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: 0")
SECONDS = 75
CHANGED_AT_S = 35
"""When something turns up in one print's picture, and the other print's camera is turned away."""


class Source:
    """Stores that are opened again and again; ``urls`` makes them run."""

    def __init__(self, urls: Callable[[], StoreUrls]) -> None:
        self._urls = urls

    def open(self, limit_s: float = 20) -> Stores:
        return wait_for_stores(self._urls, limit_s=limit_s)


def run_to_the_end(urls: Callable[[], StoreUrls], judge: Judge | None = None) -> None:
    """Judge everything that is there, as the process does."""
    detector = DetectorWorker(Source(urls), list(range(SHARDS)), judge or Judge("m"), Loader())
    detector.run(threading.Event(), until=lambda: True)


def kill_server(urls: StoreUrls) -> None:
    """SIGKILL for the event server."""
    stores = open_stores(urls)
    server = int(stores.events.info("server")["process_id"])
    stores.close()
    os.kill(server, signal.SIGKILL)


@pytest.fixture(scope="module", name="encoder")
def _encoder() -> Iterator[FrameEncoder]:
    """On one thread: frames come one by one here, and threads that wait for each other take longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield build_encoder("cpu")
    torch.set_num_threads(threads)


def prints() -> list[Window]:
    """Printers side by side: one runs away and its picture changes, the other one is fine."""
    failing = of("p", printing(SECONDS, events={2.0: RUNAWAY}, frame=lambda _: True))
    fine = of("q", printing(SECONDS))
    return [window for pair in zip(failing, fine, strict=True) for window in pair]


def picture(second: int) -> bytes:
    return scene_jpeg(second, lit=second >= CHANGED_AT_S)


def turned(second: int) -> bytes:
    return scene_jpeg(second, scene=int(second >= CHANGED_AT_S))


def feed_all(stores: Stores) -> None:
    feed(stores, prints(), picture)
    feed(stores, of("r", printing(SECONDS, frame=lambda _: True)), turned)


def in_one_session(stores: Stores, encoder: FrameEncoder) -> None:
    judging = session(stores, loader=Loader(encoder))
    while judging.step(1):
        pass


def in_many_sessions(stores: Stores, encoder: FrameEncoder) -> None:
    while True:
        judging = session(stores, loader=Loader(encoder))
        judging.recover()
        if not judging.step(1):
            return


@pytest.fixture(scope="module", name="expected")
def _expected(embedded: EmbeddedStores, encoder: FrameEncoder) -> tuple[list[Scores], list[Anomaly]]:
    """What one session says that never stops and takes all at once."""
    stores = open_stores(embedded.urls())
    stores.events.flushall()
    feed_all(stores)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker, "BATCH", 10_000)
        in_one_session(stores, encoder)
    said = told(stores, "scores", Scores), told(stores, "anomalies", Anomaly)
    stores.close()
    return said


def test_the_prints_give_something_to_compare(expected: tuple[list[Scores], list[Anomaly]]) -> None:
    scores, anomalies = expected
    assert len(scores) == 3 * SECONDS
    told = {(one.kind, one.printer) for one in anomalies}
    assert told == {(Kind.HEATER_FAULT, "p"), (Kind.UNUSUAL, "p"), (Kind.CAMERA_FAULT, "r")}
    assert {one.state for one in anomalies} >= {State.OPENED, State.CLOSED}


@pytest.mark.parametrize(("work", "size"), [(in_one_session, 1), (in_one_session, 7), (in_many_sessions, 5)])
def test_scores_anomalies_and_ids_do_not_depend_on_batches_and_restarts(
    stores: Stores,
    encoder: FrameEncoder,
    expected: tuple[list[Scores], list[Anomaly]],
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Stores, FrameEncoder], None],
    size: int,
) -> None:
    monkeypatch.setattr(worker, "BATCH", size)
    feed_all(stores)
    work(stores, encoder)
    assert (told(stores, "scores", Scores), told(stores, "anomalies", Anomaly)) == expected


def test_what_a_dead_detector_had_taken_is_judged_before_what_is_new(
    stores: Stores, embedded: EmbeddedStores
) -> None:
    session(stores)
    feed(stores, printing(4))
    Reader(stores.events, [key("windows", shard_of("p", SHARDS))], DETECTOR).read(3, 1)
    feed(stores, printing(6))
    run_to_the_end(embedded.urls)
    assert seconds_judged(stores) == list(range(6))
    assert drops(stores.events, range(SHARDS)) == {}


def test_a_store_that_goes_away_is_waited_for_and_each_window_is_judged_once(tmp_path: Path) -> None:
    """It goes in the middle of a batch: after windows were judged in memory, before they are committed."""
    with EmbeddedStores(tmp_path) as own:
        stores = open_stores(own.ensure())
        feed(stores, printing(150, events={30.0: RUNAWAY}))
        stores.close()
        left = ["first", "second"]
        judge = Startled(FIRST + 100, lambda: left and left.pop() and kill_server(own.urls()))
        run_to_the_end(own.ensure, judge)
        stores = open_stores(own.urls())
        assert not left
        assert seconds_judged(stores) == list(range(150))
        assert [one.state for one in told(stores, "anomalies", Anomaly)] == [State.OPENED, State.CLOSED]
        assert (unfinished(stores), drops(stores.events, range(SHARDS))) == (0, {})
        stores.close()


def test_without_a_store_at_the_start_it_ends_and_says_so() -> None:
    def nowhere() -> StoreUrls:
        raise StoreUnreachable("redis: found nothing that answers")

    class Absent(Source):
        def open(self) -> Stores:
            return open_stores(self._urls())

    detector = DetectorWorker(Absent(nowhere), [0], Judge("m"), Loader())
    with pytest.raises(StoreUnreachable, match="found nothing that answers"):
        detector.run(threading.Event())


def test_a_detector_that_is_taken_over_ends_and_has_written_nothing(
    stores: Stores, embedded: EmbeddedStores
) -> None:
    feed(stores, printing(10))
    shard = shard_of("p", SHARDS)
    with pytest.raises(Fenced, match=f"shard {shard} taken over"):
        run_to_the_end(embedded.urls, Startled(FIRST + 5, lambda: ShardOwner(stores.events, shard)))
    assert told(stores, "scores", Scores) == []
    heir = session(stores)
    heir.recover()
    assert seconds_judged(stores) == list(range(10))


def test_an_event_stops_it_between_two_batches(
    stores: Stores, embedded: EmbeddedStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH", 4)
    feed(stores, printing(10))
    stop = threading.Event()
    judge = Startled(FIRST + 5, stop.set)
    DetectorWorker(Source(embedded.urls), list(range(SHARDS)), judge, Loader()).run(stop)
    assert seconds_judged(stores) == list(range(8))
    assert unfinished(stores) == 2


def test_it_says_that_it_lives_and_what_it_has_done(stores: Stores, embedded: EmbeddedStores) -> None:
    feed(stores, printing(10))
    stop = threading.Event()
    DetectorWorker(Source(embedded.urls), [shard_of("p", SHARDS)], Judge("m-1"), Loader()).run(
        stop, until=lambda: unfinished(stores) == 0
    )
    status = decode(stores.events.hget(STATUS_KEY, f"detector/{shard_of('p', SHARDS)}"), Status)
    assert (status.health, status.detail, status.counts["windows"]) == (Health.OK, "m-1 on cpu", 10)
