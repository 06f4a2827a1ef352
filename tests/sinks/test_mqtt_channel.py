"""Messages out, through a real broker, and what is wrong with a connection."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.channels.mqtt import MqttChannel
from sinks.errors import ChannelError
from sinks.message import Message, Word
from sinks.mqtt import session
from sinks.mqtt.topics import slug
from tests.peers.mosquitto import Mosquitto, free_port
from tests.peers.mosquitto_ear import Ear, ear
from tests.sinks.conftest import make_anomaly
from tests.sinks.messages import HOSTILE, make_message
from tests.sinks.mqtt_answers import Answers, listening
from tests.sinks.mqtt_brokers import HOUSE, TOPICS, WATCH, channel, locked_broker, settings
from tests.waiting import wait_until

JPEG = b"\xff\xd8" + bytes(range(256)) + b"\xff\xd9"


def test_a_message_arrives_as_json_and_its_picture_beside_it(broker: Mosquitto, house: Ear) -> None:
    message = make_message(title=f"{HOSTILE}: spaghetti")
    with channel(settings(broker.port)) as sender:
        sender.send(message, JPEG)
        house.until_heard(TOPICS.messages)
    told = house.json(TOPICS.messages)
    assert (told["id"], told["revision"], told["title"]) == ("m1", 1, f"{HOSTILE}: spaghetti")
    assert told["anomalies"][0]["kind"] == "layer_shift"
    assert house.last[TOPICS.picture("voron-2")] == JPEG
    with ear(broker.port) as late:
        late.until_heard(TOPICS.picture("voron-2"), JPEG)
        assert TOPICS.messages not in late.last  # a message is news, not a state


def test_no_name_of_a_printer_reaches_a_topic(broker: Mosquitto, house: Ear) -> None:
    names = [HOSTILE, "a+b/#", "#", "ドリル 🙂", "$SYS"]
    with channel(settings(broker.port)) as sender:
        for name in names:
            sender.send(make_message(anomalies=(make_anomaly(printer=name),), printers=(name,)), JPEG)
        house.until(lambda: len(house.at(TOPICS.messages)) == len(names))
    assert {json.loads(one)["printers"][0] for one in house.at(TOPICS.messages)} == set(names)
    pictures = {one.topic for one in house.heard if one.topic.endswith("/picture")}
    assert pictures == {f"nozzlewatch/hall/{slug(name)}/picture" for name in names}


def test_a_visitor_leaves_no_word_of_the_watch(broker: Mosquitto, house: Ear) -> None:
    with channel(settings(broker.port)) as sender:
        sender.send(make_message(), None)
        house.until_heard(TOPICS.messages)
    assert TOPICS.availability not in house.last


def test_a_large_picture_arrives_whole(broker: Mosquitto, house: Ear) -> None:
    picture = JPEG[:2] + bytes(5 * 1024 * 1024) + JPEG[-2:]
    with channel(settings(broker.port)) as sender:
        sender.send(make_message(), picture)
        house.until_heard(TOPICS.picture("voron-2"), picture)


@pytest.mark.parametrize("limit", ["max_packet_size 20000", "message_size_limit 20000"])
def test_a_picture_too_large_for_the_broker_does_not_cost_the_message(tmp_path: Path, limit: str) -> None:
    with (
        Mosquitto(tmp_path, f"allow_anonymous true\n{limit}") as broker,
        ear(broker.port) as house,
        channel(settings(broker.port)) as sender,
    ):
        wait_until(lambda: taken(sender, make_message(), bytes(50_000)), 15.0, "the message to be taken")
        house.until_json(TOPICS.messages, id="m1")


def taken(sender: MqttChannel, message: Message, picture: bytes) -> bool:
    """Whether it was taken now; a broker may hang up at the first try."""
    try:
        sender.send(message, picture)
    except ChannelError:
        return False
    return True


def test_a_broker_that_hangs_in_the_middle_of_a_picture_keeps_nobody(
    broker: Mosquitto, house: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ACK_S", 0.5)
    monkeypatch.setattr(session, "CONNECT_S", 0.5)
    with channel(settings(broker.port)) as sender:
        sender.send(make_message(), None)
        broker.halt()
        try:
            with pytest.raises(ChannelError, match="it acknowledged nothing for"):
                sender.send(make_message(), bytes(20_000_000))  # more than the sockets hold
            sender.close()
        finally:
            broker.go_on()


def test_tls_and_login_are_all_that_is_needed(tmp_path: Path) -> None:
    with locked_broker(tmp_path) as broker:
        safe = settings(
            broker.port, host="localhost", tls=True, ca=str(tmp_path / "ca.pem"), user="watch", password=WATCH
        )
        with (
            ear(
                broker.port, host="localhost", user="house", password=HOUSE, ca=str(tmp_path / "ca.pem")
            ) as house,
            channel(safe) as sender,
        ):
            assert sender.check().startswith("MQTT 5, TLS, its certificate is valid, logged in, heard itself")
            sender.send(make_message(), JPEG)
            house.until_heard(TOPICS.messages)
            assert TOPICS.check in house.last


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"password": "wrong"}, r"refuses the login \(Not authorized\): check user, password and client_id"),
        ({"user": None, "password": None}, r"refuses the login \(Not authorized\)"),
        ({"user": "poor", "password": "p"}, r"passes on nothing that is published to nozzlewatch/hall/check"),
        ({"ca": ""}, "certificate is not valid: unable to get local issuer certificate"),
        ({"host": "127.0.0.1"}, "certificate is not valid: IP address mismatch"),
        ({"tls": False}, r"does not answer as a broker does .* mqtts://"),
        ({"port": free_port()}, "connection refused: is it running, and at this port"),
        ({"host": "no-such-host.invalid"}, "no host of this name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_connection_is_told(
    tmp_path: Path, fields: dict[str, object], told: str
) -> None:
    with locked_broker(tmp_path) as broker:
        safe: dict[str, object] = {
            "port": broker.port, "host": "localhost", "tls": True, "ca": str(tmp_path / "ca.pem"),
            "user": "watch", "password": WATCH,
        }  # fmt: skip
        with channel(settings(**safe | fields)) as sender:  # type: ignore[arg-type]
            with pytest.raises(ChannelError, match=told) as checked:
                sender.check()
            unlike_send = fields.get("user") == "poor"
            with pytest.raises(ChannelError, match="messages .Not auth" if unlike_send else told) as sent:
                sender.send(make_message(), None)
            assert WATCH not in f"{checked.value}{sent.value}"


def test_an_expired_certificate_is_told(tmp_path: Path) -> None:
    with locked_broker(tmp_path, expired=True) as broker:
        safe = settings(
            broker.port, host="localhost", tls=True, ca=str(tmp_path / "ca.pem"), user="watch", password=WATCH
        )
        with channel(safe) as sender, pytest.raises(ChannelError, match="certificate has expired"):
            sender.check()


def test_a_server_that_says_nothing_is_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CONNECT_S", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        channel(settings(silent.getsockname()[1])) as sender,
        pytest.raises(ChannelError, match="does not answer as a broker does"),
    ):
        sender.check()


@pytest.mark.parametrize("politely", [True, False])
def test_a_broker_of_yesterday_is_spoken_to_in_its_own_version(
    broker: Mosquitto, house: Ear, *, politely: bool
) -> None:
    with old_broker(broker.port, politely=politely) as port, channel(settings(port)) as sender:
        assert sender.check().startswith("MQTT 3.1.1")
        answers = Answers()
        listening(sender, answers)
        sender.send(make_message(), JPEG)
        house.until_heard(TOPICS.picture("voron-2"), JPEG)
        house.say(TOPICS.answer(), "seen")
        assert answers.until(1) == [(Word.SEEN, None)]


@contextlib.contextmanager
def old_broker(port: int, *, politely: bool) -> Iterator[int]:
    """A way to a broker that refuses MQTT 5: with the word that MQTT has for it, or by hanging up."""
    server = socket.create_server(("127.0.0.1", 0))

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve(visitor: socket.socket) -> None:
        with visitor, socket.create_connection(("127.0.0.1", port)) as onward:
            hello = visitor.recv(65_536)
            if hello[8] == 5:  # 0x10, length, 0, 4, "MQTT", version
                if politely:
                    visitor.sendall(b"\x20\x02\x00\x01")
                return
            onward.sendall(hello)
            back = threading.Thread(target=pipe, args=(onward, visitor))
            back.start()
            pipe(visitor, onward)
            back.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                visitors.append(threading.Thread(target=serve, args=(server.accept()[0],)))
                visitors[-1].start()

    visitors: list[threading.Thread] = []
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join()
        for visitor in visitors:
            visitor.join()
