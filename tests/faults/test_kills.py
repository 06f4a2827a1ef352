"""Real processes, the real server, SIGKILL: nothing is lost, nothing is doubled, nothing is named anew."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ingest.errors import StoreUnreachable
from ingest.farm import load_farm
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import write_recording
from ingest.stage import StoreSource
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import drops
from tests.end_to_end.pipeline import (
    SHARDS,
    STAGES,
    Pipeline,
    all_done,
    open_episodes,
    progress,
    rows,
    run_undisturbed,
    write_farm,
)
from tests.waiting import wait_until

SECONDS = 500
KILLS = 10
PRINTERS = {
    "open heater": ([Fault(kind=FaultKind.OPEN_HEATER, at_s=60)], True),
    "loose thermistor": ([Fault(kind=FaultKind.LOOSE_THERMISTOR, at_s=200, until_s=320)], True),
    "lines": ([Fault(kind=FaultKind.LINE_ERRORS, at_s=150, until_s=300)], False),
    "fine": ([], False),
}
"""Name -> faults, and whether a camera watches."""

Rows = tuple[list[dict[str, Any]], list[Any]]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recorded prints, 2,000 windows together."""
    folder = tmp_path_factory.mktemp("recordings")
    for seed, (name, (faults, watched)) in enumerate(PRINTERS.items()):
        write_recording(folder / name, SECONDS, faults, seed=seed, fps=1.0 if watched else 0.0)
    return folder


def farm_in(folder: Path, recordings: Path, *, cameras: bool = True) -> Path:
    return write_farm(
        folder,
        {
            name: (
                f"images:{recordings / name / 'frames'}" if watched and cameras else "",
                f"log:{recordings / name / 'serial.log'}",
            )
            for name, (_, watched) in PRINTERS.items()
        },
    )


