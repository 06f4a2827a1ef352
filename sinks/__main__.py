"""``python -m sinks FARM.toml``: the sinks as a process of their own, one thread for each."""

from __future__ import annotations

import argparse
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from ingest.farm import Farm
from ingest.running import FINE, run_stage
from ingest.stage import StoreSource, data_folder
from ingest.store import Stores
from ingest.stream import LOG, key, leave
from sinks.alerts import AlertWorker
from sinks.channels import Channel
from sinks.channels.mqtt import MqttChannel
from sinks.consume import LOGGED, Plan, SinkWorker
from sinks.event_json import relayed_streams
from sinks.kafka_address import KAFKA, read_address
from sinks.log_pictures import FrameStore
from sinks.mqtt.mirror import MQTT, PLAN, MqttMirror
from sinks.open_log import open_log
from sinks.outbox import Courier
from sinks.pictures import Pictures
from sinks.settings import SinkSettings, load_settings
from sinks.sink import Sink

Run: TypeAlias = Callable[[threading.Event], None]
"""What one thread of the sinks does until the event is set."""


def build_works(settings: SinkSettings, source: StoreSource) -> list[Run]:
    """The log, the policy, a courier for each channel; the mirror at an MQTT broker and the relay to Kafka
    where the farm file asks for them."""
    farm = settings.detector.farm
    shards = farm.table.shards
    log_plan = Plan(LOG, LOGGED, settings.log.flush_rows, settings.log.flush_s)
    channels, pictures = settings.channels(), Pictures(settings.detector.views)

    def log(stores: Stores) -> Sink:
        return open_log(settings.log, farm.data, FrameStore(stores.frames, shards))

    return [
        SinkWorker(source, shards, log_plan, log).run,
        AlertWorker(source, shards, settings.rules, channels, pictures).run,
        *(Courier(source, channel, pictures).run for channel in channels),
        *_mirrors(channels, source, farm),
        *_relays(source, farm),
    ]


def _mirrors(channels: Sequence[Channel], source: StoreSource, farm: Farm) -> Iterator[Run]:
    """What keeps the retained states of printers at the broker: the state, and who is alive."""
    for channel in channels:
        if isinstance(channel, MqttChannel):
            channel.know(printer.name for printer in farm.printers)
            mirror = MqttMirror(channel.link, source, farm)
            yield SinkWorker(source, farm.table.shards, PLAN, mirror.sink).run
            yield mirror.run


def _relays(source: StoreSource, farm: Farm) -> Iterator[Run]:
    if farm.table.events:
        from sinks.kafka_relay import KafkaRelay  # noqa: PLC0415 - an extra that few farms need

        address = read_address(farm.table.events)
        yield KafkaRelay(source, farm.table.shards, address, farm.table.name).run


def forget_unasked(settings: SinkSettings, stores: Stores) -> None:
    """Streams wait for nobody whom the farm file no longer asks for. Raises StoreUnreachable."""
    farm = settings.detector.farm
    shards = range(farm.table.shards)
    if "mqtt" not in settings.channel_tables:
        leave(stores.events, [key("anomalies", shard) for shard in shards], MQTT)
    if not farm.table.events:
        leave(stores.events, relayed_streams(shards), KAFKA)


def sink(path: Path, stop: threading.Event) -> int:
    """Write the log and send the alerts until ``stop`` is set."""
    settings = load_settings(path)
    data_folder(settings.detector.farm)
    with StoreSource(settings.detector.farm) as source:
        source.urls()  # embedded servers belong to this thread, which lives as long as the process
        with closing(source.open()) as stores:
            forget_unasked(settings, stores)
        run_all(build_works(settings, source), stop)
    return FINE


def spare_collector() -> None:
    """Never look again through what was imported for garbage: with Apprise's services it takes 150 ms, in
    whichever thread it happens, and all others wait."""
    gc.collect()
    gc.freeze()


def run_all(works: Sequence[Callable[[threading.Event], None]], stop: threading.Event) -> None:
    """Run each in a thread of its own until all have ended; the first error stops them all and is raised."""
    errors: list[Exception] = []

    def guarded(work: Callable[[threading.Event], None]) -> None:
        try:
            work(stop)
        except Exception as error:
            errors.append(error)
            stop.set()

    spare_collector()
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # in short turns, so that the main thread still gets its signals
    if errors:
        raise errors[0]


def main() -> int:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="sinks", description="Write the Parquet log and send alerts.")
    parser.add_argument("farm", type=Path, help="the farm file (farm.toml)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    options = parser.parse_args()
    return run_stage(lambda stop: sink(options.farm, stop), debug=options.debug)


if __name__ == "__main__":
    sys.exit(main())
