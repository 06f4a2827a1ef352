"""What a training tells along the way: a progress bar, a log file, a tracker. Rank 0 alone tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from detector.files import replacing
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place
from detector.training.recipe import Options
from detector.training.tracking import Tracker


class Journal:
    """Open for the length of one training; on other ranks than 0 it is silent."""

    def __init__(self, options: Options, place: Place, tracker: Tracker) -> None:
        self.epochs = options.recipe.epochs
        self.log_file = options.log_file if place.leads else None
        self.tracker = tracker
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        quiet = options.quiet or not place.leads
        self.progress = Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def begin(self, recipe: dict[str, object], history: Sequence[Epoch]) -> None:
        """Tell the recipe and, of a resumed training, its epochs so far: the log holds each once."""
        self.tracker.params(recipe)
        if self.log_file:
            with replacing(self.log_file) as unfinished:
                unfinished.touch()
        for epoch in history:
            self._note(epoch)

    @contextmanager
    def epoch(self, number: int, batches: int | None) -> Iterator[TaskID]:
        """A bar for one epoch; ``batches`` is None where nobody knows how many there will be."""
        task = self.progress.add_task(f"epoch {number}/{self.epochs}", total=batches)
        try:
            yield task
        finally:
            self.progress.remove_task(task)

    def batch(self, task: TaskID) -> None:
        self.progress.advance(task)

    def ended(self, epoch: Epoch, best: bool) -> None:
        """One epoch is over, and its checkpoint is written."""
        self._note(epoch)
        if not self.progress.disable:
            self.progress.console.print(self._line(epoch) + ("  best so far" if best else ""), markup=False)

    def _note(self, epoch: Epoch) -> None:
        self.tracker.metrics({"loss": epoch.loss, "rate": epoch.rate, **epoch.metrics}, step=epoch.number)
        if self.log_file:
            _append(self.log_file, epoch)

    def _line(self, epoch: Epoch) -> str:
        metrics = "  ".join(f"{name} {value:.4g}" for name, value in epoch.metrics.items())
        return f"epoch {epoch.number}/{self.epochs}  loss {epoch.loss:.4g}  {metrics}  {epoch.seconds:.1f} s"


def _append(log_file: Path, epoch: Epoch) -> None:
    with log_file.open("ab") as file:
        file.write(msgspec.json.encode(epoch) + b"\n")
