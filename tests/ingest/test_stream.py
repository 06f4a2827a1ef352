from __future__ import annotations

import pytest
import redis

from ingest.errors import RecordError, StoreUnreachable
from ingest.records import Frame, FrameRef, Mark, Reading, Window, decode, encode
from ingest.store import Stores
from ingest.stream import (
    ALERTS,
    DATA,
    DETECTOR,
    LOG,
    Reader,
    backlog,
    drops,
    ensure_groups,
    frame_key,
    key,
    shard_of,
    store_errors,
)
from ingest.trimming import trim
from ingest.writer import Captured, WindowWriter

SHARDS = 4
WINDOWS = key("windows", 0)


def window(index: int, printer: str = "ender") -> Window:
    ref = FrameRef(camera="c", captured_ns=index, width=8, height=8)
    return Window(printer=printer, job="j", index=index, span_ns=1, frame=ref, sensors=b"", measured=b"")


def captured(index: int, printer: str = "ender") -> Captured:
    frame = Frame(printer=printer, camera="c", captured_ns=index, jpeg=b"jpeg%d" % index, width=8, height=8)
    return Captured(window(index, printer), frame)


def fill(events: redis.Redis, stream: str, count: int) -> list[str]:
    return [events.xadd(stream, {DATA: b"%d" % i}).decode() for i in range(count)]


def test_a_printer_is_always_in_the_same_shard_and_its_keys_share_a_slot() -> None:
    assert shard_of("ender-1", 8) == 4  # written down: a change would tear every farm's order apart
    assert {shard_of(f"printer {n}", 8) for n in range(200)} == set(range(8))
    assert key("windows", 3) == "nw:windows:{3}"
    assert frame_key(3, "a", 7) == "nw:frame:{3}:a:7"


def test_what_was_read_and_not_acknowledged_comes_again_first(stores: Stores) -> None:
    ensure_groups(stores.events, [0])
    ids = fill(stores.events, WINDOWS, 5)
    dead = Reader(stores.events, [WINDOWS], DETECTOR)
    dead.acknowledge(dead.read(2, 1))
    assert [entry.id for entry in dead.read(2, 1)] == ids[2:4]

    heir = Reader(stores.events, [WINDOWS], DETECTOR)
    assert [entry.id for batch in heir.pending(1) for entry in batch] == ids[2:4]
    assert [entry.id for entry in heir.read(9, 1)] == ids[4:]


def test_deliveries_are_counted(stores: Stores) -> None:
    ensure_groups(stores.events, [0])
    fill(stores.events, WINDOWS, 1)
    reader = Reader(stores.events, [WINDOWS], DETECTOR)
    entries = reader.read(1, 1)
    list(reader.pending(1))
    assert list(reader.deliveries(entries).values()) == [2]


def test_trimming_keeps_what_any_group_still_wants(stores: Stores) -> None:
    ensure_groups(stores.events, [0])
    anomalies = key("anomalies", 0)
    fill(stores.events, anomalies, 6)
    log, alerts = Reader(stores.events, [anomalies], LOG), Reader(stores.events, [anomalies], ALERTS)
    log.acknowledge(log.read(6, 1))
    assert (trim(stores.events, anomalies, keep_s={}), stores.events.xlen(anomalies)) == (0, 6)

    read = alerts.read(4, 1)
    alerts.acknowledge([read[0], read[2], read[3]])  # the second is still pending
    assert (trim(stores.events, anomalies, keep_s={}), stores.events.xlen(anomalies)) == (0, 5)
    alerts.acknowledge([read[1]])
    assert (trim(stores.events, anomalies, keep_s={}), stores.events.xlen(anomalies)) == (0, 2)


def test_what_every_group_is_done_with_stays_a_while_for_those_who_look_on(stores: Stores) -> None:
    ensure_groups(stores.events, [0])
    scores = key("scores", 0)
    fill(stores.events, scores, 3)
    reader = Reader(stores.events, [scores], LOG)
    reader.acknowledge(reader.read(3, 1))
    trim(stores.events, scores)
    assert stores.events.xlen(scores) == 3
    trim(stores.events, scores, keep_s={"scores": 0.0})
    assert stores.events.xlen(scores) == 0


