"""Fixtures that every package's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.store import EmbeddedStores, Stores, open_stores

ROOT = Path(__file__).parent.parent
LONG = ("faults", "end_to_end", "nozzlewatch", "test_kafka_topics")
"""Folders and files that wait for whole processes: begun first, so that none runs alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first; within that the order stays as it was."""
    items.sort(key=lambda item: not {item.path.parent.name, item.path.stem} & {*LONG})


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small batches on shared cores: threads would wait for each other longer than they compute."""
    import torch  # noqa: PLC0415 - most tests do without it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; the test is skipped where there is none."""
    data = Path(os.environ.get("NOZZLEWATCH_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        pytest.skip(f"no real data at {data}: set NOZZLEWATCH_DATA to the folder that holds it")
    return data


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStores]:
    """Real Valkey servers, one pair for the whole session."""
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as stores:
        stores.ensure()
        yield stores


@pytest.fixture
def stores(embedded: EmbeddedStores) -> Iterator[Stores]:
    """Both stores, empty."""
    opened = open_stores(embedded.urls())
    opened.events.flushall()
    opened.frames.flushall()
    yield opened
    opened.close()
