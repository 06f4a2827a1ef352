"""Where a log is written: files appear whole and durable or not at all, and go as they came.

``LocalPlace`` is a folder of this machine. A file is written in ``.writing``, fsynced, and renamed. A merge
of files exchanges the day's folder for another one in a single step, so that nobody ever sees a row twice.

``RemotePlace`` is a folder of any pyarrow.fs file system. Objects of S3, GCS and Azure appear whole by
themselves; elsewhere a file is moved to its place. There is no lock there: **one writer per log is the
user's to hold**.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from pyarrow import fs

from sinks.errors import SinkError
from sinks.log_folder import LOCK, SCRATCH, LogFolder, local_path, open_folder

OBJECT_STORES = frozenset({"s3", "gcs", "abfs"})
"""File systems (pyarrow's type names) where nobody sees an object before it is whole."""
CHUNK_BYTES = 8 << 20
RENAME_EXCHANGE = 2
"""linux/fs.h: both names are swapped in one step."""
AT_FDCWD = -100


class Place(Protocol):
    """Where a log is written. All but ``close`` raise OSError; whoever calls holds ``lock`` for changes."""

    folder: LogFolder
    scratch: Path  # for files in the making, on this machine
    lock: threading.RLock

    def publish(self, part: Path, target: str) -> None:
        """Let a file of ``scratch`` appear as ``target``, durable when this returns; or not at all."""

    def replace(self, part: Path, target: str, replaced: Sequence[str]) -> None:
        """Let ``part`` appear in the place of files of the same folder.

        ``part`` tells itself which files it replaces, see ``parquet_files``: where this dies half-way, some
        of them are still there.
        """

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; those that are gone already are no error."""

    def remove_folder(self, path: str) -> None:
        """Remove a day's folder with everything in it."""

    def free_bytes(self) -> int | None:
        """What is free where the log lies, None where nobody knows."""

    def close(self) -> None:
        """Let another writer have the log."""


def open_place(root: Path | str) -> Place:
    """Open or make a log to write, clearing what a killed writer left in the making. Raises SinkError."""
    path = local_path(root)
    folder = open_folder(root)
    try:
        return RemotePlace(folder) if path is None else LocalPlace(path, folder)
    except OSError as error:
        raise SinkError(unwritable(folder.told, error)) from error


def unwritable(where: str, error: Exception | str) -> str:
    """What is said where the log cannot be written."""
    advice = "make room or allow writing; nothing taken is lost meanwhile"
    return f"{where}: cannot write the log ({error}): {advice}"


class LocalPlace:
    """A folder of this machine."""

    def __init__(self, root: Path, folder: LogFolder) -> None:
        """Raises OSError, and SinkError where another writer has the log."""
        self.folder, self.scratch, self.lock = folder, root / SCRATCH, threading.RLock()
        self._root = root
        self._locked = _locked(root)
        try:
            self.scratch.mkdir(exist_ok=True)
            for leftover in self.scratch.iterdir():
                _forget(leftover)
        except BaseException:
            os.close(self._locked)
            raise

    def publish(self, part: Path, target: str) -> None:
        path = self._root / target
        try:
            sync_file(part)
            self._make(path.parent)
            os.replace(part, path)  # noqa: PTH105  the call that makes the file visible, by its own name
            sync_folder(path.parent)
        except BaseException:
            # Whoever failed tries all rows again: a file that stayed would hold them twice.
            _forget(part)
            _forget(path)
            raise

    def replace(self, part: Path, target: str, replaced: Sequence[str]) -> None:
        try:
            sync_file(part)
            if self._exchange(part, target, replaced):
                return
        except BaseException:
            _forget(part)
            raise
        self.publish(part, target)
        self.remove(replaced)

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            (self._root / path).unlink(missing_ok=True)
        for parent in {(self._root / path).parent for path in paths}:
            sync_folder(parent)

    def remove_folder(self, path: str) -> None:
        gone = self.scratch / uuid.uuid4().hex
        (self._root / path).rename(gone)  # in one step, so that nobody reads half a day
        sync_folder((self._root / path).parent)
        _forget(gone)

    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._root).free

    def close(self) -> None:
        os.close(self._locked)

    def _exchange(self, part: Path, target: str, replaced: Sequence[str]) -> bool:
        """Swap the day's folder for one with the new file; False where the file system cannot."""
        day, other = (self._root / target).parent, self.scratch / uuid.uuid4().hex
        gone = {PurePosixPath(path).name for path in replaced}
        try:
            other.mkdir()
            for kept in day.iterdir():
                if kept.name not in gone:
                    (other / kept.name).hardlink_to(kept)
            (other / Path(target).name).hardlink_to(part)
            sync_folder(other)
            swapped = _swap(other, day)
        except OSError:  # no hard links here, or a folder among the files
            swapped = False
        if swapped:
            sync_folder(day.parent)
            sync_folder(self.scratch)
            _forget(part)
        _forget(other)
        return swapped

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder.parent, folder.parent.parent):
            sync_folder(parent)


class RemotePlace:
    """A folder of any file system that pyarrow.fs knows."""

    def __init__(self, folder: LogFolder, *, whole_objects: bool | None = None) -> None:
        """``whole_objects``: nobody sees a file before it is whole; by default as its kind is known for."""
        self.folder, self.lock = folder, threading.RLock()
        self._fs = folder.fs
        self._whole = _kind(self._fs) in OBJECT_STORES if whole_objects is None else whole_objects
        self._fs.delete_dir_contents(SCRATCH, missing_dir_ok=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="nozzlewatch-log-"))

    def publish(self, part: Path, target: str) -> None:
        try:
            if self._whole:
                self._put(part, target)
            else:
                self._fs.create_dir(SCRATCH, recursive=True)
                self._fs.create_dir(str(PurePosixPath(target).parent), recursive=True)
                self._put(part, f"{SCRATCH}/{part.name}")
                self._fs.move(f"{SCRATCH}/{part.name}", target)
        except BaseException:
            with contextlib.suppress(OSError):  # the error that led here is the one to tell
                self._fs.delete_file(target)
            raise
        finally:
            _forget(part)

    def replace(self, part: Path, target: str, replaced: Sequence[str]) -> None:
        self.publish(part, target)
        self.remove(replaced)

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self._fs.delete_file(path)

    def remove_folder(self, path: str) -> None:
        self._fs.delete_dir(path)

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        _forget(self.scratch)

    def _put(self, part: Path, target: str) -> None:
        with part.open("rb") as source, self._fs.open_output_stream(target) as sink:
            while chunk := source.read(CHUNK_BYTES):
                sink.write(chunk)


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: a renamed file is only as safe as its name."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system or its C library has no such call."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0)


def _locked(root: Path) -> int:
    """A lock that ends with the process, however it ends. Raises SinkError when another writer has it."""
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise SinkError(
            f"{root}: another process writes to this log: end it or choose another folder"
        ) from error
    return handle


def _kind(files: fs.FileSystem) -> str:
    while isinstance(files, fs.SubTreeFileSystem):
        files = files.base_fs
    return str(files.type_name)


def _forget(path: Path) -> None:
    """Remove what may be there; what cannot be removed goes at the next start."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
