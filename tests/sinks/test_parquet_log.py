"""The Parquet log: each row once, whatever happens to the writer."""

from __future__ import annotations

import os
import re
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from detector.anomaly import Kind, State
from sinks import parquet_files, parquet_keys
from sinks.errors import SinkError
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_anomalies, read_inspections, read_labels, read_scores, read_statuses

DAY_S = 86_400
Make = Callable[..., Any]


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Iterator[ParquetLog]:
    log = ParquetLog(tmp_path / "log")
    yield log
    log.close()


def files(root: Path) -> list[Path]:
    return sorted(root.glob("*/date=*/*"))


def rows(root: Path, dataset: str = "scores") -> pa.Table:
    return ds.dataset(root / dataset, partitioning="hive").to_table()


def entries(root: Path) -> Counter[str]:
    return Counter(rows(root).column("entry_id").to_pylist())


def test_columns_say_what_they_are_and_the_schema_its_version(
    tmp_path: Path, log: ParquetLog, one_of_each: list[Any], delivered: Make
) -> None:
    log.take([delivered(record, n) for n, record in enumerate(one_of_each)])
    log.flush()
    assert len(files(tmp_path / "log")) == len(one_of_each) == 5
    for path in files(tmp_path / "log"):
        schema = pq.read_schema(path)
        assert schema.metadata[b"nozzlewatch_schema_version"] == b"2"
        assert all(field.metadata[b"meaning"] for field in schema)
    by_name = pq.read_schema(next((tmp_path / "log").glob("scores/*/*")))
    assert by_name.field("start").type == pa.timestamp("ns", tz="UTC")
    assert by_name.field("p_spaghetti").metadata[b"unit"] == b"0..1"
    assert {f"p_{kind.value}" for kind in Kind} <= set(by_name.names)


def test_a_row_holds_the_record_and_where_it_came_from(
    tmp_path: Path, log: ParquetLog, scores: Make, delivered: Make
) -> None:
    log.take([delivered(scores(0, novelty=None), 7)])
    log.flush()
    row = read_scores(tmp_path / "log").drop_columns(["frame"]).to_pylist()[0]
    assert (row["stream"], row["entry_id"]) == ("nw:scores:{3}", "1770000000007-0")
    assert (row["printer"], row["job"], row["index"]) == ("voron-2", "benchy.gcode", 1_770_120_000)
    assert (row["p_spaghetti"], row["p_stall"], row["p_blob"]) == (0.25, 0.5, 0.0)
    assert (row["novelty"], row["marks"], row["quality"], row["frame_lost"]) == (None, 5, 8, False)


def test_name_and_footer_hold_the_range_per_shard(
    tmp_path: Path, log: ParquetLog, scores: Make, delivered: Make
) -> None:
    log.take([delivered(scores(n), n, shard=n % 2) for n in range(5)])
    log.flush()
    (path,) = files(tmp_path / "log")
    assert path.name == "0_1770000000000-0_1770000000004-0__1_1770000000001-0_1770000000003-0.parquet"
    footer = pq.read_schema(path).metadata[b"nozzlewatch_streams"]
    assert b'"nw:scores:{0}": ["1770000000000-0", "1770000000004-0"]' in footer


def test_a_name_stays_short_with_many_shards() -> None:
    ranges = {
        f"nw:scores:{{{n}}}": ((1_770_000_000_000 + n, 0), (1_770_000_000_100 + n, 9)) for n in range(64)
    }
    name = parquet_files.file_name(ranges)
    assert re.fullmatch(r"all64-[0-9a-f]{8}_1770000000000-0_1770000000163-9", name)
    assert parquet_files.name_ranges(name) == [((1_770_000_000_000, 0), (1_770_000_000_163, 9))]


def test_days_are_hive_partitions(tmp_path: Path, log: ParquetLog, scores: Make, delivered: Make) -> None:
    log.take([delivered(scores(n * DAY_S), n) for n in range(3)])
    log.flush()
    assert sorted(rows(tmp_path / "log").column("date").to_pylist()) == [
        "2026-02-03",
        "2026-02-04",
        "2026-02-05",
    ]


