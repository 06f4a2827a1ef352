"""Frames of anomalies kept beside the log: durable before the row that names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.anomaly import Evidence, State
from ingest.records import SURFACE_CAMERA, FrameRef
from ingest.store import Stores
from ingest.stream import frame_key, shard_of
from sinks.errors import SinkError
from sinks.log_pictures import FrameStore
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_anomalies
from tests.sinks.logs import DAY, NOON_NS, parquet

import pyarrow.parquet as pq  # isort: skip

Make = Callable[..., Any]
SHARDS = 4
S = 10**9


def frame(second: int, camera: str = "top") -> FrameRef:
    return FrameRef(camera=camera, captured_ns=NOON_NS + second * S, width=640, height=480)


def keep(stores: Stores, second: int, jpeg: bytes, printer: str = "voron-2") -> None:
    stores.frames.set(frame_key(shard_of(printer, SHARDS), printer, NOON_NS + second * S), jpeg)


def pictures(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.glob("frames/*/*"))}


def named(root: Path) -> list[list[str]]:
    """The column of pictures, by stream id."""
    tables = [pq.read_table(path, columns=["entry_id", "pictures"]) for path in parquet(root, "anomalies")]
    rows = [row for table in tables for row in table.to_pylist()]
    return [row["pictures"] for row in sorted(rows, key=lambda row: row["entry_id"])]


@pytest.fixture(name="opened")
def _opened(anomaly: Make) -> Callable[..., Any]:
    """An anomaly that begins at second 1 and is found at second 3."""

    def made(**fields: Any) -> Any:
        evidence = Evidence(frames=(frame(1), frame(2), frame(3)))
        return anomaly(
            0, **{"onset_ns": NOON_NS + S, "evidence": evidence, "at_ns": NOON_NS + 4 * S} | fields
        )

    return made


def log_of(root: Path, stores: Stores) -> ParquetLog:
    return ParquetLog(root, frames=FrameStore(stores.frames, SHARDS))


def test_onset_detection_and_close_are_kept_and_the_rows_name_them(
    tmp_path: Path, stores: Stores, opened: Make, scores: Make, delivered: Make
) -> None:
    for second in range(70):
        keep(stores, second, b"picture %d" % second)
    log = log_of(tmp_path, stores)
    log.take([delivered(scores(n, frame=frame(n)), n) for n in range(5)])
    log.take([delivered(opened(), 5)])
    log.flush()
    log.take([delivered(opened(revision=2, state=State.UPDATED), 6)])
    closed = opened(revision=3, state=State.CLOSED, at_ns=NOON_NS + 61 * S)
    later = [delivered(scores(n, frame=frame(n)), 100 + n) for n in range(50, 65)]
    odd = delivered(scores(65, frame=frame(60, SURFACE_CAMERA)), 200)
    log.take([*later, odd, delivered(closed, 300)])
    log.close()
    assert pictures(tmp_path) == {
        "a0-closed.jpg": b"picture 61",
        "a0-detected.jpg": b"picture 3",
        "a0-onset.jpg": b"picture 1",
    }
    folder = f"frames/date={DAY}"
    two = [f"{folder}/a0-onset.jpg", f"{folder}/a0-detected.jpg"]
    assert named(tmp_path) == [two, two, [*two, f"{folder}/a0-closed.jpg"]]
    assert all((tmp_path / path).is_file() for row in named(tmp_path) for path in row)
    assert [one.revision for one in read_anomalies(tmp_path)] == [3]


def test_a_successor_names_what_its_predecessor_kept(
    tmp_path: Path, stores: Stores, opened: Make, delivered: Make
) -> None:
    for second in (1, 3):
        keep(stores, second, b"jpeg")
    log = log_of(tmp_path, stores)
    log.take([delivered(opened(), 0)])
    log.close()
    stores.frames.flushall()
    log = log_of(tmp_path, stores)
    log.take([delivered(opened(revision=2, state=State.CLOSED), 1)])
    log.close()
    assert [[Path(path).name for path in row] for row in named(tmp_path)] == [
        ["a0-onset.jpg", "a0-detected.jpg"]
    ] * 2


def test_a_frame_that_is_gone_is_no_error_and_is_not_named(
    tmp_path: Path, stores: Stores, opened: Make, anomaly: Make, delivered: Make
) -> None:
    keep(stores, 3, b"jpeg")
    log = log_of(tmp_path, stores)
    log.take([delivered(opened(), 0), delivered(anomaly(1, evidence=Evidence()), 1)])
    log.close()
    assert named(tmp_path) == [[f"frames/date={DAY}/a0-detected.jpg"], []]
    assert list(pictures(tmp_path)) == ["a0-detected.jpg"]


def test_one_frame_of_evidence_is_one_picture(
    tmp_path: Path, stores: Stores, opened: Make, delivered: Make
) -> None:
    keep(stores, 2, b"jpeg")
    log = log_of(tmp_path, stores)
    log.take([delivered(opened(evidence=Evidence(frames=(frame(2),))), 0)])
    log.close()
    assert list(pictures(tmp_path)) == ["a0-detected.jpg"]


def test_pictures_are_there_before_the_row_that_names_them(
    tmp_path: Path, stores: Stores, opened: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(stores, 1, b"jpeg")
    keep(stores, 3, b"jpeg")
    log = log_of(tmp_path, stores)
    log.take([delivered(opened(), 0)])
    publish, seen = log.place.publish, []

    def noted(part: Path, target: str) -> None:
        seen.append(target.partition("/")[0])
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        publish(part, target)

    monkeypatch.setattr(log.place, "publish", noted)
    with pytest.raises(SinkError, match="No space left"):
        log.flush()
    assert parquet(tmp_path, "anomalies") == []
    log.close()
    assert seen == ["frames", "frames", "frames", "anomalies"]
    assert len(pictures(tmp_path)) == len(named(tmp_path)[0]) == 2


def test_without_the_frame_store_rows_are_written_and_it_is_said_once(
    tmp_path: Path, opened: Make, delivered: Make, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    import redis  # noqa: PLC0415

    nowhere = redis.Redis(unix_socket_path=str(tmp_path / "none"))
    log = ParquetLog(tmp_path / "log", frames=FrameStore(nowhere, SHARDS))
    log.take([delivered(opened(), 0)])
    log.take([delivered(opened(id="a1"), 1)])
    log.close()
    assert named(tmp_path / "log") == [[], []]
    assert caplog.text.count("frames of anomalies are not kept meanwhile") == 1


def test_an_id_that_is_no_name_leads_nowhere_else(
    tmp_path: Path, stores: Stores, opened: Make, delivered: Make
) -> None:
    keep(stores, 1, b"jpeg")
    log = log_of(tmp_path / "log", stores)
    log.take([delivered(opened(id="../../../evil"), 0)])
    log.close()
    (path,) = (tmp_path / "log").glob("frames/*/*")
    assert path.name.removesuffix("-onset.jpg").isalnum()
    assert not list(tmp_path.rglob("evil*"))


def test_a_log_without_a_frame_store_keeps_none(tmp_path: Path, opened: Make, delivered: Make) -> None:
    log = ParquetLog(tmp_path)
    log.take([delivered(opened(), 0)])
    log.close()
    assert named(tmp_path) == [[]]
    assert not (tmp_path / "frames").exists()
