"""From the streams into the outboxes: each alert once, whatever dies in between."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
import pytest

from detector.anomaly import Anomaly, Kind, Label, State
from detector.kinds import KindRule, KindRules, Reaction
from ingest.records import (
    NS_PER_S,
    Action,
    Command,
    CommandResult,
    Health,
    Outcome,
    Record,
    Status,
    decode,
    encode,
)
from ingest.stage import publish_status
from ingest.store import EmbeddedStores, Stores
from ingest.stream import ALERTS, DATA, Reader, backlog, ensure_groups, frame_key, key, shard_of
from sinks.alerts import STATE, AlertWorker
from sinks.message import About, Answer, Message, Word
from sinks.outbox import outbox_key
from sinks.pictures import Pictures, picture_key
from sinks.policy import Rules
from tests.sinks.conftest import NOON_NS, make_anomaly, make_scores
from tests.sinks.sources import Source
from tests.sinks.test_outbox import FakeChannel, waiting

SHARDS = 2


def tell(stores: Stores, *records: Record, shard: int | None = None) -> None:
    ensure_groups(stores.events, range(SHARDS))
    names = {"Anomaly": "anomalies", "Scores": "scores", "CommandResult": "command-results"}
    for record in records:
        own = shard_of(record.printer, SHARDS) if shard is None else shard  # type: ignore[attr-defined]
        stores.events.xadd(key(names[type(record).__name__], own), {DATA: encode(record)})


def answer(stores: Stores, word: Word, **fields: Any) -> None:
    ensure_groups(stores.events, range(SHARDS))
    stores.events.xadd("nw:answers:{0}", {DATA: encode(Answer(word=word, at_ns=NOON_NS, by="ann", **fields))})


def serve(
    embedded: EmbeddedStores, *channels: FakeChannel, at_ns: int = NOON_NS, kinds: KindRules | None = None
) -> AlertWorker:
    """Work off what is there."""
    rules = Rules(kinds=kinds or KindRules())
    worker = AlertWorker(Source(embedded), SHARDS, rules, channels, clock=lambda: at_ns)
    worker.run(threading.Event(), until=lambda: True)
    return worker


def posted(stores: Stores, channel: FakeChannel) -> list[Message]:
    return [decode(fields[DATA], Message) for _, fields in stores.events.xrange(outbox_key(channel.name))]


def records(stores: Stores, name: str, kind: type[Record]) -> list[Any]:
    return [
        decode(fields[DATA], kind)
        for shard in range(SHARDS)
        for _, fields in stores.events.xrange(key(name, shard))
    ]


def unread(stores: Stores) -> int:
    return sum(backlog(stores.events, key("anomalies", shard), ALERTS) for shard in range(SHARDS))


def opened(number: int = 0, **fields: Any) -> Anomaly:
    return make_anomaly(number, kind=Kind.SPAGHETTI, **fields)


def test_an_anomaly_waits_in_each_outbox(stores: Stores, embedded: EmbeddedStores) -> None:
    one, other = FakeChannel("one"), FakeChannel("other")
    tell(stores, opened())
    serve(embedded, one, other)
    assert [message.id for message in posted(stores, one)] == ["a0"]
    assert [message.id for message in posted(stores, other)] == ["a0"]
    assert unread(stores) == 0


def test_what_was_read_and_not_acknowledged_is_told_once(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    tell(stores, opened(0), opened(1, printer="ender-3"))
    streams = [key("anomalies", shard) for shard in range(SHARDS)]
    Reader(stores.events, streams, ALERTS).read(10)  # read, and dead
    serve(embedded, channel)
    assert sorted(message.id for message in posted(stores, channel)) == ["a0", "a1"]
    tell(stores, opened(0))  # the detector tells it again
    serve(embedded, channel)
    assert waiting(stores, channel) == 2
    assert unread(stores) == 0


def test_a_death_between_the_outbox_and_the_acknowledgement_doubles_nothing(
    stores: Stores, embedded: EmbeddedStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = FakeChannel()
    tell(stores, opened())

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "acknowledge", dies)
        with pytest.raises(KeyboardInterrupt):
            serve(embedded, channel)
    assert unread(stores) == 1
    serve(embedded, channel)
    assert waiting(stores, channel) == 1
    assert unread(stores) == 0


def test_the_policy_goes_on_where_its_predecessor_died(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    tell(stores, opened())
    serve(embedded, channel)
    tell(stores, opened(revision=2, state=State.CLOSED))
    serve(embedded, channel, at_ns=NOON_NS + 10 * NS_PER_S)
    assert waiting(stores, channel) == 1, "it may come back"
    serve(embedded, channel, at_ns=NOON_NS + 100 * NS_PER_S)
    assert posted(stores, channel)[-1].phase == "closed"
    assert b"thread\ta0" not in stores.events.hgetall(STATE)


def test_the_picture_waits_beside_with_its_boxes(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    anomaly = opened()
    frame = anomaly.evidence.frames[-1]
    jpeg = cv2.imencode(".jpg", np.full((240, 320, 3), 128, np.uint8))[1].tobytes()
    shard = shard_of(anomaly.printer, SHARDS)
    stores.frames.set(frame_key(shard, anomaly.printer, frame.captured_ns), jpeg)
    tell(stores, anomaly)
    serve(embedded, channel)
    [message] = posted(stores, channel)
    drawn = Pictures().of(stores.events, message)
    picture = cv2.imdecode(np.frombuffer(drawn or b"", np.uint8), 1)
    assert picture.shape == (240, 320, 3)
    box = anomaly.boxes[0]
    on_the_edge = picture[round((box.y + box.height / 2) * 240), round(box.x * 319)]
    assert np.abs(on_the_edge.astype(int) - 128).max() > 60
    assert np.abs(picture[-5, -5].astype(int) - 128).max() < 10


def test_a_picture_that_is_gone_holds_nothing_up(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    tell(stores, opened())
    serve(embedded, channel)
    [message] = posted(stores, channel)
    assert stores.events.get(picture_key(message)) is None


def test_what_is_no_anomaly_is_a_dead_letter(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    ensure_groups(stores.events, range(SHARDS))
    stores.events.xadd(key("anomalies", 0), {DATA: b"\xc1"})
    tell(stores, opened())
    worker = serve(embedded, channel)
    assert waiting(stores, channel) == 1
    assert worker.counts["dead_letters"] == 1
    assert stores.events.xlen(key("dead", 0)) == 1
    assert unread(stores) == 0


def test_a_printer_is_paused_through_ingests_commands(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    pause = KindRules(farm={Kind.SPAGHETTI: KindRule(Reaction.PAUSE, pause_at=0.9, for_s=10.0)})
    anomaly = opened()
    scores = [make_scores(n, probabilities={Kind.SPAGHETTI: 0.95}) for n in range(15)]
    tell(stores, anomaly, *scores)
    now_ns = NOON_NS + 16 * NS_PER_S
    serve(embedded, channel, at_ns=now_ns, kinds=pause)
    serve(embedded, channel, at_ns=now_ns, kinds=pause)
    [command] = records(stores, "commands", Command)
    assert (command.printer, command.action, command.by) == ("voron-2", Action.PAUSE, "nozzlewatch")
    result = CommandResult(
        id=command.id, printer="voron-2", action=Action.PAUSE, at_ns=now_ns, outcome=Outcome.DONE
    )
    tell(stores, result)
    serve(embedded, channel, at_ns=now_ns + NS_PER_S, kinds=pause)
    assert [(one.about, one.title) for one in posted(stores, channel)][1:] == [
        (About.ACTION, "voron-2: paused")
    ]


def test_scores_wait_for_nobody_where_nothing_may_be_paused(stores: Stores, embedded: EmbeddedStores) -> None:
    pause = KindRules(farm={Kind.SPAGHETTI: KindRule(Reaction.PAUSE)})
    serve(embedded, kinds=pause)
    groups = [row["name"] for row in stores.events.xinfo_groups(key("scores", 0))]
    assert ALERTS.encode() in groups
    serve(embedded)
    groups = [row["name"] for row in stores.events.xinfo_groups(key("scores", 0))]
    assert ALERTS.encode() not in groups


def test_an_answer_becomes_a_label(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    tell(stores, opened())
    serve(embedded, channel)
    answer(stores, Word.FINE, message="a0")
    serve(embedded, channel)
    [label] = records(stores, "labels", Label)
    assert (label.anomaly, label.kind, label.printer) == ("a0", None, "voron-2")


def test_a_part_in_trouble_is_told(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    trouble = Status(source="sink/log", at_ns=NOON_NS, health=Health.DEGRADED, detail="the disk is full")
    publish_status(stores, trouble)
    stop = threading.Event()
    turns = iter([False] * 40)
    rules = Rules()
    worker = AlertWorker(Source(embedded), SHARDS, rules, [channel], clock=lambda: NOON_NS + NS_PER_S)
    worker.run(stop, until=lambda: next(turns, True) and waiting(stores, channel) > 0)
    [message] = posted(stores, channel)
    assert (message.about, "the disk is full" in message.title) == (About.BLIND, True)
