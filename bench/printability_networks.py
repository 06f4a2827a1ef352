"""What the printability networks cost: parameters, multiply-adds, and milliseconds on a CPU.

python -m bench.printability_networks [--sizes 64 128] [--rounds N] [--train]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from detector.printability.networks import NETWORKS, build, parameters

SIZES = (64, 128)
ROUNDS = 3
BATCH, THREADS = 8, 2
"""Of the training step."""


def costs(sizes: Sequence[int] = SIZES, names: Sequence[str] = tuple(NETWORKS)) -> dict[str, dict[str, int]]:
    """By network: ``parameters``, and ``multiply_adds_64`` and the like for one grid of each size."""
    told = {}
    for name in names:
        network = build(name, max(sizes))
        counts = {f"multiply_adds_{size}": multiply_adds(network, size) for size in sizes}
        told[name] = {"parameters": parameters(network), **counts}
    return told


def multiply_adds(network: nn.Module, size: int) -> int:
    """Multiply-adds of all convolutions and linear layers for one grid of ``size`` voxels a side.

    Counted from shapes alone, without a value being computed, on torch's ``meta`` device: the network is
    moved there, and cannot be used afterwards. Of a network that judges holes: for one hole.
    """
    counts: list[int] = []

    def count(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear)
        counts.append(output[0].numel() * layer.weight[0].numel())

    network.to("meta").eval()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    network(torch.empty(1, 1, size, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    return sum(counts)


def forward_ms(size: int, rounds: int = ROUNDS, names: Sequence[str] = tuple(NETWORKS)) -> dict[str, float]:
    """Milliseconds that one grid takes on one core, by network, measured in turns."""
    torch.set_num_threads(1)
    grid = _grids(1, size)
    return side_by_side({name: _forward(build(name, size).eval(), grid) for name in names}, rounds)


def step_s(
    size: int,
    rounds: int = 1,
    names: Sequence[str] = tuple(NETWORKS),
    batch: int = BATCH,
    threads: int = THREADS,
) -> dict[str, float]:
    """Seconds of forward and backward of a batch, by network, measured in turns."""
    torch.set_num_threads(threads)
    grids = _grids(batch, size)
    steps = {name: _step(build(name, size).train(), grids) for name in names}
    return {name: ms / 1000 for name, ms in side_by_side(steps, rounds).items()}


def side_by_side(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median milliseconds of each, in turns, so that whatever else runs disturbs all alike.

    The first turn warms up and does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began_s = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - began_s) * 1000)
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def _forward(network: nn.Module, grids: Tensor) -> Callable[[], object]:
    @torch.inference_mode()
    def forward() -> None:
        network(grids)

    return forward


def _step(network: nn.Module, grids: Tensor) -> Callable[[], object]:
    truth = torch.arange(len(grids)).remainder(2).float()

    def step() -> None:
        network.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(network(grids), truth)
        loss.backward()  # type: ignore[no-untyped-call]

    return step


def _grids(count: int, size: int) -> Tensor:
    """Boxes of a third of the side, each with noise in it: [count, 1, size, size, size] of 0 and 1."""
    grids = torch.zeros(count, 1, size, size, size)
    third = size // 3
    inside = (count, 1, third, third, third)
    grids[:, :, third : 2 * third, third : 2 * third, third : 2 * third] = torch.rand(inside).round()
    return grids


def main() -> None:
    """Measure and tell as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="voxels a side")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of which the medians are told")
    parser.add_argument("--train", action="store_true", help=f"time training steps of {BATCH} grids, too")
    asked = parser.parse_args()
    rows = {name: _counts(cost) for name, cost in costs(asked.sizes).items()}
    for size in asked.sizes:
        _add(rows, f"ms {size}", forward_ms(size, asked.rounds))
        if asked.train:
            _add(rows, f"step s {size}", step_s(size, asked.rounds))
    Console().print(_table(rows))


def _counts(cost: Mapping[str, int]) -> dict[str, str]:
    """As the table tells them: the parameters to the digit, multiply-adds in billions."""
    told = {"parameters": f"{cost['parameters']:,}"}
    for name, count in cost.items():
        if name != "parameters":
            told[f"G {name.rpartition('_')[2]}"] = f"{count / 1e9:.1f}"
    return told


def _add(rows: Mapping[str, dict[str, str]], column: str, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        rows[name][column] = f"{value:.1f}"


def _table(rows: Mapping[str, Mapping[str, str]]) -> Table:
    """A row for each network; "G 64" are billions of multiply-adds at 64 voxels a side."""
    table = Table("network", *next(iter(rows.values())))
    for name, row in rows.items():
        table.add_row(name, *row.values())
    return table


if __name__ == "__main__":
    main()
