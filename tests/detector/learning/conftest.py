"""What the learning's tests share."""

from __future__ import annotations

import pytest

from detector.anomaly import Kind
from detector.learning.seen import nothing, write_seen
from detector.learning.sequences import Filed
from detector.learning.shards import read_shard
from tests.detector.learning.tiny_prints import write_pairs


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory) -> list[Filed]:
    """Prints of two kinds with their twins, nothing seen in their frames."""
    folder, found = tmp_path_factory.mktemp("prints"), []
    for seed in (0, 20, 40):
        for path in write_pairs(folder, [Kind.STALL, Kind.HEATER_FAULT], seed=seed):
            write_seen(path.with_suffix(".seen"), nothing(len(read_shard(path).beats)))
            found.append(Filed(path, path.with_suffix(".seen")))
    return found
