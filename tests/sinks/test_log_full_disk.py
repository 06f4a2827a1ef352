"""A full disk: writing stops with one alert, nothing is lost, and it goes on by itself."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ingest.records import Health, Status, decode, encode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import DATA, LOG, backlog, ensure_groups, key
from sinks import consume
from sinks.consume import Plan, SinkWorker
from sinks.errors import SinkError
from sinks.parquet_log import ParquetLog
from tests.sinks.logs import parquet, seen_by_others
from tests.waiting import wait_until

Make = Callable[..., Any]
SIZE = 3 << 20


class Source(NamedTuple):
    """The stores of the session, opened anew for each worker."""

    embedded: EmbeddedStores

    def open(self) -> Stores:
        return open_stores(self.embedded.urls())


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MiB; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no right to mount a small disk; test_parquet_log has the limit on a file's size")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Leave so many bytes free."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - left)))
    return filler


def test_a_disk_that_is_really_full_loses_nothing(disk: Path, scores: Make, delivered: Make) -> None:
    log = ParquetLog(disk / "log")
    log.take([delivered(scores(n), n) for n in range(100)])
    log.flush()
    filler = fill(disk, 0)
    log.take([delivered(scores(n), n) for n in range(100, 300)])
    for _ in range(3):
        with pytest.raises(SinkError, match=r"No space left on device.*make room"):
            log.flush()
    assert len(seen_by_others(disk / "log")) == 100
    assert list((disk / "log" / ".writing").iterdir()) == []
    filler.unlink()
    log.close()
    assert set(seen_by_others(disk / "log").values()) == {1}
    assert len(seen_by_others(disk / "log")) == 300


def test_a_log_on_a_full_disk_opens_and_waits(disk: Path, scores: Make, delivered: Make) -> None:
    ParquetLog(disk / "log").close()
    filler = fill(disk, 0)
    log = ParquetLog(disk / "log")
    log.take([delivered(scores(0), 0)])
    with pytest.raises(SinkError, match="make room"):
        log.flush()
    filler.unlink()
    log.close()
    assert len(parquet(disk / "log")) == 1


def test_writing_stops_before_the_disk_is_full(disk: Path, scores: Make, delivered: Make) -> None:
    log = ParquetLog(disk / "log", min_free_bytes=1 << 20)
    filler = fill(disk, (1 << 20) - 8192)
    log.take([delivered(scores(0), 0)])
    told = set()
    for _ in range(2):
        with pytest.raises(SinkError, match="less free than the 1 MB that are to stay so") as error:
            log.flush()
        told.add(str(error.value))
        (disk / "log" / "more").write_bytes(bytes(8192))  # the words stay the same: one alert
    assert len(told) == 1
    assert parquet(disk / "log") == []
    filler.unlink()
    log.close()
    assert len(parquet(disk / "log")) == 1


def test_the_status_says_it_once_and_the_log_goes_on_by_itself(
    disk: Path,
    stores: Stores,
    embedded: EmbeddedStores,
    scores: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consume, "RETRY_S", 0.01)
    monkeypatch.setattr(consume, "STATUS_EVERY_S", 0.0)
    ensure_groups(stores.events, range(1))
    stream, stop = key("scores", 0), threading.Event()
    worker = SinkWorker(
        Source(embedded),
        1,
        Plan(LOG, ("scores",), 10, 0.1),
        lambda _: ParquetLog(disk / "log", min_free_bytes=1 << 20),
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()

    def tell(numbers: range) -> None:
        for n in numbers:
            stores.events.xadd(stream, {DATA: encode(scores(n))})

    def status() -> Status:
        told = stores.events.hget(STATUS_KEY, f"sink/{LOG}")
        return decode(told, Status) if told else Status(source="", at_ns=0, health=Health.DOWN)

    tell(range(50))
    wait_until(lambda: backlog(stores.events, stream, LOG) == 0)
    filler = fill(disk, 500_000)
    tell(range(50, 100))
    wait_until(lambda: status().health is Health.DEGRADED)
    assert "make room" in status().detail
    assert backlog(stores.events, stream, LOG) > 0  # nothing is acknowledged that is not durable
    filler.unlink()
    wait_until(lambda: status().health is Health.OK and backlog(stores.events, stream, LOG) == 0)
    stop.set()
    thread.join()
    found = seen_by_others(disk / "log")
    assert (len(found), set(found.values())) == (100, {1})
    said = [decode(fields[b"d"], Status) for _, fields in stores.events.xrange(key("statuses", 0))]
    log = [one.health for one in said if one.source == f"sink/{LOG}"]
    assert log.count(Health.DEGRADED) == 1
