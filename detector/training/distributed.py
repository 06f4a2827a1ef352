"""One training over several processes: who am I, what is my part, and what do all of us together say.

``torchrun --nproc-per-node 4 -m ...`` starts the processes and tells each its rank in environment variables;
a process that was started otherwise is rank 0 of 1 and opens nothing. Everything here is written so that W
ranks with batches of B / W learn what one process with batches of B learns, also where shards are uneven.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import nn

from detector.model.hardware import choose_device, has_bfloat16
from ingest.errors import UsageError

Indices = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Place:
    """One process among the ``world`` that train together; alone it is rank 0 of 1.

    What is marked *all ranks* must be called by every rank, in the same order, or the others wait in vain.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """The one rank that writes files, logs and tells the user."""
        return self.rank == 0

    def share(self, indices: Sequence[int] | Indices) -> Indices:
        """This rank's part of an order of samples [n] -> [n / world, rounded up or down].

        All parts together are the order, each sample once. Batch k of B / world samples of every rank's part
        are together batch k of B samples of the order: every world-th sample is this rank's.
        """
        return np.asarray(indices, np.int64)[self.rank :: self.world]

    def total(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """The sum over all ranks of arrays of one shape (a confusion matrix, say). *All ranks.*"""
        if self.world == 1:
            return values
        tensor = torch.tensor(values, device=self.device)
        dist.all_reduce(tensor)
        summed: npt.NDArray[Number] = tensor.cpu().numpy()
        return summed

    def wait(self) -> None:
        """Come back when every rank has come here. *All ranks.*"""
        self.total(np.zeros(1))

    def mean(self, values: Mapping[str, float], weight: float) -> dict[str, float]:
        """Means over all samples, of each rank's means over ``weight`` samples. *All ranks*, same names.

        What a rank with weight 0 says does not count, be it NaN. Without any weight all means are NaN.
        """
        names = sorted(values)
        parts = [values[name] * weight if weight else 0.0 for name in names]
        *sums, samples = self.total(np.array([*parts, weight], np.float64))
        means = [float(part / samples) if samples else math.nan for part in sums]
        return dict(zip(names, means, strict=True))

    def gather(self, rows: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """Every rank's rows [n of this rank, ...], rank after rank -> [n of all, ...]. *All ranks.*"""
        if self.world == 1:
            return rows
        counts = np.zeros(self.world, np.int64)
        counts[self.rank] = len(rows)
        counts = self.total(counts)
        whole = np.zeros((counts.sum(), *rows.shape[1:]), rows.dtype)
        begin = counts[: self.rank].sum()
        whole[begin : begin + len(rows)] = rows
        return self.total(whole)

    @torch.no_grad()
    def alike(self, network: nn.Module) -> None:
        """Give every rank the weights and buffers of rank 0. *All ranks.*"""
        if self.world > 1:
            for tensor in network.state_dict().values():
                sent = tensor.contiguous()  # also where the network keeps its channels last
                dist.broadcast(sent, 0)
                tensor.copy_(sent)

    @torch.no_grad()
    def mean_buffers(self, network: nn.Module) -> None:
        """Average what networks count along the way, such as the statistics of a batch norm. *All ranks.*

        A batch norm in training sees its own rank's batch alone: such a network learns over W ranks something
        else than over one, unless its norms are shared (``norms.with_shared_norms``).
        """
        if self.world > 1:
            for buffer in network.buffers():
                if buffer.is_floating_point():
                    dist.all_reduce(buffer)
                    buffer.div_(self.world)

    @torch.no_grad()
    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Set each gradient to its sum over ranks. *All ranks.*

        Where each rank's loss was weighed by its share of all samples, it is the gradient of the mean over
        all samples. A parameter without a gradient on any rank stays without one, as it would alone.
        """
        if self.world == 1:
            return
        present = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([present, *[grad.flatten() for grad in grads]])
        dist.all_reduce(flat)
        sums = torch.split(flat[len(grads) :], [grad.numel() for grad in grads])
        for parameter, found, summed in zip(parameters, flat[: len(grads)].tolist(), sums, strict=True):
            parameter.grad = summed.view_as(parameter) if found else None

    def autocast(self) -> torch.autocast:
        """Mixed precision where the device has bfloat16 in hardware; elsewhere it changes nothing."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))


def order(samples: int, seed: int, epoch: int) -> Indices:
    """A shuffled order of ``samples`` samples [n]: the same on every rank, another one in every epoch."""
    return np.random.default_rng([seed, epoch]).permutation(samples)


@contextmanager
def running(device: str = "auto") -> Iterator[Place]:
    """This process's place, on ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.

    Started by torchrun it opens the process group (nccl between GPUs, gloo between CPUs) and closes it at
    the end. Raises UsageError where the environment is torchrun's in part, or has more ranks than GPUs.
    """
    chosen = choose_device(device)
    if "RANK" not in os.environ and "WORLD_SIZE" not in os.environ:
        yield Place(0, 1, chosen)
        return
    rank, world, local_rank = _numbers("RANK", "WORLD_SIZE", "LOCAL_RANK")
    chosen = _own(chosen, local_rank)
    _open(chosen)
    try:
        yield Place(rank, world, chosen)
    finally:
        dist.destroy_process_group()


def _numbers(*names: str) -> list[int]:
    found: dict[str, Any] = {name: os.environ.get(name) for name in names}
    try:
        return [int(found[name]) for name in names]
    except (TypeError, ValueError):
        raise UsageError(
            f"the environment has {found}, expected three whole numbers as torchrun sets them: "
            "start with torchrun, or unset RANK and WORLD_SIZE to train in one process"
        ) from None


def _own(device: torch.device, local_rank: int) -> torch.device:
    """The GPU of this rank; the CPU is everyone's."""
    if device.type != "cuda":
        return device
    if local_rank >= torch.cuda.device_count():
        raise UsageError(
            f"found {torch.cuda.device_count()} GPUs, expected one for each process of this machine "
            f"and this is number {local_rank + 1}: lower --nproc-per-node, or train on the CPU"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _open(device: torch.device) -> None:
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, device_id=device if device.type == "cuda" else None)
    except (ValueError, RuntimeError, OSError) as error:
        raise UsageError(
            f"the processes of this training found no way to each other over {backend} ({error}): "
            "start them with torchrun, and see that its --rdzv-endpoint can be reached"
        ) from error
