"""Many recordings into prints, on several cores; it goes on where it was stopped."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from detector.learning.cutting import shard_of
from detector.learning.shards import SUFFIX, Shard, write_shard
from ingest.errors import NozzlewatchError, RecordError, SourceError, UsageError
from ingest.recordings.writer import SUFFIX as RECORDING
from ingest.simulate import workers

STOP_LOOK_S = 0.2
"""How often it is asked whether to stop, while workers are busy."""


class Stopped(NozzlewatchError):
    """The work was told to end."""


MadeBy = Callable[[Path], Shard]


class Preprocessed(NamedTuple):
    """A recording that was gone through; ``trouble`` says why it became no print, "" where it did."""

    recording: Path
    trouble: str


def missing_in(folder: Path, recordings: Sequence[Path]) -> list[Path]:
    """The recordings whose prints are not in the folder."""
    return [path for path in recordings if not (folder / f"{path.stem}{SUFFIX}").exists()]


def preprocess(
    recordings: Sequence[Path],
    folder: Path,
    jobs: int,
    tell: Callable[[Preprocessed], None] = lambda done: None,
    is_stopped: Callable[[], bool] = lambda: False,
    made_by: MadeBy = shard_of,
) -> None:
    """Make the prints that are missing in a folder, each by ``made_by``, on ``jobs`` processes.

    A recording that cannot be read is told and passed over. Raises Stopped when ``is_stopped`` says so (what
    is finished stays), and SourceError where a worker dies or the disk fails.
    """
    missing = missing_in(folder, recordings)
    if min(jobs, len(missing)) > 1:
        _preprocess_apart(missing, folder, min(jobs, len(missing)), tell, is_stopped, made_by)
        return
    for path in missing:
        _go_on(is_stopped)
        tell(_preprocess_one(path, folder, made_by))


def _preprocess_apart(
    missing: Sequence[Path],
    folder: Path,
    jobs: int,
    tell: Callable[[Preprocessed], None],
    is_stopped: Callable[[], bool],
    made_by: MadeBy,
) -> None:
    context = multiprocessing.get_context("spawn")
    start = (context.Event(), os.getpid())
    with ProcessPoolExecutor(jobs, context, initializer=workers.begin, initargs=start) as pool:
        running = {pool.submit(_preprocess_one, path, folder, made_by) for path in missing}
        try:
            while running:
                done, running = wait(running, timeout=STOP_LOOK_S, return_when=FIRST_COMPLETED)
                _go_on(is_stopped)
                for one in done:
                    tell(one.result())
        except BrokenProcessPool as error:
            raise SourceError(
                "found a worker that died, expected its print: was it killed for want of memory? "
                "Run the same again, perhaps with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _go_on(is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise Stopped("was stopped: what is finished stays; run the same again to go on")


def recordings_in(sources: Sequence[Path]) -> list[Path]:
    """The recordings that are named or lie in named folders. Raises UsageError where there are none."""
    found = [path for source in sources for path in _recordings(source)]
    names = [path.stem for path in found]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise UsageError(f"found {min(twice)}{RECORDING} twice, expected recordings of different names")
    return found


def _recordings(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    here = sorted(source.glob(f"*{RECORDING}"))
    if not here:
        raise UsageError(
            f"{source}: found no *{RECORDING}, expected recordings (nozzlewatch simulate, record)"
        )
    yield from here


def _preprocess_one(recording: Path, folder: Path, made_by: MadeBy) -> Preprocessed:
    try:
        write_shard(folder / f"{recording.stem}{SUFFIX}", made_by(recording))
    except (SourceError, RecordError) as error:
        return Preprocessed(recording, str(error))
    except OSError as error:
        raise SourceError(
            f"{folder}: found {error.strerror}, expected room for prints: make room, run the same again"
        ) from error
    return Preprocessed(recording, "")
