"""Where a log lies, as its readers see it: a folder of this machine, or one of any pyarrow.fs file system.

A log is told by a path, or by an URI that ``pyarrow.fs.FileSystem.from_uri`` knows: ``s3://bucket/log``.
``file://`` is a path. Within a log, files are told by their path from its folder on:
``scores/date=2026-02-03/….parquet``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from ingest.records import NS_PER_S
from sinks.errors import SinkError

SCRATCH, LOCK = ".writing", ".lock"
PARQUET = ".parquet"

_DAY = re.compile(r"date=(\d{4}-\d{2}-\d{2})")


class LogFile(NamedTuple):
    """A file of a log."""

    path: str  # from the log's folder on
    size: int  # bytes
    written: str = ""  # the date, UTC, on which that was, "YYYY-MM-DD"; "" where the place does not say

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def folder(self) -> str:
        """The day's folder that it lies in."""
        return str(PurePosixPath(self.path).parent)

    @property
    def day(self) -> str:
        """The date of its partition, "YYYY-MM-DD"; "" where it lies in none."""
        found = _DAY.search(self.path)
        return found[1] if found else ""


class LogFolder:
    """A log's folder. ``told`` is how errors name it: never with credentials."""

    def __init__(self, files: fs.FileSystem, told: str) -> None:
        self.fs = files
        self.told = told

    def holds(self, name: str) -> bool:
        """Whether there is something of this name. Raises OSError."""
        return bool(self.fs.get_file_info(name).type != fs.FileType.NotFound)

    def files(self, dataset: str, ending: str = PARQUET) -> list[LogFile]:
        """The files of all days of a dataset, by path; none where it does not exist. Raises OSError."""
        chosen = fs.FileSelector(dataset, allow_not_found=True, recursive=True)
        found = self.fs.get_file_info(chosen)
        files = [
            LogFile(one.path, one.size or 0, _date_of(one.mtime_ns))
            for one in found
            if one.type == fs.FileType.File
        ]
        return sorted(one for one in files if one.day and one.path.endswith(ending))

    def open(self, path: str) -> pa.NativeFile:
        """A file to read from. Raises OSError; FileNotFoundError where it is not there any more."""
        return self.fs.open_input_file(path)

    def where(self, path: str) -> str:
        """The path as people find it."""
        return f"{self.told.rstrip('/')}/{path}"


def _date_of(mtime_ns: int | None) -> str:
    return "" if mtime_ns is None else datetime.fromtimestamp(mtime_ns // NS_PER_S, UTC).date().isoformat()


def is_uri(root: Path | str) -> bool:
    """Whether a log is told by an URI."""
    return "://" in str(root)


def local_path(root: Path | str) -> Path | None:
    """The folder of a log on this machine, None for one that lies elsewhere."""
    if not is_uri(root):
        return Path(root)
    parts = urlsplit(str(root))
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def open_folder(root: Path | str) -> LogFolder:
    """The folder that a path or an URI tells of. Raises SinkError for an URI that nobody understands."""
    path = local_path(root)
    if path is not None:
        return LogFolder(fs.SubTreeFileSystem(str(path), fs.LocalFileSystem()), str(path))
    told = without_credentials(str(root))
    try:
        files, base = fs.FileSystem.from_uri(str(root))
    except (pa.ArrowException, OSError, ValueError) as error:
        # The error repeats the URI, and that may hold a password.
        raise SinkError(
            f"{told}: found an URI that leads nowhere, expected one such as s3://bucket/log"
            "?endpoint_override=http://host:9000"
        ) from (None if "@" in str(root) or "?" in str(root) else error)
    return LogFolder(fs.SubTreeFileSystem(base, files), told)


def without_credentials(uri: str) -> str:
    """The URI without user, password and options."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def days(files: list[LogFile]) -> Iterator[tuple[str, list[LogFile]]]:
    """The files of each day, oldest day first."""
    by_day: dict[str, list[LogFile]] = {}
    for one in files:
        by_day.setdefault(one.day, []).append(one)
    return iter(sorted(by_day.items()))
