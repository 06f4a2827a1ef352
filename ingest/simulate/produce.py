"""Makes sets of simulated prints: one recording a print, in a folder that can be resumed, on several cores.

A print is written in a hidden folder and moved beside the others when it is whole, so that what stands in the
folder is finished.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

import cv2
import msgspec

from ingest.errors import NozzlewatchError
from ingest.recordings.writer import SUFFIX, RecordingWriter
from ingest.records import Frame
from ingest.simulate import workers
from ingest.simulate.faults import TRUTH
from ingest.simulate.held import MAKING, Held, claimed
from ingest.simulate.prints import Print, about
from ingest.simulate.scenario import FAILING, Scenario, draw, print_name
from ingest.simulate.splits import Split
from ingest.simulate.version import gcode_version, simulator_version

ITEMS_PER_WRITE = 500
"""Items packed between two writes, and between two looks at whether to stop: some seconds of a print."""
AHEAD = 2
"""Prints handed to each worker before it asks for more."""


class Stopped(NozzlewatchError):
    """The making was told to end."""


class ProductionFailed(NozzlewatchError):
    """A recording could not be made."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A set of prints to make, numbered from 0; with ``pairs`` also each failing one without its failure.

    ``kinds``: kinds of failure that take turns among the failing ones, all by their weights where empty.
    """

    prints: int
    seed: int
    split: Split
    folder: Path
    minutes: float = 15.0
    fps: float = 1.0
    failing: float = FAILING
    gcode: Path | None = None
    size: tuple[int, int] = (320, 240)
    pairs: bool = False
    kinds: tuple[str, ...] = ()

    def path(self, number: int) -> Path:
        """Where a print's recording stands when it is finished."""
        return self.folder / f"{print_name(self.split, self.seed, number)}{SUFFIX}"

    @property
    def held(self) -> Held:
        """What the folder's recordings must have in common."""
        return Held(
            split=self.split,
            seed=self.seed,
            minutes=self.minutes,
            fps=self.fps,
            failing=self.failing,
            size=self.size,
            gcode=gcode_version(self.gcode),
            pairs=self.pairs,
            kinds=self.kinds,
            simulator=simulator_version(),
        )


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A print that was made: the kinds of its failures, the frames and bytes of all its recordings."""

    number: int
    path: str
    kinds: tuple[str, ...]
    frames: int
    size: int


Tell: TypeAlias = Callable[[Made], None]
IsStopped: TypeAlias = Callable[[], bool]


def missing(wanted: Wanted) -> list[int]:
    """The numbers of the prints that are not finished."""
    return [number for number in range(wanted.prints) if not wanted.path(number).exists()]


def produce(wanted: Wanted, jobs: int, tell: Tell, is_stopped: IsStopped) -> None:
    """Make what is missing of a set, on ``jobs`` processes.

    ``tell`` hears of each that is finished. Raises UsageError for a folder that holds something else,
    Stopped when ``is_stopped`` says so, ProductionFailed where a worker or the disk fails. Whatever is
    finished by then stays; the same call goes on from there.
    """
    with claimed(wanted.folder, wanted.held):
        numbers = missing(wanted)
        for left in (wanted.folder / MAKING).glob(f"*{SUFFIX}"):  # by one that was killed
            left.unlink()
        jobs = min(jobs, len(numbers))
        if jobs > 1:
            _make_apart(wanted, numbers, jobs, tell, is_stopped)
        else:
            _make_here(wanted, numbers, tell, is_stopped)


def make(wanted: Wanted, number: int, is_stopped: IsStopped) -> Made:
    """Make one print. Raises as ``produce``; nothing is left of one that was not finished."""
    scenario = draw(
        wanted.seed,
        wanted.split,
        number,
        seconds=60.0 * wanted.minutes,
        fps=wanted.fps,
        failing=wanted.failing,
        gcode=wanted.gcode,
        size=wanted.size,
        kinds=wanted.kinds,
    )
    # the counterfactual comes first: where a print stands, what belongs to it does too
    asked = [scenario.counterfactual, scenario] if wanted.pairs and scenario.fails else [scenario]
    recorded = [_record(wanted.folder, one, is_stopped) for one in asked]
    return Made(
        number=number,
        path=str(wanted.path(number)),
        kinds=tuple(TRUTH[fault.kind] for fault in scenario.faults),
        frames=sum(frames for frames, _ in recorded),
        size=sum(size for _, size in recorded),
    )


def _record(folder: Path, scenario: Scenario, is_stopped: IsStopped) -> tuple[int, int]:
    """Make one recording: its frames, and its size in bytes."""
    simulated = Print(scenario)
    metadata = about(scenario, version("nozzlewatch"), simulator_version())
    (folder / MAKING).mkdir(parents=True, exist_ok=True)
    writer = RecordingWriter(folder / MAKING / f"{scenario.name}{SUFFIX}", metadata)
    try:
        frames = _fill(writer, simulated, is_stopped)
        writer.finish()
        writer.path.replace(folder / writer.path.name)
    except OSError as error:
        writer.discard()
        raise ProductionFailed(
            f"{writer.path}: found {error.strerror}, expected room for a recording: make room, run it again"
        ) from error
    except BaseException:
        writer.discard()
        raise
    return frames, writer.size


def _fill(writer: RecordingWriter, simulated: Print, is_stopped: IsStopped) -> int:
    """Write everything that a print tells and shows; the number of its frames."""
    frames = 0
    items = simulated.items()
    while batch := list(islice(items, ITEMS_PER_WRITE)):
        for arrival_ns, item in batch:
            writer.add(item, arrival_ns)
            frames += isinstance(item, Frame)
        writer.write()
        if is_stopped():
            raise Stopped("simulate: was stopped; run the same again to go on")
    writer.end_chunk()  # labels lie where they begin: a chunk of their own keeps the others in order
    for truth in simulated.truths():
        writer.add_label(truth)
    return frames


def _make_here(wanted: Wanted, numbers: list[int], tell: Tell, is_stopped: IsStopped) -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for number in numbers:
            tell(make(wanted, number, is_stopped))
    finally:
        cv2.setNumThreads(threads)


def _make_apart(wanted: Wanted, numbers: list[int], jobs: int, tell: Tell, is_stopped: IsStopped) -> None:
    """Each worker makes many prints, one after the other; a stop reaches those that are under way."""
    context = get_context("spawn")
    stop = context.Event()
    start = (stop, os.getpid())
    with ProcessPoolExecutor(jobs, context, initializer=workers.begin, initargs=start) as pool:
        left, running = iter(numbers), set[Future[Made]]()
        try:
            while True:
                for number in islice(left, jobs * AHEAD - len(running)):
                    running.add(pool.submit(_make_apart_one, wanted, simulator_version(), number))
                if not running:
                    return
                done, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                if is_stopped():
                    raise Stopped("simulate: was stopped; run the same again to go on")
                for one in done:
                    tell(one.result())
        except BrokenProcessPool as error:
            raise ProductionFailed(
                "simulate: found a worker that died, expected its recording: was it killed for want of "
                "memory? Run it again, perhaps with fewer --jobs"
            ) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _make_apart_one(wanted: Wanted, simulator: str, number: int) -> Made:
    if simulator_version() != simulator:
        raise ProductionFailed(
            f"simulate: found that the simulator's source has changed meanwhile (from {simulator} to "
            f"{simulator_version()}), expected it to stay: run it again with another folder"
        )
    return make(wanted, number, workers.is_stopped)
