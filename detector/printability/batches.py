"""Samples batch by batch, each read on threads while those before it are learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from detector.printability.dataset import Indices

Read = TypeVar("Read")
Batch = TypeVar("Batch")

AHEAD = 2
"""Batches that are read while one is learned from."""


class Batches(Generic[Read, Batch]):
    """Some samples in batches of ``size``; the last one may be smaller.

    ``read`` is called for each sample on one of ``threads`` threads, ``batched`` with a batch's samples and
    what was read of them.
    """

    def __init__(
        self,
        indices: Indices,
        size: int,
        read: Callable[[int], Read],
        batched: Callable[[Indices, Sequence[Read]], Batch],
        threads: int = 1,
    ) -> None:
        self._indices = [indices[begin : begin + size] for begin in range(0, len(indices), size)]
        self._read, self._batched, self._threads = read, batched, threads

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(self._threads) as pool:
            reading: deque[list[Future[Read]]] = deque()
            try:
                for number, indices in enumerate(self._indices):
                    while len(reading) <= AHEAD and number + len(reading) < len(self._indices):
                        wanted = self._indices[number + len(reading)].tolist()
                        reading.append([pool.submit(self._read, index) for index in wanted])
                    yield self._batched(indices, [one.result() for one in reading.popleft()])
            finally:
                pool.shutdown(cancel_futures=True)
