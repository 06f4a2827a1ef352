"""The detector's batches on real stores: every window judged once, in order, whatever lies between them."""

from __future__ import annotations

import msgspec
import pytest

from detector import worker
from detector.anomaly import Kind, Scores
from detector.commit import ShardOwner, load_memories
from detector.worker import MAX_ATTEMPTS, SUSPECT_DELIVERIES
from ingest.records import EventKind, Window, decode, encode
from ingest.store import Stores
from ingest.stream import DATA, DETECTOR, Entry, Reader, drops, frame_key, key, shard_of
from tests.detector.at_work import (
    SHARDS,
    Loader,
    Startled,
    dead_letters,
    feed,
    jpeg,
    of,
    seconds_judged,
    session,
    told,
    unfinished,
)
from tests.detector.windows import FIRST, printing

RUNAWAY = (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: 0")
PRINTERS = ("p", "q", "r", "s", "t")


def append(stores: Stores, data: bytes, printer: str = "p") -> Entry:
    """An entry as nobody of ours writes it."""
    stream = key("windows", shard_of(printer, SHARDS))
    return Entry(stream, stores.events.xadd(stream, {DATA: data}).decode(), data)


def reader(stores: Stores) -> Reader:
    return Reader(stores.events, [key("windows", shard_of("p", SHARDS))], DETECTOR)


def die_before_commit(stores: Stores, count: int = 100, times: int = 1) -> list[Entry]:
    """A detector that took windows and died, again and again, before it committed them."""
    taken = reader(stores).read(count, 1)
    for _ in range(times - 1):
        list(reader(stores).pending(count))
    return taken


def test_windows_of_all_printers_and_shards_are_judged_in_order_and_acknowledged(stores: Stores) -> None:
    assert len({shard_of(printer, SHARDS) for printer in PRINTERS}) > 1
    windows = {printer: of(printer, printing(20)) for printer in PRINTERS}
    feed(stores, [window for second in zip(*windows.values(), strict=True) for window in second])
    judging = session(stores)
    assert judging.step(1) == 100
    for printer in PRINTERS:
        assert seconds_judged(stores, printer) == list(range(20))
    assert (unfinished(stores), judging.step(1), judging.counts["windows"]) == (0, 0, 100)


def test_a_window_that_comes_again_is_counted_and_scored_once(stores: Stores) -> None:
    for window in [*printing(3), *printing(3)[1:], printing(4)[3]]:
        append(stores, encode(window))
    judging = session(stores)
    judging.step(1)
    assert seconds_judged(stores) == [0, 1, 2, 3]
    assert drops(stores.events, range(SHARDS)) == {"windows_duplicate": 2}
    assert (judging.counts["windows_duplicate"], unfinished(stores)) == (2, 0)


RAGGED = msgspec.structs.replace(printing(1)[0], sensors=b"ragged!")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xc1", "Window: found 1 bytes that are no such record"),
        (encode(msgspec.structs.replace(RAGGED, version=2)), "Window: found version 2, expected at most 1"),
        (encode(RAGGED), "Window: found 7 bytes of sensors"),
    ],
    ids=["no-record", "newer", "ragged"],
)
def test_what_is_no_window_becomes_a_dead_letter_and_blocks_nothing(
    stores: Stores, data: bytes, error: str
) -> None:
    feed(stores, printing(2))
    odd = append(stores, data)
    feed(stores, printing(5))
    judging = session(stores)
    judging.step(1)
    assert seconds_judged(stores) == list(range(5))
    (letter,) = dead_letters(stores)
    assert letter[b"error"].decode().startswith(error)
    assert (letter[b"stream"], letter[b"id"], letter[DATA]) == (odd.stream.encode(), odd.id.encode(), data)
    assert (unfinished(stores), judging.counts["dead_letters"]) == (0, 1)


