"""The retained state of every printer at a real broker: right after restarts, outages and losses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from detector.anomaly import Anomaly, Kind, State
from detector.episodes import Episode, Phase
from detector.state import PrinterState
from ingest.farm import Farm, load_farm
from ingest.records import Health, Status, decode, encode
from ingest.stage import STATUS_KEY, publish_status
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import DATA, backlog, key, shard_of
from sinks.channels.mqtt import MqttChannel, MqttSettings
from sinks.consume import SinkWorker
from sinks.mqtt.discovery import config_topics
from sinks.mqtt.link import OFFLINE, ONLINE, MqttLink
from sinks.mqtt.mirror import MQTT, PLAN, MqttMirror
from sinks.mqtt.topics import slug
from tests.conftest import ROOT
from tests.peers.mosquitto import Mosquitto, passwords
from tests.peers.mosquitto_ear import Ear, ear
from tests.sinks.conftest import S, deliver, make_anomaly
from tests.sinks.messages import make_message
from tests.sinks.mqtt_brokers import TOPICS, open_broker, settings
from tests.waiting import wait_until

SHARDS = 2
PRINTERS = ("voron-2", "Prusa (left)", "ender-3")
LIMIT_S = 20.0


class Source:
    """The stores of the session, opened anew for each who asks."""

    def __init__(self, embedded: EmbeddedStores) -> None:
        self._urls = embedded.urls()

    def open(self) -> Stores:
        return open_stores(self._urls)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.mqtt.link.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr("sinks.mqtt.link.LONGEST_WAIT_S", 0.1)
    monkeypatch.setattr("sinks.mqtt.mirror.POLL_S", 0.2)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with open_broker(tmp_path) as made:
        yield made


@pytest.fixture
def house(broker: Mosquitto) -> Iterator[Ear]:
    with ear(broker.port) as made:
        yield made


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
