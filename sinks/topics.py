"""``python -m sinks.topics FARM.toml``: the sinks fed from Kafka, as a Faust app.

Agents on the topics of anomalies, scores and statuses hand what they read to the very same sinks that Redis
feeds elsewhere. Nothing is lost: an offset is committed after the sinks have made everything before it
durable. Nothing is doubled: the relay's headers (stream, entry id) become the row's, so a log reads as if
Redis had fed it, and the sinks know again what comes twice. Before partitions move to another worker, what
was taken of them is made durable and committed. Each worker writes to a log folder of its own.

An event that cannot be read goes to the topic ``dead`` with its error, and the rest flows.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from ingest.errors import UsageError
from ingest.running import FINE, run_stage
from ingest.stage import data_folder
from sinks.consume import RETRY_S
from sinks.handover import Handover
from sinks.intake import Intake
from sinks.kafka_address import EXTRA_MISSING, KafkaAddress, read_address
from sinks.log_upkeep import KeptLog
from sinks.parquet_log import ParquetLog
from sinks.settings import load_settings
from sinks.sink import Sink
from sinks.topic_feed import Feed, InThread, Plan

try:
    import faust
    from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
except ImportError as error:
    raise UsageError(EXTRA_MISSING.format(module="faust")) from error

log = logging.getLogger("nozzlewatch.sinks")

STOP_POLL_S = 0.1
STOP_LIMIT_S = 10.0
OUTAGE_TOLD_S = 60.0
NEEDS_CRAMJAM = ("zstd", "lz4", "snappy")


def serve(
    address: KafkaAddress, plan: Plan, makers: Sequence[Callable[[], Sink]], stop: threading.Event
) -> None:
    """Feed sinks from Kafka until ``stop`` is set; what was taken is flushed. Brokers are waited for.

    Raises SinkError where a sink cannot be made, or cannot write what it holds at the end.
    """
    _quieten(address)
    with ThreadPoolExecutor(1, "sinks") as thread:  # sinks are driven from the thread that made them
        intake = thread.submit(Intake, makers).result()
        try:
            with TemporaryDirectory(prefix="nozzlewatch-") as scratch:
                app = partial(make_app, address, plan, scratch)
                asyncio.run(_serve(app, address, plan, partial(_in_thread, thread), intake, stop))
        finally:
            thread.submit(intake.close).result()


class _Outages(logging.Handler):
    """aiokafka tells of a broker that is away many times a second: once a minute is enough."""

    def __init__(self, address: KafkaAddress) -> None:
        super().__init__(logging.ERROR)
        self._address, self._told_s = address, -OUTAGE_TOLD_S

    def emit(self, record: logging.LogRecord) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= OUTAGE_TOLD_S:
            self._told_s = now_s
            log.warning("%s: %s; waiting, nothing is lost", self._address, record.getMessage())


def _quieten(address: KafkaAddress) -> None:
    """The libraries' own lines, of each start and try, show with ``--debug`` alone."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client = logging.getLogger("aiokafka")
    client.handlers, client.propagate = [_Outages(address)], False


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


async def _serve(
    make: Callable[[], faust.App],
    address: KafkaAddress,
    plan: Plan,
    in_thread: InThread,
    intake: Intake,
    stop: threading.Event,
) -> None:
    """Run one app after the other until one ends well: what Kafka raises passes by, the rest does not."""
    warned = False
    while not stop.is_set():
        app = make()
        feed = Feed(app, address, plan, intake, in_thread)
        error = await _run(app, feed, stop)
        if error is None:
            return
        if not isinstance(error, KafkaError | OSError):
            raise error
        if not warned or feed.served:
            log.warning("%s: %s; waiting, nothing is lost", address, error)
        warned = True
        await asyncio.sleep(RETRY_S)


async def _run(app: faust.App, feed: Feed, stop: threading.Event) -> BaseException | None:
    """Start an app and stop it when ``stop`` is set or it has crashed; returns what it crashed of."""
    starting = asyncio.create_task(app.start())  # returns when partitions are assigned, which may be never
    try:
        while not (stop.is_set() or app.crashed):
            if starting.done():
                starting.result()
            _raise_unheard(app)
            await asyncio.sleep(STOP_POLL_S)
    except (KafkaError, OSError) as error:
        return error
    finally:
        starting.cancel()
        feed.leave()
        await app.stop()
        await asyncio.gather(starting, return_exceptions=True)
    return app.crash_reason


