"""A broker that is away, hangs, restarts or refuses, and a watch that is killed: the mirror beside each."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.anomaly import State
from ingest.records import Health
from ingest.store import EmbeddedStores, Stores
from ingest.stream import key
from sinks.mqtt.discovery import config_topics
from sinks.mqtt.link import OFFLINE, ONLINE
from tests.conftest import ROOT
from tests.peers.mosquitto import Mosquitto, passwords
from tests.peers.mosquitto_ear import Ear, ear
from tests.sinks.conftest import make_anomaly
from tests.sinks.mirroring import (
    LIMIT_S,
    closed,
    farm_of,
    left,
    mirroring,
    status_of,
    tell,
)
from tests.sinks.mqtt_brokers import TOPICS, settings
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("quick_mirror")


def test_a_broker_that_restarts_holds_everything_again(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path, broker: Mosquitto
) -> None:
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        with ear(broker.port) as house:
            tell(stores, make_anomaly())
            house.until_json(TOPICS.state("voron-2"), state="failing")
            config = config_topics("homeassistant", TOPICS, "voron-2")[0]
            house.until_heard(config)
        broker.stop()
        broker.start()  # without persistence: what was retained is gone
        with ear(broker.port) as again:
            again.until_json(TOPICS.state("voron-2"), state="failing")
            again.until_json(TOPICS.state("ender-3"), state="ok")
            again.until_heard(config)
            again.until_heard(TOPICS.availability, ONLINE)


def test_a_broker_that_is_away_holds_nothing_up(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path
) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous true")
    anomaly = make_anomaly()
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        tell(stores, anomaly, *(make_anomaly(revision=n, state=State.UPDATED) for n in range(2, 6)))
        tell(stores, make_anomaly(1, printer="ender-3"), closed(make_anomaly(1, printer="ender-3")))
        wait_until(lambda: stores.events.exists(key("anomalies", 0)) == 1 and left(stores) == 0, LIMIT_S)
        wait_until(lambda: (told := status_of(stores)) is not None and told.detail != "", LIMIT_S)
        told = status_of(stores)
        assert told is not None
        assert told.health is Health.DEGRADED
        assert "connection refused" in told.detail
        with broker, ear(broker.port) as house:
            house.until_json(TOPICS.state("voron-2"), state="failing")
            house.until_json(TOPICS.state("ender-3"), state="ok")
            wait_until(lambda: (told := status_of(stores)) is not None and told.detail == "", LIMIT_S)
            assert len(house.at(TOPICS.state("voron-2"))) == 1  # the newest alone


def test_a_broker_that_hangs_holds_nothing_up(
    embedded: EmbeddedStores,
    stores: Stores,
    tmp_path: Path,
    broker: Mosquitto,
    house: Ear,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sinks.mqtt.session.ACK_S", 0.5)
    monkeypatch.setattr("sinks.mqtt.session.CONNECT_S", 0.5)
    with mirroring(embedded, farm_of(tmp_path), settings(broker.port)):
        house.until_json(TOPICS.state("voron-2"), state="ok")
        broker.halt()
        try:
            tell(stores, make_anomaly())
            wait_until(lambda: left(stores) == 0, LIMIT_S)
            wait_until(lambda: (told := status_of(stores)) is not None and told.detail != "", LIMIT_S)
        finally:
            broker.go_on()
        house.until_json(TOPICS.state("voron-2"), state="failing")
        house.until_heard(TOPICS.availability, ONLINE)


def test_what_the_broker_refuses_is_told_and_the_rest_arrives(
    embedded: EmbeddedStores, stores: Stores, tmp_path: Path
) -> None:
    rights = tmp_path / "rights"
    rights.write_text("user watch\ntopic readwrite nozzlewatch/#\nuser house\ntopic readwrite #\n")
    known = passwords(tmp_path, watch="w", house="h")
    config = f"allow_anonymous false\npassword_file {known}\nacl_file {rights}"
    with (
        Mosquitto(tmp_path, config) as broker,
        ear(broker.port, user="house", password="h") as house,
        mirroring(embedded, farm_of(tmp_path), settings(broker.port, user="watch", password="w")),
    ):
        house.until_json(TOPICS.state("voron-2"), state="ok")
        wait_until(lambda: (told := status_of(stores)) is not None and told.detail != "", LIMIT_S)
        told = status_of(stores)
        assert told is not None
        assert told.detail.startswith("the broker does not let us publish to homeassistant/")
        assert "(Not authorized)" in told.detail
        tell(stores, make_anomaly())
        house.until_json(TOPICS.state("voron-2"), state="failing")


WATCH = """
import sys, threading
from pathlib import Path
from sinks.mqtt.link import MqttLink
from tests.sinks.mqtt_brokers import settings
link = MqttLink(settings(int(sys.argv[1])))
link.announce()
link.open()
link.wait()
threading.Event().wait()
"""


def test_a_watch_that_is_killed_is_offline(broker: Mosquitto, house: Ear) -> None:
    watch = subprocess.Popen([sys.executable, "-c", WATCH, str(broker.port)], cwd=ROOT)
    try:
        house.until_heard(TOPICS.availability, ONLINE)
        watch.send_signal(signal.SIGKILL)
        house.until_heard(TOPICS.availability, OFFLINE)
    finally:
        watch.kill()
        watch.wait()
    with ear(broker.port) as late:
        late.until_heard(TOPICS.availability, OFFLINE)
