"""The log's upkeep: a thread beside its writer that merges small files and lets old days go."""

from __future__ import annotations

import logging
import threading
import time

from sinks.errors import SinkError
from sinks.log_compaction import finish_merges, merge, plan_merges
from sinks.log_place import Place
from sinks.log_retention import apply_retention
from sinks.log_settings import Retention
from sinks.parquet_log import ParquetLog
from sinks.parquet_schema import SCHEMAS, day_of
from sinks.sink import Batch, Entry

log = logging.getLogger("nozzlewatch.sinks")

EVERY_S = 60.0
"""How often it is looked whether there is something to do."""
RETENTION_EVERY_S = 3600.0


class Upkeep:
    """Merges and retention of one log, as often as ``once`` is called."""

    def __init__(self, place: Place, retention: Retention) -> None:
        self._place, self._retention = place, retention
        self._half_done = False  # a merge failed, perhaps with some of its files removed

    def merge_all(self, now_ns: int, stop: threading.Event) -> int:
        """Do all merges that are due; returns how many. Raises OSError and SinkError."""
        if self._half_done:
            finish_merges(self._place)
        done, self._half_done = 0, True
        for dataset in SCHEMAS:
            for one in plan_merges(dataset, self._place.folder.files(dataset), day_of(now_ns)):
                if not stop.is_set():
                    merge(self._place, one)
                    done += 1
        self._half_done = False
        return done

    def let_go(self, now_ns: int) -> None:
        """Remove what retention does not keep. Raises OSError and SinkError."""
        gone = apply_retention(self._place, self._retention, now_ns)
        for path in gone.folders:
            log.info("%s: removed, it is older or larger than what is kept", self._place.folder.where(path))


class KeptLog:
    """A ParquetLog with its upkeep beside it, as one Sink."""

    def __init__(self, log_: ParquetLog, retention: Retention, *, every_s: float = EVERY_S) -> None:
        self._log, self._upkeep, self._every_s = log_, Upkeep(log_.place, retention), every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-upkeep", daemon=True)
        self._thread.start()

    def take(self, batch: Batch) -> None:
        """See ``Sink``."""
        self._log.take(batch)

    def flush(self) -> None:
        """See ``Sink``."""
        self._log.flush()

    def recover(self, pending: Batch) -> set[Entry]:
        """See ``Sink``."""
        return self._log.recover(pending)

    def close(self) -> None:
        """Let a merge that has begun come to its end, then close the log."""
        self._stop.set()
        self._thread.join()
        self._log.close()

    def _run(self) -> None:
        troubled, retained_s = "", -RETENTION_EVERY_S
        while not self._stop.wait(self._every_s):
            try:
                if time.monotonic() - retained_s >= RETENTION_EVERY_S:
                    self._upkeep.let_go(time.time_ns())
                    retained_s = time.monotonic()
                self._upkeep.merge_all(time.time_ns(), self._stop)
                troubled = ""
            except (OSError, SinkError) as error:
                if troubled != str(error):  # once, not at every turn
                    log.warning("the log's upkeep waits: %s", error)
                troubled = str(error)