@pytest.fixture(scope="module")
def undisturbed(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What a run without any kill writes."""
    farm = farm_in(tmp_path_factory.mktemp("undisturbed"), recordings)
    run_undisturbed(farm)
    return rows(farm)


@pytest.fixture(scope="module")
def undisturbed_without_cameras(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    farm = farm_in(tmp_path_factory.mktemp("undisturbed"), recordings, cameras=False)
    run_undisturbed(farm)
    return rows(farm)


@pytest.fixture
def running(tmp_path: Path, recordings: Path) -> Iterator[tuple[Pipeline, Stores]]:
    """All three stages at work; the stores belong to the test and are not killed."""
    farm = farm_in(tmp_path, recordings)
    with StoreSource(load_farm(farm)) as source:
        stores = open_stores(source.urls())
        pipeline = Pipeline(farm)
        try:
            yield pipeline, stores
        finally:
            pipeline.stop()
            stores.close()


def assert_same(farm: Path, expected: Rows) -> None:
    """Every window once, every revision once; ids, onsets and everything else as without kills."""
    scores, anomalies = rows(farm)
    assert [(row["printer"], row["index"]) for row in scores] == [
        (row["printer"], row["index"]) for row in expected[0]
    ]
    assert scores == expected[0]
    assert anomalies == expected[1]


def test_the_recordings_give_something_to_lose(undisturbed: Rows) -> None:
    scores, anomalies = undisturbed
    assert len(scores) >= 4 * SECONDS
    assert {a.kind.value for a in anomalies} >= {"heater_fault", "sensor_fault", "stall"}
    assert {a.printer for a in anomalies} == set(PRINTERS) - {"fine"}
    assert {a.state.value for a in anomalies} >= {"opened", "closed"}
    assert sum(row["frame"] is not None for row in scores) > SECONDS


def test_ten_kills_of_detector_and_sink_lose_no_window_and_double_no_row(
    running: tuple[Pipeline, Stores], undisturbed: Rows
) -> None:
    pipeline, stores = running
    for stage in STAGES:
        pipeline.start(stage)
    chance = random.Random(7)
    in_the_middle_of_an_episode = 0
    for kill in range(KILLS):
        goal = (kill + 1) * 4 * SECONDS // (KILLS + 2) - chance.randrange(100)
        wait_until(lambda goal=goal: progress(stores) >= goal, 60, f"{goal} judged windows")
        pipeline.kill("detector")
        pipeline.kill("sinks")
        in_the_middle_of_an_episode += open_episodes(stores) > 0
        pipeline.start("detector")
        pipeline.start("sinks")
    wait_until(lambda: all_done(stores, pipeline), 120, "everything to be worked through")
    assert in_the_middle_of_an_episode > 0
    assert progress(stores) == len(undisturbed[0])
    assert drops(stores.events, range(SHARDS)) == {}
    assert_same(pipeline.farm, undisturbed)


BEFORE_COMMIT = """
import os, signal
from detector.commit import ShardOwner
commit, calls = ShardOwner.commit, []
def dying(self, batch, floor):
    calls.append(1)
    if len(calls) == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(self, batch, floor)
ShardOwner.commit = dying
"""
AFTER_COMMIT = BEFORE_COMMIT.replace("    return commit(self, batch, floor)", "    return done").replace(
    "    calls.append(1)", "    calls.append(1)\n    done = commit(self, batch, floor)"
)
BETWEEN_WRITE_AND_ACKNOWLEDGEMENT = """
import os, signal
from ingest.stream import Reader
acknowledge, calls = Reader.acknowledge, []
def dying(self, entries):
    calls.extend([1] if entries else [])
    if len(calls) == {number} and entries:
        os.kill(os.getpid(), signal.SIGKILL)
    acknowledge(self, entries)
Reader.acknowledge = dying
"""


@pytest.mark.parametrize(
    ("stage", "prelude"),
    [
        ("detector", BEFORE_COMMIT),
        ("detector", AFTER_COMMIT),
        ("sinks", BETWEEN_WRITE_AND_ACKNOWLEDGEMENT),
    ],
    ids=["before-the-commit", "after-the-commit", "written-not-acknowledged"],
)
def test_a_death_at_the_worst_moment_changes_nothing(
    running: tuple[Pipeline, Stores], undisturbed: Rows, stage: str, prelude: str
) -> None:
    pipeline, stores = running
    for other in STAGES:
        pipeline.start(other, prelude.format(number=3) if other == stage else "")
    for number in (2, 1):  # it dies again, later in the print, then lives
        wait_until(lambda: pipeline.died(stage), 60, f"{stage} to die where it should")
        pipeline.start(stage, prelude.format(number=number))
    wait_until(lambda: pipeline.died(stage), 60, f"{stage} to die a third time")
    pipeline.start(stage)
    wait_until(lambda: all_done(stores, pipeline), 120, "everything to be worked through")
    assert_same(pipeline.farm, undisturbed)


def test_killing_the_owner_of_the_stores_again_and_again_changes_nothing(
    tmp_path: Path, recordings: Path, undisturbed_without_cameras: Rows
) -> None:
    """Without cameras: frames live in memory alone, and a window whose frame is gone is judged without it."""
    farm = farm_in(tmp_path, recordings, cameras=False)
    embedded = EmbeddedStores(tmp_path / "data")
    pipeline = Pipeline(farm)
    victims = []
    try:
        pipeline.start("detector")  # alone: it becomes the first owner, the others attach
        ask(embedded, lambda stores: stores.events.ping())
        for share in (0.1, 0.3, 0.6, 0.9):
            goal = int(share * len(undisturbed_without_cameras[0]))
            start_missing(pipeline)
            wait_until(lambda goal=goal: ask(embedded, progress) >= goal, 60, f"{goal} judged windows")
            victims.append(ask(embedded, lambda stores: owner_of(stores, pipeline)))
            pipeline.kill(victims[-1])
        start_missing(pipeline)
        wait_until(lambda: ask(embedded, lambda stores: all_done(stores, pipeline)), 120, "everything done")
    finally:
        pipeline.stop()
    assert victims[0] == "detector"
    assert_same(farm, undisturbed_without_cameras)


def start_missing(pipeline: Pipeline) -> None:
    for stage in STAGES:
        if stage not in pipeline.running or pipeline.died(stage):
            pipeline.start(stage)


def owner_of(stores: Stores, pipeline: Pipeline) -> str:
    """The stage whose child the event server is."""
    server = stores.events.info("server")["process_id"]
    parent = int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])
    return next(stage for stage, process in pipeline.running.items() if process.pid == parent)


def ask(embedded: EmbeddedStores, question: Callable[[Stores], Any]) -> Any:
    """Ask the stores, whoever owns them now, without ever becoming their owner; waits until they answer."""
    answers: list[Any] = []

    def answered() -> bool:
        with contextlib.suppress(StoreUnreachable, redis.RedisError):
            stores = open_stores(embedded.urls())
            with contextlib.closing(stores):
                answers.append(question(stores))
        return bool(answers)

    wait_until(answered, 60, "the stores to answer")
    return answers[0]
