"""Real brokers, and what connects to them, for the tests of MQTT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinks.channels.mqtt import MqttChannel, MqttSettings
from sinks.mqtt.topics import Topics
from tests.peers.mosquitto import Mosquitto, passwords, tls
from tests.peers.mosquitto_tls import server_certificate

TOPICS = Topics("nozzlewatch", "hall")
OPEN = "allow_anonymous true\npersistence false"
WATCH, HOUSE = "wächter-p@ss", "house-pass"
"""Passwords of the users ``watch`` and ``house``."""
RIGHTS = """
user watch
topic readwrite nozzlewatch/#
topic readwrite homeassistant/#
user house
topic readwrite #
user poor
topic read nozzlewatch/#
"""


def settings(port: int, **fields: Any) -> MqttSettings:
    told: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": False,
        "base": TOPICS.base,
        "farm": TOPICS.farm,
        "discovery": "homeassistant",
        "ca": "",
        "client_id": "nozzlewatch-hall",
    }
    return MqttSettings(**told | fields)


@contextmanager
def open_broker(folder: Path) -> Iterator[Mosquitto]:
    """A broker that lets everybody in."""
    with Mosquitto(folder, OPEN) as broker:
        yield broker


@contextmanager
def locked_broker(folder: Path, *names: str, expired: bool = False) -> Iterator[Mosquitto]:
    """A broker with TLS (``ca.pem`` in ``folder``), a password file and rights by user."""
    server_certificate(folder, *(names or ("localhost",)), expired=expired)
    rights = folder / "rights"
    rights.write_text(RIGHTS)
    known = passwords(folder, watch=WATCH, house=HOUSE, poor="p")
    config = f"allow_anonymous false\npassword_file {known}\nacl_file {rights}\n{tls(folder)}"
    with Mosquitto(folder, config) as broker:
        yield broker


@contextmanager
def channel(made: MqttSettings) -> Iterator[MqttChannel]:
    found = MqttChannel(made)
    try:
        yield found
    finally:
        found.close()
