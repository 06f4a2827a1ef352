"""The retained state of every printer at a real broker: right after restarts, outages and losses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from detector.anomaly import Kind, State
from ingest.records import Health, Status
from ingest.stage import publish_status
from ingest.store import EmbeddedStores, Stores
from sinks.channels.mqtt import MqttChannel
from sinks.mqtt.discovery import config_topics
from sinks.mqtt.link import OFFLINE, ONLINE, MqttLink
from sinks.mqtt.mirror import MqttMirror
from sinks.mqtt.topics import slug
from tests.peers.mosquitto import Mosquitto
from tests.peers.mosquitto_ear import Ear, ear
from tests.sinks.conftest import deliver, make_anomaly
from tests.sinks.messages import make_message
from tests.sinks.mirroring import (
    LIMIT_S,
    PRINTERS,
    closed,
    farm_of,
    left,
    mirroring,
    remember,
    tell,
)
from tests.sinks.mqtt_brokers import TOPICS, settings
from tests.sinks.sources import Source
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick_mirror")


def test_each_printer_has_a_state_that_follows_its_anomalies(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto, house: Ear
) -> None:
    name = slug("Prusa (left)")
    anomaly = make_anomaly(printer="Prusa (left)")
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        for printer in PRINTERS:
            house.until_json(TOPICS.state(slug(printer)), state="ok", printer=printer)
        house.until_heard(TOPICS.availability, ONLINE)
        tell(stores, anomaly)
        house.until_json(TOPICS.state(name), state="failing", kind="layer_shift", anomalies=["a0"])
        tell(stores, closed(anomaly))
        house.until_json(TOPICS.state(name), state="ok")
        tell(stores, make_anomaly(1, printer="gone", id="x"))  # a printer that the farm has no more
        tell(stores, make_anomaly(2, printer="ender-3", kind=Kind.CAMERA_FAULT))
        house.until_json(TOPICS.state("ender-3"), state="blind")
        wait_until(lambda: left(stores) == 0, LIMIT_S)
    assert house.last[TOPICS.availability] == OFFLINE
    assert TOPICS.state("gone") not in house.last
    with ear(broker.port) as late:
        late.until_json(TOPICS.state("ender-3"), state="blind")
        late.until_json(TOPICS.state(name), state="ok")


def test_states_are_right_after_a_restart_and_after_anomalies_that_were_lost(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto, house: Ear
) -> None:
    farm, stays, over = farm_of(tmp_path), make_anomaly(1), make_anomaly(2, printer="ender-3")
    with mirroring(embedded, farm, settings(broker.port)):
        tell(stores, stays, over)
        house.until_json(TOPICS.state("ender-3"), state="failing")
        house.until_json(TOPICS.state("voron-2"), state="failing")
        wait_until(lambda: left(stores) == 0, LIMIT_S)
    remember(stores, closed(over))
    remember(stores, make_anomaly(3, printer="Prusa (left)"))
    with mirroring(embedded, farm, settings(broker.port)):
        house.until_json(TOPICS.state("ender-3"), state="ok")
        house.until_json(TOPICS.state(slug("Prusa (left)")), state="failing", anomalies=["a3"])
        house.until_json(TOPICS.state("voron-2"), state="failing", anomalies=["a1"])


def test_a_lost_close_is_noticed_while_it_runs(
    embedded: EmbeddedStores,
    stores: Stores,
    tmp_path: Path,
    broker: Mosquitto,
    house: Ear,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sinks.mqtt.mirror.RECONCILE_S", 0.5)
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        tell(stores, make_anomaly())
        house.until_json(TOPICS.state("voron-2"), state="failing")
        remember(stores, closed(make_anomaly()))
        house.until_json(TOPICS.state("voron-2"), state="ok")


def test_nothing_is_told_of_a_printer_before_it_is_known_what_is_open(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto, house: Ear
) -> None:
    remember(stores, make_anomaly())
    link = MqttLink(settings(broker.port))
    mirror = MqttMirror(link, Source(embedded), farm_of(tmp_path))  # type: ignore[arg-type]
    link.open()
    link.wait()
    sink = mirror.sink(stores)
    sink.take([deliver(make_anomaly(4, state=State.CLOSED, revision=2), 0)])
    sink.flush()
    house.until_json(TOPICS.state("voron-2"), anomalies=["a0"])
    link.close()
    assert len(house.at(TOPICS.state("voron-2"))) == 1


def test_a_printer_that_the_farm_has_no_more_goes_from_the_broker(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto, house: Ear
) -> None:
    gone = slug("Prusa (left)")
    configs = config_topics("homeassistant", TOPICS, gone)
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        house.until_json(TOPICS.state(gone), state="ok")
        house.until(lambda: set(configs) <= set(house.last))
    with mirroring(embedded, farm_of(tmp_path, PRINTERS[:1]), settings(broker.port)):
        house.until_heard(TOPICS.state(gone), b"")
        house.until(lambda: all(house.last[topic] == b"" for topic in configs))
    with ear(broker.port) as late:
        late.until_json(TOPICS.state("voron-2"), state="ok")
        assert not [topic for topic in late.last if gone in topic]


def test_it_is_told_which_printers_are_watched_and_whether_the_watch_is_alive(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto, house: Ear
) -> None:
    at_ns = time.time_ns()
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        house.until_json(TOPICS.watched("voron-2"), watched=False)
        assert house.until_json(TOPICS.watch, alive=False)["version"]
        for status in (
            Status(source="ingest", at_ns=at_ns, health=Health.OK),
            Status(source="detector/0", at_ns=at_ns, health=Health.OK),
            Status(
                source="ingest", printer="voron-2", at_ns=at_ns, health=Health.DEGRADED, detail="no light"
            ),
            Status(source="ingest", printer="ender-3", at_ns=at_ns, health=Health.DOWN, detail="no answer"),
        ):
            publish_status(stores, status)
        house.until_json(TOPICS.watched("voron-2"), watched=True, detail="no light")
        house.until_json(TOPICS.watched("ender-3"), watched=False, health="down", detail="no answer")
        house.until_json(TOPICS.watched(slug("Prusa (left)")), watched=False, health=None)
        house.until_json(TOPICS.watch, alive=True)


def test_three_hundred_printers_in_one_go(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto, house: Ear
) -> None:
    names = [f"printer {n}" for n in range(300)]
    with mirroring(embedded, farm_of(tmp_path, names), settings(broker.port)):
        house.until(lambda: TOPICS.state(slug(names[-1])) in house.last)
        tell(stores, *(make_anomaly(n, printer=name, id=f"a{n}") for n, name in enumerate(names)))
        house.until(lambda: all(house.json(TOPICS.state(slug(name)))["state"] == "failing" for name in names))
        wait_until(lambda: left(stores) == 0, LIMIT_S)
        assert len([topic for topic in house.last if topic.startswith("homeassistant/")]) == 3 + 300 * 11


def test_the_channel_and_the_mirror_share_one_connection(
    embedded: EmbeddedStores,
    stores: Stores,
    tmp_path: Path,
    broker: Mosquitto,
    house: Ear,
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = MqttChannel(settings(broker.port))
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port), channel):
        channel.listen(lambda _: None)
        channel.send(make_message(), b"jpeg")
        house.until_heard(TOPICS.messages)
        channel.close()
        tell(stores, make_anomaly())
        house.until_json(TOPICS.state("voron-2"), state="failing")  # the mirror goes on
        assert broker.log().count("as nozzlewatch-hall") == 1
    assert "that is no answer" not in caplog.text, "each hears its own topics alone"