def _raise_unheard(app: faust.App) -> None:
    """Raise what aiokafka keeps for who polls it: its membership in the group stands still until then.

    Faust takes records behind aiokafka's back and never asks, so a worker that was refused (a group that it
    may not join, say) would sit there for ever without a word.
    """
    consumer = getattr(getattr(app.consumer, "_thread", None), "_consumer", None)
    error = getattr(getattr(consumer, "_coordinator", None), "_pending_exception", None)
    if error is not None:
        raise error


def make_app(address: KafkaAddress, plan: Plan, scratch: str) -> faust.App:
    """The Faust app; its settings are what keeps at-least-once true."""
    if address.compression in NEEDS_CRAMJAM:
        _need_cramjam(address)
    app = faust.App(
        plan.group,
        broker=";".join(f"kafka://{server}" for server in address.servers),
        broker_credentials=_credentials(address),
        broker_session_timeout=plan.session_s,
        broker_heartbeat_interval=plan.session_s / 5,
        consumer_auto_offset_reset="earliest",  # a new group reads what is still there
        producer_acks=-1,  # dead letters are kept by all replicas before their original is committed
        producer_request_timeout=STOP_LIMIT_S,  # it does not end before each letter is kept or given up
        table_standby_replicas=0,  # no tables: then plain round robin spreads the partitions
        topic_allow_declare=False,  # topics belong to who runs the brokers: never made or altered from here
        topic_disable_leader=True,  # no topic of Faust's own beside them
        stream_wait_empty=False,  # it would wait for acknowledgements that Feed never gives, see there
        stream_buffer_maxsize=4096,  # events in memory before the sinks have them, per topic
        worker_redirect_stdouts=False,  # ours are nobody else's
        web_enabled=False,  # no open port
        datadir=scratch,  # made at start; without tables nothing is written there
    )
    # A minute by default, to take leave of brokers that may be away; a container is given half of that.
    cast(Any, app.consumer)._thread.shutdown_timeout = STOP_LIMIT_S
    return app


def _need_cramjam(address: KafkaAddress) -> None:
    if importlib.util.find_spec("cramjam") is None:
        raise UsageError(
            f"{address}: found compression={address.compression} and no cramjam, expected the package that "
            "reads it: pip install cramjam, or choose gzip"
        )


def _credentials(address: KafkaAddress) -> Any:
    context = address.ssl_context()
    if address.user:
        return faust.SASLCredentials(
            username=address.user, password=address.password, mechanism=address.mechanism, ssl_context=context
        )
    return faust.SSLCredentials(context) if context else None


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="sinks.topics", description="Write the Parquet log from Kafka.")
    parser.add_argument("farm", type=Path, help="the farm file (farm.toml)")
    parser.add_argument("--worker", default="", help="name of this one where several share the topics")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    options = parser.parse_args()
    return run_stage(lambda stop: topics(options.farm, stop, options.worker), debug=options.debug)


def topics(path: Path, stop: threading.Event, worker: str = "") -> int:
    """Write the log of a farm file from its Kafka topics until ``stop`` is set."""
    settings = load_settings(path)
    farm = settings.detector.farm
    if not farm.table.events:
        raise UsageError(f'{path}: found no events, expected [farm] events = "kafka://host:9092"')
    data_folder(farm)
    log_path = worker_folder(settings.log_path, worker)
    handover = Handover(log_path) if worker and isinstance(log_path, Path) else None
    plan = Plan(settings.log.flush_rows, settings.log.flush_s, handover=handover)

    def log() -> KeptLog:
        # Without pictures: the frames are where the printers are.
        written = ParquetLog(log_path, min_free_bytes=settings.log.min_free_bytes)
        return KeptLog(written, settings.log.retention)

    serve(read_address(farm.table.events), plan, [log], stop)
    return FINE


def worker_folder(log_path: Path | str, worker: str) -> Path | str:
    """Where a worker writes: a log folder has one writer. Raises UsageError for a name that is none."""
    if worker and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", worker):
        raise UsageError(f"found the worker {worker!r}, expected letters, digits, '.', '_' and '-'")
    if not worker:
        return log_path
    own = f"worker={worker}"
    return log_path / own if isinstance(log_path, Path) else f"{log_path.rstrip('/')}/{own}"


if __name__ == "__main__":
    sys.exit(main())