def test_the_same_row_under_a_new_entry_id_is_no_second_row(
    tmp_path: Path, scores: Make, anomaly: Make, delivered: Make
) -> None:
    for n in range(3):
        log = ParquetLog(tmp_path)
        log.take([delivered(scores(0), 2 * n), delivered(anomaly(0), 2 * n), delivered(scores(0), 2 * n + 1)])
        log.take([delivered(scores(0), 9), delivered(anomaly(0), 9)])
        log.flush()
        log.take([delivered(scores(0), 10)])
        log.close()
    assert entries(tmp_path) == {"1770000000000-0": 1}
    assert len(read_anomalies(tmp_path, latest_only=False)) == 1


def test_each_revision_of_an_anomaly_is_a_row(
    tmp_path: Path, log: ParquetLog, anomaly: Make, delivered: Make
) -> None:
    log.take([delivered(anomaly(0, revision=n + 1), n) for n in range(3)])
    log.flush()
    assert [one.revision for one in read_anomalies(tmp_path / "log", latest_only=False)] == [1, 2, 3]


def test_recover_tells_by_entry_id_beyond_the_remembered_keys(
    tmp_path: Path, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ParquetLog(tmp_path)
    log.take([delivered(scores(n), n) for n in (0, 1, 5)])
    log.close()
    monkeypatch.setattr(parquet_keys, "GROUPS_KEPT", 0)
    again = ParquetLog(tmp_path)
    held = again.recover([delivered(scores(n), n) for n in range(7)])
    assert held == {("nw:scores:{3}", f"{1_770_000_000_000 + n}-0") for n in (0, 1, 5)}
    again.close()


def test_an_entry_of_another_shard_with_the_same_id_is_not_taken_for_written(
    tmp_path: Path, log: ParquetLog, scores: Make, delivered: Make
) -> None:
    log.take([delivered(scores(0), 0, shard=1)])
    log.flush()
    assert log.recover([delivered(scores(1), 0, shard=2)]) == set()


def test_one_bad_record_leaves_nothing_of_its_batch(
    tmp_path: Path, log: ParquetLog, scores: Make, delivered: Make
) -> None:
    for bad in (
        delivered(scores(1, index=2**62), 1),
        delivered(scores(1, printer="\ud800"), 1),
        delivered(scores(1), 1)._replace(entry_id="no id"),
        delivered(scores(1, marks=2**40), 1),
    ):
        with pytest.raises(SinkError):
            log.take([delivered(scores(0), 0), bad])
    log.flush()
    assert files(tmp_path / "log") == []
    log.take([delivered(scores(0), 0)])
    log.flush()
    assert entries(tmp_path / "log") == {"1770000000000-0": 1}


def test_a_full_disk_loses_nothing_and_leaves_nothing_half_written(
    tmp_path: Path, log: ParquetLog, scores: Make, anomaly: Make, delivered: Make
) -> None:
    log.take([delivered(scores(0), 0), delivered(anomaly(0), 0)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))  # bytes: less than any Parquet file of ours
    try:
        with pytest.raises(SinkError, match="make room"):
            log.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path / "log") == []
    assert list((tmp_path / "log" / ".writing").iterdir()) == []
    log.take([delivered(scores(1), 1)])
    log.flush()
    assert entries(tmp_path / "log") == {"1770000000000-0": 1, "1770000000001-0": 1}
    assert len(read_anomalies(tmp_path / "log")) == 1


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SinkError, match=str(tmp_path / "file")):
        ParquetLog(tmp_path / "file" / "log")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error_that_names_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match=str(tmp_path)):
        ParquetLog(tmp_path / "log")


def test_a_part_that_cannot_be_written_does_not_undo_the_others(
    tmp_path: Path, scores: Make, delivered: Make
) -> None:
    log = ParquetLog(tmp_path)
    blocker = tmp_path / "scores" / "date=2026-02-04"
    blocker.parent.mkdir()
    blocker.write_text("no folder")
    log.take([delivered(scores(n * DAY_S), n) for n in range(3)])
    with pytest.raises(SinkError, match="date=2026-02-04"):
        log.flush()
    blocker.unlink()
    log.close()
    assert set(entries(tmp_path).values()) == {1}
    assert len(entries(tmp_path)) == 3


