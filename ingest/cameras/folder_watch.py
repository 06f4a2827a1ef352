"""Which pictures of a folder are new and whole: looks at a tree of folders again and again, cheaply.

A folder is listed only when its own time has changed (and every RELIST_S); of its files only those that are
new, still growing, or among the last ones are looked at. Blocking: a look belongs into a thread.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from pathlib import Path
from typing import NamedTuple

from ingest.cameras.images import SUFFIXES, natural_key

RESTLESS_S = 2.0
"""How long after a change a folder is listed at every look: times of folders are as coarse as 2 s (FAT)."""
RELIST_S = 10.0
"""How often a folder is listed anyway: some network shares do not tell of changes."""
SETTLED_S = 2.0
"""A file that has not changed for so long is as whole as it gets."""
LAST_FILES = 16
"""So many newest files are looked at for having been written anew under their name (latest.jpg)."""

_TAIL_BYTES = 8
_ENDS = (b"\xff\xd9", b"IEND\xaeB`\x82")  # of a JPEG and of a PNG


class Stamp(NamedTuple):
    """What tells one state of a file from another."""

    mtime_ns: int
    size: int
    inode: int


class Ready(NamedTuple):
    """A new picture. Not ``settled``: it looks whole, but may still be written to."""

    path: Path
    stamp: Stamp
    settled: bool


class _Growing(NamedTuple):
    stamp: Stamp | None
    since_s: float


class _Folder:
    """What stood in a folder when it was last listed: names of pictures and their inodes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, int] = {}
        self._mtime_ns = self._listed_ns = -1  # the folder's own time, now and when it was listed
        self._listed_s = self._changed_s = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether it is to be listed. Raises OSError where it is gone."""
        mtime_ns = self.path.stat().st_mtime_ns
        if mtime_ns != self._mtime_ns:
            self._mtime_ns, self._changed_s = mtime_ns, now_s
        due = now_s - self._changed_s <= RESTLESS_S or now_s - self._listed_s >= RELIST_S
        self._listed_s = now_s if due else self._listed_s
        return due

    def new_files(self, files: dict[str, int]) -> list[Path]:
        """Paths of the pictures that are new since the last listing; ``files`` are all, with their inodes."""
        known, inodes = self._files, set(self._files.values())
        since_ns, self._listed_ns, self._files = self._listed_ns, self._mtime_ns, files
        paths = {self.path / name: inode for name, inode in files.items() if known.get(name) != inode}
        # A known inode under another name was renamed, or given to a new file after its own was deleted.
        return [path for path, inode in paths.items() if inode not in inodes or _since(path, since_ns)]

    def entries(self) -> tuple[dict[str, int], dict[int, Path]]:
        """Names of the pictures with their inodes, and paths of the subfolders by theirs."""
        files: dict[str, int] = {}
        folders: dict[int, Path] = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue  # uploads that are under way, thumbnails
                if is_picture(entry.name):
                    if entry.is_file(follow_symlinks=False):
                        files[entry.name] = entry.inode()
                elif entry.is_dir(follow_symlinks=False):
                    folders[entry.inode()] = Path(entry.path)
        return files, folders


class FolderWatch:
    """The pictures that appear in a folder and its subfolders after the first look."""

    def __init__(self, root: Path) -> None:
        self.vanished = 0  # pictures that were gone before they were whole
        self._root = root
        self._folders: dict[int, _Folder] = {}  # by inode: a folder that is renamed brings nothing new
        self._growing: dict[Path, _Growing] = {}
        self._last: dict[Path, Stamp] = {}  # the pictures taken last
        self._began = False

    def look(self, now_s: float) -> list[Ready]:
        """New pictures in the order of their times; the same ones again until they are ``take``n.

        ``now_s`` is a monotonic clock. Raises OSError where the folder cannot be read.
        """
        self._check_root()
        new = self._list_folders(now_s)
        if self._began:
            known = set(self._last.values())
            new = [path for path in new if _stamp(path) not in known]  # those were renamed
            unseen = [path for path in (*new, *self._written_anew()) if path not in self._growing]
            self._growing |= {path: _Growing(None, now_s) for path in unseen}
        else:
            self._began, self._last = True, _newest(new)
        ready = [found for path in list(self._growing) if (found := self._look_at(path, now_s)) is not None]
        return sorted(ready, key=lambda found: (found.stamp.mtime_ns, natural_key(str(found.path))))

    def take(self, ready: Ready) -> None:
        """This picture is done with, as it is now."""
        self._growing.pop(ready.path, None)
        self._last.pop(ready.path, None)
        self._last[ready.path] = ready.stamp
        while len(self._last) > LAST_FILES:
            del self._last[next(iter(self._last))]

    def _check_root(self) -> None:
        root = self._root.stat()
        if not stat.S_ISDIR(root.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if self._began and root.st_ino not in self._folders:  # a share that was mounted, or is no longer
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        self._folders.setdefault(root.st_ino, _Folder(self._root))

    def _list_folders(self, now_s: float) -> list[Path]:
        """New pictures in all folders; parents come before their children, also in ``_folders``."""
        new: list[Path] = []
        waiting = list(self._folders.items())
        for inode, folder in waiting:
            try:
                if not folder.is_due(now_s):
                    continue
                files, subfolders = folder.entries()
            except OSError:
                if folder.path == self._root:
                    raise
                del self._folders[inode]
                continue
            new += folder.new_files(files)
            waiting += self._follow(subfolders)
        return new

    def _follow(self, subfolders: dict[int, Path]) -> list[tuple[int, _Folder]]:
        """Those subfolders that were not known; known ones may bear another name now."""
        unknown = {inode: _Folder(path) for inode, path in subfolders.items() if inode not in self._folders}
        for inode, path in subfolders.items():
            if inode in self._folders:
                self._folders[inode].path = path
        self._folders |= unknown
        return list(unknown.items())

    def _written_anew(self) -> list[Path]:
        now = {path: _stamp(path) for path in self._last}
        return [path for path, stamp in now.items() if stamp is not None and stamp != self._last[path]]

    def _look_at(self, path: Path, now_s: float) -> Ready | None:
        """The picture, once it is whole."""
        stamp = _stamp(path)
        if stamp is None:
            del self._growing[path]
            self.vanished += 1
            return None
        if stamp != self._growing[path].stamp:
            self._growing[path] = _Growing(stamp, now_s)
        settled = now_s - self._growing[path].since_s >= SETTLED_S
        return Ready(path, stamp, settled) if settled or _has_end(path) else None


def is_picture(name: str) -> bool:
    """Whether a file's name is one of a picture."""
    return f".{name.rpartition('.')[2].lower()}" in SUFFIXES


def _newest(paths: list[Path]) -> dict[Path, Stamp]:
    stamps = ((path, stamp) for path in paths if (stamp := _stamp(path)) is not None)
    return dict(reversed(heapq.nlargest(LAST_FILES, stamps, key=lambda one: one[1].mtime_ns)))


def _since(path: Path, then_ns: int) -> bool:
    stamp = _stamp(path)
    return stamp is not None and stamp.mtime_ns >= then_ns


def _stamp(path: Path) -> Stamp | None:
    """The state of a file, None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def _has_end(path: Path) -> bool:
    """Whether a file ends as a whole picture does."""
    try:
        with path.open("rb") as file:
            file.seek(-_TAIL_BYTES, os.SEEK_END)
            return file.read().endswith(_ENDS)
    except OSError:  # gone, or shorter than that
        return False
