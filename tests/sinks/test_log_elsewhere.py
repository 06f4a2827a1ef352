"""Logs on other file systems, through pyarrow.fs: the same rows, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import fs

from sinks import log_place, read_log
from sinks import parquet_log as log_module
from sinks.errors import SinkError
from sinks.log_compaction import Merge, finish_merges, merge
from sinks.log_folder import LogFolder, is_uri, local_path, open_folder, without_credentials
from sinks.log_place import LocalPlace, RemotePlace, open_place
from sinks.log_retention import apply_retention
from sinks.log_settings import Retention
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_anomalies, read_scores
from tests.sinks.logs import DAY_S, NOON_NS, ids, written, written_on_their_days

Make = Callable[..., Any]
ROOT = "s3://bucket/log"


class ObjectStore(RemotePlace):
    """Objects need no folder, files do."""

    def _put(self, part: Path, target: str) -> None:
        self.folder.fs.create_dir(str(PurePosixPath(target).parent))
        super()._put(part, target)


@pytest.fixture(name="place", params=["mock", "mock-objects", "subtree", "subtree-objects"])
def _place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RemotePlace]:
    """A log "on S3": memory or a folder of this machine behind the code of other file systems.

    "objects" puts a file in its place at once, as an object store does; the others move it there.
    """
    files: fs.FileSystem = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    if request.param.startswith("mock"):
        files = fs._MockFileSystem(datetime(2026, 2, 3, tzinfo=UTC))
    whole = request.param.endswith("objects")
    files.create_dir("bucket/log")
    folder = LogFolder(fs.SubTreeFileSystem("bucket/log", files), ROOT)
    opened: list[RemotePlace] = []

    def reopened(_: object) -> RemotePlace:
        kind = ObjectStore if whole else RemotePlace
        opened.append(kind(folder, whole_objects=whole))
        return opened[-1]

    monkeypatch.setattr(log_module, "open_place", reopened)
    monkeypatch.setattr(read_log, "open_folder", lambda _: folder)
    yield reopened(ROOT)
    for one in opened:
        one.close()


def entries(place: RemotePlace) -> list[str]:
    found = [
        pa.parquet.read_table(place.folder.open(one.path)).column("entry_id").to_pylist()
        for one in place.folder.files("scores")
    ]
    return sorted(entry for one in found for entry in one)


def test_rows_are_written_and_read_as_on_this_machine(
    place: RemotePlace, scores: Make, anomaly: Make, delivered: Make
) -> None:
    written(ROOT, [[delivered(scores(n), n), delivered(anomaly(n), n)] for n in range(5)])
    assert entries(place) == list(ids(range(5)))
    assert read_anomalies(ROOT) == [anomaly(n) for n in range(5)]
    assert read_scores(ROOT, since=NOON_NS + 10**9).num_rows == 4
    log = ParquetLog(ROOT)
    assert len(log.recover([delivered(scores(n), n) for n in range(7)])) == 5
    log.take([delivered(scores(n), 100 + n) for n in range(7)])
    log.close()
    assert len(entries(place)) == 7
    assert list(place.folder.files(".writing", "")) == []


def test_files_are_merged_and_old_days_go(
    place: RemotePlace, scores: Make, delivered: Make, tmp_path: Path
) -> None:
    written(ROOT, [[delivered(scores(n + d * DAY_S), n + 10 * d)] for d in (0, 1) for n in range(4)])
    merge(place, Merge("scores", tuple(place.folder.files("scores")[:4])))
    assert len(place.folder.files("scores")) == 5
    assert entries(place) == list(ids([*range(4), *range(10, 14)]))
    written_on_their_days(tmp_path)
    apply_retention(place, Retention(scores_days=1), NOON_NS + 2 * DAY_S * 10**9)
    assert entries(place) == list(ids(range(10, 14)))


def test_a_killed_merge_is_finished_and_read_once_meanwhile(
    place: RemotePlace, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(ROOT, [[delivered(scores(n), n)] for n in range(4)])
    monkeypatch.setattr(place, "remove", lambda _: None)
    merge(place, Merge("scores", tuple(place.folder.files("scores"))))
    assert len(place.folder.files("scores")) == 5
    assert read_scores(ROOT).num_rows == 4
    monkeypatch.undo()
    assert finish_merges(place) == 4
    assert entries(place) == list(ids(range(4)))


def test_a_put_that_fails_leaves_nothing_and_is_tried_again(
    place: RemotePlace, scores: Make, delivered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ParquetLog(ROOT)
    log.take([delivered(scores(0), 0)])
    put = type(place)._put

    def broken(self: RemotePlace, part: Path, target: str) -> None:
        put(self, part, target)
        raise OSError("the connection was lost")

    monkeypatch.setattr(type(place), "_put", broken)
    with pytest.raises(SinkError, match=r"^s3://bucket/log/scores/.*the connection was lost"):
        log.flush()
    assert place.folder.files("scores") == []
    monkeypatch.setattr(type(place), "_put", put)
    log.close()
    assert entries(place) == list(ids([0]))


def test_objects_of_s3_gcs_and_azure_appear_whole() -> None:
    s3 = fs.SubTreeFileSystem(
        "b", fs.SubTreeFileSystem("a", fs.S3FileSystem(anonymous=True, region="eu-west-1"))
    )
    assert log_place._kind(s3) in log_place.OBJECT_STORES
    assert log_place._kind(fs.LocalFileSystem()) not in log_place.OBJECT_STORES


def test_file_uris_are_folders_of_this_machine(tmp_path: Path, scores: Make, delivered: Make) -> None:
    root = f"file://{tmp_path}/my%20log"
    assert (is_uri(root), local_path(root), local_path("s3://a/b")) == (True, tmp_path / "my log", None)
    written(root, [[delivered(scores(0), 0)]])
    assert read_scores(tmp_path / "my log").num_rows == read_scores(root).num_rows == 1
    place = open_place(root)
    assert isinstance(place, LocalPlace)
    place.close()


def test_an_uri_leads_to_its_file_system() -> None:
    folder = open_folder("s3://bucket/log?region=eu-west-1&endpoint_override=http://127.0.0.1:9")
    assert isinstance(folder.fs, fs.SubTreeFileSystem)
    assert isinstance(folder.fs.base_fs, fs.S3FileSystem)
    assert folder.where("scores") == "s3://bucket/log/scores"


@pytest.mark.parametrize("uri", ["what://me:secret@host/log", "s3://me:secret@bucket/log?nonsense=secret"])
def test_no_error_tells_a_password(uri: str) -> None:
    with pytest.raises(SinkError) as error:
        open_folder(uri)
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None
    assert without_credentials(uri).count("@") == 0
