"""A folder that is written to while it is watched."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from ingest.cameras import folder
from ingest.cameras.folder import WatchedFolder
from ingest.cameras.folder_watch import LAST_FILES, RELIST_S, SETTLED_S, FolderWatch
from ingest.cameras.jpeg import jpeg_size
from ingest.cameras.registry import open_camera
from ingest.errors import CameraUnreachable
from ingest.records import NS_PER_S, Frame
from tests.ingest.web import jpeg, png, take

A, B, C = jpeg(20), jpeg(120, 80, 64), jpeg(220)


class Clock:
    """Looks at a folder; each look comes half a second after the one before."""

    def __init__(self, root: Path) -> None:
        self.watch = FolderWatch(root)
        self.now_s = 1000.0
        assert self.names() == []

    def names(self, later_s: float = 0.5) -> list[str]:
        """Names of the pictures that are new and whole, which are then done with."""
        self.now_s += later_s
        ready = self.watch.look(self.now_s)
        for found in ready:
            self.watch.take(found)
        return [found.path.name for found in ready]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LOOK_EVERY_S", 0.02)


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[tuple[WatchedFolder, Callable[[], asyncio.Future[Frame]]]]:
    """A camera that has looked once, and its next frame."""
    source = open_camera(f"folder:{path}", "p1")
    assert isinstance(source, WatchedFolder)
    (path / "first.jpg").unlink(missing_ok=True)
    async with asyncio.timeout(10), aclosing(source.frames()) as frames:  # type: ignore[type-var]
        first = asyncio.ensure_future(anext(frames))
        while not first.done():  # until the camera has begun, whatever is there is old
            (path / f"begin{time.monotonic_ns()}.jpg").write_bytes(A)
            await asyncio.wait({first}, timeout=0.1)
        while True:  # and all of these are read
            step = asyncio.ensure_future(anext(frames))
            done, _ = await asyncio.wait({step}, timeout=0.3)
            if not done:
                break
        pending = [step]

        async def following() -> Frame:
            frame = await (pending.pop() if pending else anext(frames))
            assert isinstance(frame, Frame)
            return frame

        yield source, lambda: asyncio.ensure_future(following())
        for task in pending:
            task.cancel()
            await asyncio.wait({task})


def test_only_what_appears_after_the_start_is_new(tmp_path: Path) -> None:
    (tmp_path / "old.jpg").write_bytes(A)
    clock = Clock(tmp_path)
    assert clock.names() == []
    (tmp_path / "b.jpg").write_bytes(B)
    os.utime(tmp_path / "b.jpg", (2000, 2000))
    (tmp_path / "a_10.JPG").write_bytes(C)
    (tmp_path / "a_9.png").write_bytes(png())
    for name in ("a_9.png", "a_10.JPG"):
        os.utime(tmp_path / name, (3000, 3000))
    assert clock.names() == ["b.jpg", "a_9.png", "a_10.JPG"]
    assert clock.names() == []


def test_names_that_are_no_pictures_yet_are_passed_over_until_they_are(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    (tmp_path / ".upload.jpg").write_bytes(A)
    (tmp_path / "a.jpg.part").write_bytes(A)
    (tmp_path / "notes.txt").write_bytes(A)
    (tmp_path / "link.jpg").symlink_to(tmp_path / ".upload.jpg")
    assert clock.names() == []
    (tmp_path / "a.jpg.part").rename(tmp_path / "a.jpg")
    assert clock.names() == ["a.jpg"]


def test_a_file_that_grows_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    for end in (0, 200, len(A) - 1):
        (tmp_path / "a.jpg").write_bytes(A[:end])
        assert clock.names(SETTLED_S - 0.1) == []
    (tmp_path / "a.jpg").write_bytes(A)
    assert clock.names() == ["a.jpg"]


def test_a_file_that_grows_no_more_is_taken_as_it_is(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    (tmp_path / "a.bmp").write_bytes(b"BM and so on")
    assert clock.names() == []
    assert clock.names(SETTLED_S) == ["a.bmp"]
    (tmp_path / "a.bmp").write_bytes(b"BM and so on and on")
    assert clock.names() == []
    assert clock.names(SETTLED_S) == ["a.bmp"]


def test_new_folders_are_watched_and_renamed_ones_bring_nothing_new(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for number in range(2 * LAST_FILES):
        (tmp_path / "old" / f"{number}.jpg").write_bytes(A)
    clock = Clock(tmp_path)
    (tmp_path / "print1" / "frames").mkdir(parents=True)
    (tmp_path / "print1" / "frames" / "1.jpg").write_bytes(A)
    assert clock.names() == ["1.jpg"]
    (tmp_path / "print1").rename(tmp_path / "done")
    (tmp_path / "old").rename(tmp_path / "older")
    assert clock.names() == clock.names() == []
    (tmp_path / "done" / "frames" / "2.jpg").write_bytes(B)
    (tmp_path / "done" / "frames" / "1.jpg").rename(tmp_path / "done" / "frames" / "0.jpg")
    assert clock.names(RELIST_S) == ["2.jpg"]
    shutil.rmtree(tmp_path / "done")
    assert clock.names() == []
    (tmp_path / "older" / "b.jpg").write_bytes(C)
    assert clock.names() == ["b.jpg"]


def test_files_deleted_meanwhile_are_counted_if_nobody_saw_them_whole(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    (tmp_path / "a.jpg").write_bytes(A[:100])
    (tmp_path / "b.jpg").write_bytes(B)
    assert clock.names() == ["b.jpg"]
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "b.jpg").unlink()
    assert clock.names() == []
    assert clock.watch.vanished == 1


def test_a_name_that_is_used_again_is_a_new_picture(tmp_path: Path) -> None:
    latest, ring = tmp_path / "latest.jpg", tmp_path / "ring"
    latest.write_bytes(A)
    ring.mkdir()
    clock = Clock(tmp_path)
    for number, picture in enumerate((B, C)):
        latest.write_bytes(picture)
        os.utime(latest, (4000 + number, 4000 + number))
        assert clock.names() == ["latest.jpg"]
    for number in range(3 * LAST_FILES):  # one goes for each that comes: file systems use its inode again
        (ring / f"{number - LAST_FILES}.jpg").unlink(missing_ok=True)
        (ring / f"{number}.jpg").write_bytes(A)
        assert clock.names() == [f"{number}.jpg"]


def test_thousands_of_files_are_not_looked_at_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.jpg").touch()
    clock = Clock(tmp_path)
    clock.names()
    looked_at, stat = [], Path.stat
    monkeypatch.setattr(Path, "stat", lambda path: looked_at.append(path) or stat(path))
    (tmp_path / "new.jpg").write_bytes(A)
    assert clock.names(RELIST_S) == ["new.jpg"]
    assert len(looked_at) < 3 * LAST_FILES


@pytest.mark.usefixtures("quick")
def test_pictures_come_untouched_with_the_time_of_their_file(tmp_path: Path) -> None:
    async def run() -> None:
        async with watching(tmp_path) as (source, following):
            now_ns = time.time_ns()
            (tmp_path / "a.jpg").write_bytes(A + b"trailing")
            (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
            frame = await following()
            assert (frame.jpeg, frame.width, frame.printer) == (A + b"trailing", 64, "p1")
            assert frame.camera == f"folder:{tmp_path}"
            assert abs(frame.captured_ns - now_ns) < NS_PER_S
            (tmp_path / ".c").write_bytes(B)
            os.utime(tmp_path / ".c", (1000, 1000))  # copied with a time of elsewhere
            (tmp_path / ".c").rename(tmp_path / "c.jpg")
            later = await following()
            assert later.jpeg == B
            assert 0 <= later.captured_ns - frame.captured_ns < 5 * NS_PER_S
            (tmp_path / "d.png").write_bytes(png(50, 30))
            last = await following()
            assert jpeg_size(last.jpeg) == (last.width, last.height) == (50, 30)
            assert last.captured_ns > later.captured_ns
            assert not +source.counts  # type: ignore[operator]

    asyncio.run(run())


@pytest.mark.usefixtures("quick")
def test_pictures_that_cannot_be_used_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.cameras.folder_watch.SETTLED_S", 0.05)

    async def run() -> None:
        async with watching(tmp_path) as (source, following):
            (tmp_path / "a.jpg").write_bytes(A[:-40])
            (tmp_path / "b.jpg").write_bytes(b"no picture" + A[-2:])
            while source.counts["corrupt"] < 2:
                await asyncio.sleep(0.01)
            (tmp_path / "c.jpg").write_bytes(C)
            assert (await following()).jpeg == C

    asyncio.run(run())


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, found in (("missing", "no such file or directory"), ("file", "not a directory")):
        with pytest.raises(CameraUnreachable, match=f"found {found}, expected a folder"):
            asyncio.run(take(open_camera(f"folder:{tmp_path / name}", "p1"), 1))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("back", [False, True])
def test_a_folder_that_vanishes_is_lost_even_where_another_takes_its_place(
    tmp_path: Path, back: bool
) -> None:
    share = tmp_path / "share"
    share.mkdir()

    async def run() -> None:
        async with watching(share) as (_, following):
            share.rename(tmp_path / "unmounted")
            if back:
                share.mkdir()
                (share / "of another time.jpg").write_bytes(A)
            with pytest.raises(CameraUnreachable, match="expected a folder that can be read"):
                await following()

    asyncio.run(run())


@pytest.mark.usefixtures("quick")
def test_a_share_that_hangs_is_lost_and_takes_one_thread_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named pipe that nobody writes to: opening it blocks as a dead network share does."""
    monkeypatch.setattr(folder, "LOOK_LIMIT_S", 0.2)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(FolderWatch, "look", lambda self, now_s: pipe.read_bytes())

    async def run() -> None:
        source = open_camera(f"folder:{tmp_path}", "p1")
        for _ in range(3):
            with pytest.raises(CameraUnreachable, match=r"found no answer for 0.2 s, expected a folder"):
                await take(source, 1)
        with pipe.open("w"):  # let the thread end
            pass

    asyncio.run(run())
