"""Recording a printer that is being watched: the watch's own connections serve the recorder."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from ingest.broadcast import listen
from ingest.recordings.reader import Recording
from ingest.stage import watched_now
from nozzlewatch.record import Recorded, record
from tests.ingest.ingesting import Ingesting
from tests.ingest.live_sources import plug_in
from tests.waiting import wait_until


def test_a_watched_printer_is_recorded_without_a_second_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, printer = plug_in(monkeypatch)
    ingesting = Ingesting(tmp_path, 'camera = "fake:eye"\ntelemetry = "fake:port"')
    worker = ingesting.begin()
    stop, told = threading.Event(), list[Recorded]()
    path = tmp_path / "print.mcap"

    def work() -> None:
        told.append(record(ingesting.farm.path, "ender", path, seconds=None, stop=stop))

    recorder = threading.Thread(target=work)
    others: list[object] = []

    def heard(count: int) -> bool:
        """Whether another listener, who came later than the recorder, has heard so many items."""
        others.extend(item for item in [next(listening)] if item is not None)
        return len(others) >= count

    with contextlib.ExitStack() as stack:
        stack.callback(ingesting.close)
        wait_until(lambda: "ender" in watched_now(ingesting.farm), 20, "the watch to say that it lives")
        recorder.start()
        wait_until(lambda: worker.feeds[0].listener is not None, 10, "the recorder to listen")
        stores = stack.enter_context(ingesting.stores())
        listening = listen(stores.events, "ender", 1, 0.05)
        assert next(listening) is None
        for value in (201.0, 202.0, 203.0):
            printer.say(value)
            camera.say()
        wait_until(lambda: heard(6), 10, "all to be sent")
        stop.set()
        recorder.join(20)
        listening.close()
    assert (camera.tries, printer.tries) == (1, 1)
    assert told[0].whole
    assert (told[0].counts["readings"], told[0].counts["frames"]) == (3, 3)
    about = Recording(path).about
    assert about is not None
    assert (about.printer, about.live) == ("ender", "yes")
