"""Listening to what a watched printer's sources yield."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.broadcast import listen, pack, unpack
from ingest.errors import RecordError
from ingest.records import Event, EventKind, Frame, Reading, SerialLine
from ingest.sources import Item
from tests.ingest.ingesting import Ingesting
from tests.ingest.live_sources import FakePrinter, plug_in
from tests.waiting import wait_until

ITEMS: tuple[Item, ...] = (
    Frame(printer="p", camera="c", captured_ns=1, jpeg=b"\xff\xd8", width=4, height=3),
    Reading(printer="p", at_ns=2, channel="hotend_c", value=0.1),
    Event(printer="p", at_ns=3, kind=EventKind.PAUSED, text="//action:paused"),
    SerialLine(printer="p", at_ns=4, text="ok", sent=True),
)


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_comes_out_as_it_went_in(item: Item) -> None:
    assert unpack(pack(item, 17)) == (item, 17)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        unpack(data)


def test_whoever_listens_gets_every_item_and_the_sources_are_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, printer = plug_in(monkeypatch)
    ingesting = Ingesting(tmp_path, 'camera = "fake:eye"\ntelemetry = "fake:port"')
    worker = ingesting.begin()
    feed = worker.feeds[0]
    try:
        assert feed.listener is None
        with ingesting.stores() as stores:
            arrived = listen(stores.events, "ender", 1, wait_s=0.1)
            assert next(arrived) is None
            wait_until(lambda: feed.listener is not None, 10, "the listener to be seen")
            printer.say(201.5)
            camera.say()
            told: list[Item] = []
            while len(told) < 2:
                found = next(arrived)
                told += [found[0]] if found else []
            assert {type(item) for item in told} == {Frame, Reading}
            assert isinstance(feed.telemetry, FakePrinter)
            assert feed.telemetry.with_lines
            arrived.close()
        wait_until(lambda: feed.listener is None, 10, "the end of listening to be seen")
        assert not feed.telemetry.with_lines
        assert (camera.tries, printer.tries) == (1, 1)
    finally:
        ingesting.close()
