"""Several processes learn what one learns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from detector.model.weights import load_weights
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place, order, running
from ingest.errors import UsageError
from tests.detector.training.tiny import BATCH, TinyLearner, run

CPU = torch.device("cpu")
ALONE = Place(0, 1, CPU)
ROOT = Path(__file__).parents[3]
LIMIT_S = 60.0


def torchrun(processes: int, *program: str) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += program
    ended = subprocess.run(command, cwd=ROOT, timeout=LIMIT_S, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def epochs(log_file: Path) -> list[Epoch]:
    return [msgspec.json.decode(line, type=Epoch) for line in log_file.read_bytes().splitlines()]


def test_two_processes_learn_what_one_learns_though_their_shards_are_uneven(tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    torchrun(2, "-m", "tests.detector.training.tiny", str(together))
    run(TinyLearner(ALONE), alone, ALONE)
    pairs = list(zip(epochs(together / "log"), epochs(alone / "log"), strict=True))
    for two, one in pairs:
        assert two.loss == pytest.approx(one.loss, abs=1e-6)
        assert two.metrics == pytest.approx(one.metrics, abs=1e-6)
        assert two.rate == one.rate
    assert pairs[-1][1].loss < pairs[0][1].loss
    weights, of_one = load_weights(together / "weights").tensors, load_weights(alone / "weights").tensors
    for name, tensor in of_one.items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-6, rtol=0)


@pytest.mark.parametrize("world", [2, 3, 4])
def test_the_parts_of_an_order_are_all_of_it_batch_by_batch(world: int) -> None:
    whole = order(26, seed=1, epoch=2)
    parts = [Place(rank, world, CPU).share(whole) for rank in range(world)]
    own = 12 // world
    for batch in range(3):
        mine = np.concatenate([part[batch * own : (batch + 1) * own] for part in parts])
        assert sorted(mine) == sorted(whole[batch * 12 : (batch + 1) * 12])


def test_an_order_is_the_same_everywhere_and_another_one_in_each_epoch() -> None:
    assert (order(50, 1, 1) == order(50, 1, 1)).all()
    assert sorted(order(50, 1, 1)) == list(range(50))
    assert (order(50, 1, 1) != order(50, 1, 2)).any()
    assert (order(50, 1, 1) != order(50, 2, 1)).any()


def test_what_ranks_say_together_counts_each_sample_once(tmp_path: Path) -> None:
    """Rank 0 has three samples, rank 1 none: its NaN does not count; rows come in the order of the ranks."""
    program = tmp_path / "program.py"
    program.write_text(
        "import math, numpy as np\n"
        "from detector.training.distributed import running\n"
        "with running('cpu') as place:\n"
        "    mean = place.mean({'loss': math.nan if place.rank else 2.0}, 0 if place.rank else 3)\n"
        "    assert mean == {'loss': 2.0}, mean\n"
        "    mean = place.mean({'a': place.rank, 'b': 1.0}, 1 + 2 * place.rank)\n"
        "    assert mean == {'a': 0.75, 'b': 1.0}, mean\n"
        "    rows = place.gather(np.full((1 + place.rank, 2), place.rank))\n"
        "    assert rows.tolist() == [[0, 0], [1, 1], [1, 1]], rows\n"
        "    assert place.total(np.array([1, place.rank])).tolist() == [2, 1]\n"
        "    assert place.leads == (place.rank == 0)\n"
    )
    torchrun(2, str(program))


def test_a_process_of_its_own_is_all_there_is() -> None:
    with running("cpu") as place:
        assert place == ALONE
        assert place.leads
        assert not torch.distributed.is_initialized()
        assert place.mean({"loss": 3.0}, 7) == {"loss": 3.0}
        assert place.gather(np.arange(3)).tolist() == [0, 1, 2]


def test_half_an_environment_of_torchrun_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "RANK", "0")
    with pytest.raises(UsageError, match="unset RANK"), running("cpu"):
        pass


def test_the_batch_that_one_rank_lacks_is_in_the_test() -> None:
    lengths = [len(list(TinyLearner(Place(rank, 2, CPU)).batches(1))) for rank in range(2)]
    assert lengths == [3, 2]
    assert BATCH % 2 == 0
