"""One connection to the broker, from the login to its end; it is never connected anew.

What was on its way when it ended is given up with it: nothing old is sent again behind the back of who
published it, and a message that makes a broker hang up cannot do so for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.tls import ClosingSocket
from sinks.channels.reasons import reason
from sinks.channels.tables import tls_context
from sinks.errors import ChannelError, MessageRefused
from sinks.mqtt.settings import MqttSettings

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
AT_LEAST_ONCE = 1
CONNECT_S = 5.0
"""How long the broker may take to answer each of: the connection, TLS, the login, a subscription."""
ACK_S = 5.0
"""How long it may take to acknowledge the next message."""
GOODBYE_S = 1.0
"""How long it is waited until a goodbye has gone out."""
KEEPALIVE_S = 20
KEPT_S = 60
"""How long the broker keeps answers for us while we are away (MQTT 5): a print's answer is no other's."""
FAILED = 0x80
"""Reason codes from here on say that something was not done."""
UNSUPPORTED = 0x84
"""The broker does not speak this version."""
TOO_LARGE = 0x95

Received = Callable[[str, bytes, bool], None]
"""Called with topic, payload, and whether it was kept from before, from the connection's own thread."""


class Will(NamedTuple):
    """What the broker says, retained, in our name when we are gone without a word."""

    topic: str
    payload: bytes


class VersionRefused(ChannelError):
    """The broker speaks, but not this version of MQTT."""


