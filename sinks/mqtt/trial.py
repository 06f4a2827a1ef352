"""Whether a broker lets us in, and passes on what we say."""

from __future__ import annotations

import threading
import time

from paho.mqtt.enums import MQTTProtocolVersion

from sinks.errors import ChannelError
from sinks.mqtt.session import CONNECT_S, V5, V311, Session, VersionRefused
from sinks.mqtt.settings import MqttSettings


def try_out(settings: MqttSettings, client_id: str, topic: str) -> str:
    """Log in, subscribe, and hear one's own word at ``topic``; what was found, in words.

    Raises ChannelError.
    """
    try:
        return _tried(settings, client_id, topic, V5)
    except VersionRefused:
        return _tried(settings, client_id, topic, V311)


def _tried(settings: MqttSettings, client_id: str, topic: str, protocol: MQTTProtocolVersion) -> str:
    heard = threading.Event()
    session = Session(settings, client_id, protocol, received=lambda *_: heard.set())
    try:
        session.connect()
        session.subscribe([topic])
        began_s = time.monotonic()
        refused = session.publish({topic: b"{}"}, retain=False)
        if refused or not heard.wait(CONNECT_S):
            raise ChannelError(
                f"{settings.name} lets us in, but passes on nothing that is published to {topic} "
                f"({refused.get(topic, 'it did not come back')}): check the user's rights to publish and to "
                "subscribe there"
            )
        took_ms = (time.monotonic() - began_s) * 1000
    finally:
        session.close()
    safe = "TLS, its certificate is valid" if settings.tls else "no TLS"
    return f"MQTT {session.version}, {safe}, logged in, heard itself after {took_ms:.0f} ms"