def test_the_hard_limit_drops_the_oldest_and_counts_them(stores: Stores) -> None:
    writer = WindowWriter(stores, shards=1, max_len=10)
    writer.write([captured(index) for index in range(25)])
    assert stores.events.xlen(WINDOWS) == 10
    assert drops(stores.events, [0]) == {"windows_unread": 15}


def test_entries_trimmed_under_a_reader_are_told_as_gone(stores: Stores) -> None:
    ensure_groups(stores.events, [0])
    fill(stores.events, WINDOWS, 4)
    Reader(stores.events, [WINDOWS], DETECTOR).read(4, 1)
    stores.events.xtrim(WINDOWS, maxlen=1, approximate=False)
    again = [entry for batch in Reader(stores.events, [WINDOWS], DETECTOR).pending(10) for entry in batch]
    assert [entry.data for entry in again] == [None, None, None, b"3"]


def test_backlog_counts_unread_and_pending(stores: Stores) -> None:
    ensure_groups(stores.events, [0])
    fill(stores.events, WINDOWS, 7)
    reader = Reader(stores.events, [WINDOWS], DETECTOR)
    reader.acknowledge(reader.read(3, 1)[:1])
    assert backlog(stores.events, WINDOWS, DETECTOR) == 6


def test_a_batch_written_again_after_a_lost_answer_appends_only_what_is_missing(stores: Stores) -> None:
    writer = WindowWriter(stores, SHARDS)
    batch = [captured(index, printer) for index in range(10) for printer in ("a", "b", "c")]
    assert writer.write(batch[:12]) == 12
    writer.reopen(stores)
    assert writer.write(batch) == 18
    assert sum(stores.events.xlen(key("windows", shard)) for shard in range(SHARDS)) == 30


def test_a_live_printer_whose_clock_was_set_back_is_not_taken_for_an_old_one(stores: Stores) -> None:
    writer = WindowWriter(stores, SHARDS)
    writer.write([captured(10_000)])
    again = WindowWriter(stores, SHARDS)
    assert not again.was_set_back("ender", 9_990)  # a restart within the last windows
    assert again.was_set_back("ender", 6_400)
    assert again.write([captured(6_400)]) == 1


def test_a_frame_is_there_before_its_window_and_expires(stores: Stores) -> None:
    WindowWriter(stores, 1).write([captured(3)])
    name = frame_key(0, "ender", 3)
    assert stores.frames.get(name) == b"jpeg3"
    assert 0 < stores.frames.ttl(name) <= 600


def test_a_full_frame_store_stops_no_window(stores: Stores) -> None:
    stores.frames.config_set("maxmemory", "1mb")
    stores.frames.config_set("maxmemory-policy", "noeviction")
    try:
        WindowWriter(stores, 1).write([captured(3)])
        assert stores.events.xlen(WINDOWS) == 1
        assert stores.frames.get(frame_key(0, "ender", 3)) is None
    finally:
        stores.frames.config_set("maxmemory", "256mb")
        stores.frames.config_set("maxmemory-policy", "volatile-ttl")


def test_a_lost_connection_is_told_in_our_own_words() -> None:
    with pytest.raises(StoreUnreachable, match="expected the store to answer"), store_errors():
        raise redis.ConnectionError("gone")


def test_a_full_event_store_is_waited_for_and_not_a_crash(stores: Stores) -> None:
    writer = WindowWriter(stores, 1)
    stores.events.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnreachable, match="refuses to write"):
            writer.write([captured(1)])
    finally:
        stores.events.config_set("maxmemory", "0")
    writer.reopen(stores)
    assert writer.write([captured(1)]) == 1
    assert stores.events.xlen(WINDOWS) == 1


def test_a_record_survives_the_wire_and_marks_do_too() -> None:
    told = Window(
        printer="p", job="j", index=1, span_ns=1, frame=None, sensors=b"", measured=b"", marks=Mark.GAP
    )
    assert decode(encode(told), Window) == told


def test_a_record_of_a_newer_version_is_refused_with_what_to_do() -> None:
    newer = encode(Reading(version=2, printer="p", at_ns=1, channel="bed_c", value=1.0))
    with pytest.raises(RecordError, match=r"found version 2, expected at most 1.*update"):
        decode(newer, Reading)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81\xa7version\x01", b"\xff" * 99])
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    with pytest.raises(RecordError, match="Reading: found"):
        decode(data, Reading)
