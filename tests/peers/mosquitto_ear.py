"""Another program at the broker: hears everything, and says what a test wants said."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.waiting import wait_until

LIMIT_S = 15.0


class Heard(NamedTuple):
    topic: str
    payload: bytes
    kept: bool  # the broker had retained it from before


class Ear:
    """What was heard, in order; ``last`` is the newest payload of each topic."""

    def __init__(self, client: Client) -> None:
        self.heard: list[Heard] = []
        self.last: dict[str, bytes] = {}
        self._client = client

    def hear(self, message: MQTTMessage) -> None:
        self.last[message.topic] = bytes(message.payload)
        self.heard.append(Heard(message.topic, bytes(message.payload), message.retain))

    def at(self, topic: str) -> list[bytes]:
        return [one.payload for one in self.heard if one.topic == topic]

    def json(self, topic: str) -> Any:
        return json.loads(self.last[topic])

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait for a condition; the message of a failure tells which topics there were."""
        try:
            wait_until(lambda: bool(condition()), LIMIT_S, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; heard at: {sorted(self.last)[:20]}") from None

    def until_heard(self, topic: str, payload: bytes | None = None) -> None:
        self.until(lambda: topic in self.last and payload in (None, self.last[topic]), f"{topic} {payload!r}")

    def until_json(self, topic: str, **fields: object) -> Any:
        """Wait until the JSON at a topic has these fields; returns all of it."""
        self.until(
            lambda: topic in self.last and self.last[topic]
            and {name: self.json(topic).get(name) for name in fields} == fields,
            f"{topic} {fields}",
        )  # fmt: skip
        return self.json(topic)

    def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain).wait_for_publish(LIMIT_S)


@contextmanager
def ear(
    port: int,
    *,
    host: str = "127.0.0.1",
    user: str | None = None,
    password: str | None = None,
    ca: str | None = None,
) -> Iterator[Ear]:
    """Connected and subscribed to everything on entering; comes back when the broker does."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    if user is not None:
        client.username_pw_set(user, password)
    if ca is not None:
        client.tls_set(ca)
    ready, found = threading.Event(), Ear(client)
    client.on_connect = lambda *_: client.subscribe("#", 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: found.hear(message)
    client.reconnect_delay_set(1, 1)
    client.connect(host, port)
    client.loop_start()
    assert ready.wait(LIMIT_S)
    try:
        yield found
    finally:
        client.disconnect()
        client.loop_stop()