class Session:
    """A connection. ``over`` is set when it has ended, and then ``why`` says for what reason."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        protocol: MQTTProtocolVersion = V5,
        *,
        will: Will | None = None,
        received: Received | None = None,
    ) -> None:
        """With a ``will`` it stands for the watch: the broker keeps answers for it for ``KEPT_S``."""
        self.over = threading.Event()
        self.why = ""
        self.largest = 0  # bytes of a packet that the broker takes, 0: it did not say
        self._settings, self._protocol, self._lasting = settings, protocol, will is not None
        self._received = received
        self._gone = threading.Event()  # paho has let go of it
        self._heard = threading.Condition()
        self._login: ReasonCode | None = None
        self._acks: dict[int, ReasonCode] = {}  # of messages and of subscriptions, by packet id
        self._client = self._made(client_id, will)

    @property
    def version(self) -> str:
        return "5" if self._protocol is V5 else "3.1.1"

    def connect(self) -> None:
        """Raises ChannelError, VersionRefused where the broker may let us in with an older MQTT."""
        settings, client = self._settings, self._client
        try:
            if settings.tls:
                context = tls_context(settings.ca)
                context.sslsocket_class = ClosingSocket
                client.tls_set_context(context)
            client.connect(settings.host, settings.port, KEEPALIVE_S, **self._lasting_options())
        except (OSError, ValueError) as error:
            raise ChannelError(f"{settings.name} cannot be reached: {reason(error)}") from None
        client.loop_start()
        with self._heard:
            self._heard.wait_for(lambda: self._login is not None or self.over.is_set(), CONNECT_S)
        self._judge_login()

    def subscribe(self, filters: Sequence[str]) -> None:
        """Raises ChannelError where the broker does not let us."""
        asked = [(one, self._options()) for one in filters]
        _, mid = self._client.subscribe(asked)
        code = self._answer(mid, CONNECT_S) if mid is not None else None
        if self.over.is_set():
            raise self._lost()
        if code is None or code.value >= FAILED:
            raise ChannelError(
                f"{self._settings.name} does not let us subscribe to {filters[0]} ({code or 'no answer'}): "
                "check the user's rights there"
            )

    def publish(self, messages: Mapping[str, bytes], *, retain: bool) -> dict[str, str]:
        """Publish a payload to each topic; returns those that the broker refuses, with its reason.

        All others are the broker's when this returns. Raises MessageRefused for a payload that is too large
        for it; ChannelError where the connection ends meanwhile, or nothing is acknowledged for ``ACK_S``.
        """
        for topic, payload in messages.items():
            self._check_size(topic, payload)
        sent = {
            topic: self._client.publish(topic, payload, AT_LEAST_ONCE, retain).mid
            for topic, payload in messages.items()
        }
        codes = {topic: self._acknowledged(mid) for topic, mid in sent.items()}
        for topic, code in codes.items():
            if code.value == TOO_LARGE:
                raise self._too_large(topic)
        return {topic: str(code) for topic, code in codes.items() if code.value >= FAILED}

    def lose(self, why: str) -> None:
        """End the connection as if it had broken: the other side may be past hearing a goodbye."""
        self._end(why)
        if isinstance(sock := self._client.socket(), socket.socket):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye: the broker does not speak the will. Takes no longer than ``GOODBYE_S``."""
        self._end("closed")
        if self._client.disconnect() == MQTTErrorCode.MQTT_ERR_SUCCESS and not self._gone.wait(GOODBYE_S):
            self.lose("closed")
        self._client.loop_stop()

    def _made(self, client_id: str, will: Will | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if self._protocol is V5 else True,
            protocol=self._protocol,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        if self._settings.user is not None:
            client.username_pw_set(self._settings.user, self._settings.password)
        if will is not None:
            client.will_set(will.topic, will.payload, AT_LEAST_ONCE, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_subscribe = self._on_publish, self._on_subscribe
        client.on_message = self._on_message
        return client

    def _lasting_options(self) -> dict[str, Any]:
        if self._protocol is not V5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if self._lasting:
            properties.SessionExpiryInterval = KEPT_S
        return {"clean_start": not self._lasting, "properties": properties}

    def _options(self) -> Any:
        """How a filter is subscribed, as this version wants it said."""
        return SubscribeOptions(qos=AT_LEAST_ONCE) if self._protocol is V5 else AT_LEAST_ONCE

    def _judge_login(self) -> None:
        login, name = self._login, self._settings.name
        if login is not None and login.value < FAILED:
            return
        self._client.disconnect()
        unsupported = login.value == UNSUPPORTED if login is not None else self.over.is_set()
        if unsupported and self._protocol is V5:  # some just hang up
            raise VersionRefused(f"{name} takes no MQTT 5")
        if login is None:
            raise ChannelError(
                f"{name} does not answer as a broker does ({self.why or 'no answer in time'}): check its "
                "port, and whether it wants mqtts:// instead of mqtt://"
            )
        raise ChannelError(f"{name} refuses the login ({login}): check user, password and client_id")

    def _check_size(self, topic: str, payload: bytes) -> None:
        # A packet is the payload, the topic, and a few bytes more: at most 12 without properties.
        if self.largest and len(payload) + len(topic.encode()) + 12 > self.largest:
            raise self._too_large(topic)

    def _too_large(self, topic: str) -> MessageRefused:
        return MessageRefused(
            f"{self._settings.name}: what goes to {topic} is too large for it; raise its limit of packets"
        )

    def _acknowledged(self, mid: int) -> ReasonCode:
        code = self._answer(mid, ACK_S)
        if code is None and not self.over.is_set():
            self.lose(f"it acknowledged nothing for {ACK_S:g} s")
        if code is None:
            raise self._lost()
        return code

    def _answer(self, mid: int, limit_s: float) -> ReasonCode | None:
        with self._heard:
            self._heard.wait_for(lambda: mid in self._acks or self.over.is_set(), limit_s)
            return self._acks.pop(mid, None)

    def _lost(self) -> ChannelError:
        return ChannelError(f"{self._settings.name}: the connection was lost ({self.why})")

    def _end(self, why: str) -> None:
        with self._heard:
            if not self.over.is_set():
                self.why = why
                self.over.set()
            self._heard.notify_all()

    # What follows is called by paho, from its own thread.

    def _on_connect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        self.largest = int(getattr(properties, "MaximumPacketSize", 0))
        with self._heard:
            self._login = code
            self._heard.notify_all()

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._gone.set()
        by_broker = getattr(flags, "is_disconnect_packet_from_server", False)
        self._end(f"the broker ended it: {code}" if by_broker else "it broke off")

    def _on_publish(
        self, client: Client, data: Any, mid: int, code: ReasonCode, properties: Properties | None
    ) -> None:
        with self._heard:
            self._acks[mid] = code
            self._heard.notify_all()

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        with self._heard:
            self._acks[mid] = max(codes, key=lambda code: int(code.value))
            self._heard.notify_all()

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        if self._received is not None:
            self._received(message.topic, bytes(message.payload), message.retain)