def test_a_log_has_one_writer_at_a_time(tmp_path: Path, log: ParquetLog) -> None:
    with pytest.raises(SinkError, match="another process"):
        ParquetLog(tmp_path / "log")


def test_leftovers_are_invisible_and_cleared(tmp_path: Path, scores: Make, delivered: Make) -> None:
    log = ParquetLog(tmp_path)
    log.take([delivered(scores(0), 0)])
    log.close()
    leftover = tmp_path / ".writing" / "3_1-0_2-0.parquet"
    leftover.write_bytes(b"PAR1 and then the power went")
    assert read_scores(tmp_path).num_rows == 1
    ParquetLog(tmp_path).close()
    assert not leftover.exists()


def test_a_file_that_is_no_parquet_is_told_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "scores" / "date=2026-02-03"
    folder.mkdir(parents=True)
    (folder / "3_1-0_2-0.parquet").write_bytes(b"nonsense")
    with pytest.raises(SinkError, match=r"3_1-0_2-0\.parquet"):
        ParquetLog(tmp_path)
    (folder / "3_1-0_2-0.parquet").unlink()
    ParquetLog(tmp_path).close()


def test_states_and_evidence_come_back_as_they_were(
    tmp_path: Path, log: ParquetLog, anomaly: Make, delivered: Make
) -> None:
    told = [anomaly(n, state=state, text="ä 🧵") for n, state in enumerate(State)]
    log.take([delivered(one, n) for n, one in enumerate(told)])
    log.flush()
    assert read_anomalies(tmp_path / "log") == told


def test_inspections_come_back_as_they_were_each_print_once(
    tmp_path: Path, inspection: Make, delivered: Make
) -> None:
    nothing = inspection(1, verdict="", probability=None, pictures=(), text="surface: not judged")
    told = [inspection(0), nothing, inspection(0, printer="mk4"), inspection(DAY_S, sound=True)]
    for n in range(3):
        log = ParquetLog(tmp_path)
        log.take([delivered(one, 10 * n + place) for place, one in enumerate([*told, told[0]])])
        log.close()
    assert read_inspections(tmp_path) == [told[2], told[0], told[1], told[3]]
    assert read_inspections(tmp_path, printer="voron-2", job="benchy 1") == [nothing]
    assert read_inspections(tmp_path, since=told[3].at_ns) == [told[3]]
    again = ParquetLog(tmp_path)
    held = again.recover([delivered(one, 100) for one in (told[0], inspection(2))])
    assert held == {("nw:inspections:{3}", "1770000000100-0")}
    again.close()


def test_a_log_from_before_there_were_inspections_holds_none(
    tmp_path: Path, log: ParquetLog, scores: Make, delivered: Make
) -> None:
    log.take([delivered(scores(0), 0)])
    log.flush()
    assert read_inspections(tmp_path / "log") == []


def test_labels_and_statuses_come_back_as_they_were(
    tmp_path: Path, log: ParquetLog, label: Make, status: Make, delivered: Make
) -> None:
    said = [label(0), label(1, anomaly="a7", kind=None, text="a shadow"), label(0)]
    told = [status(0), status(60, printer=None, source="detector/0", counts={}), status(120)]
    log.take([delivered(one, n) for n, one in enumerate([*said, *told, told[0]])])
    log.flush()
    assert read_labels(tmp_path / "log") == said  # a user may say the same thing again
    assert read_statuses(tmp_path / "log") == told
    assert read_statuses(tmp_path / "log", source="detector/0") == [told[1]]
    assert read_labels(tmp_path / "log", since=said[1].from_ns) == [said[1]]


def test_a_label_bears_when_it_was_said(
    tmp_path: Path, log: ParquetLog, label: Make, delivered: Make
) -> None:
    log.take([delivered(label(0), 5)])
    log.flush()
    (said,) = rows(tmp_path / "log", "labels").column("said").cast(pa.int64()).to_pylist()
    assert said == 1_770_000_000_005 * 1_000_000