def test_a_window_that_startles_the_judge_becomes_a_dead_letter_and_the_next_are_judged(
    stores: Stores,
) -> None:
    feed(stores, printing(5))
    session(stores, Startled(FIRST + 2, lambda: 1 // 0)).step(1)
    assert seconds_judged(stores) == [0, 1, 3, 4]
    (letter,) = dead_letters(stores)
    assert b"ZeroDivisionError" in letter[b"error"]
    assert decode(letter[DATA], Window).index == FIRST + 2
    assert unfinished(stores) == 0
    history = load_memories(stores.events, shard_of("p", SHARDS))["p"].history
    assert [window.index - FIRST for window in history.windows] == list(range(5))


@pytest.mark.parametrize(
    ("deaths", "together"), [(SUSPECT_DELIVERIES - 1, [3]), (SUSPECT_DELIVERIES, [1, 1, 1])]
)
def test_windows_at_which_the_detector_died_often_are_tried_alone(
    stores: Stores, deaths: int, together: list[int]
) -> None:
    session(stores)
    feed(stores, printing(3))
    die_before_commit(stores, times=deaths)
    loader = Loader()
    session(stores, loader=loader).recover()
    assert loader.together == together
    assert (seconds_judged(stores), unfinished(stores)) == ([0, 1, 2], 0)
    assert not stores.events.exists(key("attempts", shard_of("p", SHARDS)))


@pytest.mark.parametrize(
    ("attempts", "judged"), [(MAX_ATTEMPTS - 1, [0, 1, 2, 3]), (MAX_ATTEMPTS, [0, 2, 3])]
)
def test_a_window_that_was_tried_alone_too_often_becomes_a_dead_letter(
    stores: Stores, attempts: int, judged: list[int]
) -> None:
    session(stores)
    feed(stores, printing(3))
    taken = die_before_commit(stores, times=SUSPECT_DELIVERIES)
    owner = ShardOwner(stores.events, taken[1].shard)
    for _ in range(attempts):
        owner.attempt(taken[1])
    feed(stores, printing(4))
    judging = session(stores)
    judging.recover()
    judging.step(1)
    assert seconds_judged(stores) == judged
    letters = [(letter[b"id"].decode(), letter[b"error"]) for letter in dead_letters(stores)]
    given_up = [(taken[1].id, b"the detector died at this window 3 times")]
    assert letters == (given_up if attempts == MAX_ATTEMPTS else [])
    assert (unfinished(stores), judging.counts["dead_letters"]) == (0, len(letters))


def test_a_window_whose_frame_has_gone_is_judged_by_telemetry(stores: Stores) -> None:
    windows = printing(3, frame=lambda _: True, events={1.5: RUNAWAY})
    feed(stores, windows)
    stores.frames.delete(frame_key(shard_of("p", SHARDS), "p", windows[1].frame.captured_ns))
    session(stores).step(1)
    scores = told(stores, "scores", Scores)
    assert [one.frame_lost for one in scores] == [False, True, False]
    assert scores[1].probabilities == {Kind.HEATER_FAULT: 1.0}
    assert drops(stores.events, range(SHARDS)) == {"frames_lost": 1}


def test_a_frame_that_cannot_be_read_is_counted_and_its_window_judged(stores: Stores) -> None:
    torn = jpeg(9)[:-40]
    feed(stores, printing(3, frame=lambda _: True), lambda second: torn if second == 1 else jpeg(9))
    session(stores).step(1)
    assert [one.frame_lost for one in told(stores, "scores", Scores)] == [False] * 3
    assert drops(stores.events, range(SHARDS)) == {"frames_unreadable": 1}


def test_windows_that_were_trimmed_away_under_a_dead_detector_are_counted(stores: Stores) -> None:
    session(stores)
    feed(stores, printing(5))
    die_before_commit(stores)
    stores.events.xtrim(key("windows", shard_of("p", SHARDS)), maxlen=2, approximate=False)
    session(stores).recover()
    assert seconds_judged(stores) == [3, 4]
    assert drops(stores.events, range(SHARDS)) == {"windows_trimmed": 3}
    assert (unfinished(stores), dead_letters(stores)) == (0, [])


def test_the_windows_are_trimmed_behind_what_is_acknowledged(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TRIM_EVERY_S", 0.0)
    monkeypatch.setattr(worker, "BATCH", 4)
    stream = key("windows", shard_of("p", SHARDS))
    for number, window in enumerate(printing(10)):  # ids of long ago: nobody looks on any more
        stores.events.xadd(stream, {DATA: encode(window)}, id=f"{number + 1}-0")
    judging = session(stores)
    left = []
    while judging.step(1):
        left.append(stores.events.xlen(stream))
    assert left == [6, 2, 0]
    assert drops(stores.events, range(SHARDS)) == {}
