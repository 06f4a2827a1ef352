"""A mirror at work beside a real broker, and the detector that it listens to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from detector.anomaly import Anomaly, State
from detector.episodes import Episode, Phase
from detector.state import PrinterState
from ingest.farm import Farm, load_farm
from ingest.records import Status, decode, encode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores
from ingest.stream import DATA, backlog, key, shard_of
from sinks.channels.mqtt import MqttChannel, MqttSettings
from sinks.consume import SinkWorker
from sinks.mqtt.mirror import MQTT, PLAN, MqttMirror
from tests.sinks.conftest import S, make_anomaly
from tests.sinks.sources import Source

SHARDS = 2
PRINTERS = ("voron-2", "Prusa (left)", "ender-3")
LIMIT_S = 20.0


def farm_of(folder: Path, printers: Sequence[str] = PRINTERS) -> Farm:
    tables = "".join(f'[[printers]]\nname = {json.dumps(name)}\ncamera = "images:x"\n' for name in printers)
    path = folder / "farm.toml"
    path.write_text(f'[farm]\nname = "hall"\nshards = {SHARDS}\n{tables}')
    return load_farm(path)


@contextmanager
def mirroring(
    embedded: EmbeddedStores, farm: Farm, made: MqttSettings, channel: MqttChannel | None = None
) -> Iterator[MqttMirror]:
    """The mirror and the worker of its sink, as the stage runs them."""
    source, stop = Source(embedded), threading.Event()
    link = (channel or MqttChannel(made)).link
    mirror = MqttMirror(link, source, farm)  # type: ignore[arg-type]
    worker = SinkWorker(source, SHARDS, PLAN, mirror.sink)  # type: ignore[arg-type]
    threads = [threading.Thread(target=run, args=(stop,)) for run in (mirror.run, worker.run)]
    for thread in threads:
        thread.start()
    try:
        yield mirror
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def tell(stores: Stores, *anomalies: Anomaly) -> None:
    """As the detector does: onto the stream, and into its own state."""
    for anomaly in anomalies:
        shard = shard_of(anomaly.printer, SHARDS)
        stores.events.xadd(key("anomalies", shard), {DATA: encode(anomaly)})
        remember(stores, anomaly)


def remember(stores: Stores, anomaly: Anomaly) -> None:
    """Only into the detector's state: the stream has lost it."""
    phase = Phase.COOLING if anomaly.state is State.CLOSED else Phase.OPEN
    episode = Episode(
        phase=phase, printer=anomaly.printer, job=anomaly.job, kind=anomaly.kind, span_ns=S, seen_index=7,
        anomaly=anomaly,
    )  # fmt: skip
    state = PrinterState(
        printer=anomaly.printer, job=anomaly.job, last_index=7, episodes={anomaly.kind: episode}
    )
    stores.events.hset(key("state", shard_of(anomaly.printer, SHARDS)), anomaly.printer, encode(state))


def closed(anomaly: Anomaly) -> Anomaly:
    return make_anomaly(
        id=anomaly.id, printer=anomaly.printer, kind=anomaly.kind, state=State.CLOSED, revision=9
    )


def left(stores: Stores) -> int:
    return sum(backlog(stores.events, key("anomalies", shard), MQTT) for shard in range(SHARDS))


def status_of(stores: Stores) -> Status | None:
    told = stores.events.hget(STATUS_KEY, MQTT)
    return decode(told, Status) if told else None  # type: ignore[arg-type]
