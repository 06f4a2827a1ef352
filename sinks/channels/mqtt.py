"""MQTT: messages as JSON for programs, the picture beside them, and answers back. See ``sinks.mqtt``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from sinks.channels.channel import Channel
from sinks.channels.webhook import body
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Answer, Message
from sinks.mqtt.answers import Offering, read_answer
from sinks.mqtt.link import MqttLink
from sinks.mqtt.settings import MqttSettings, completed, mqtt_settings
from sinks.mqtt.topics import slug

__all__ = ["MqttChannel", "MqttLink", "MqttSettings", "completed", "mqtt_settings", "read"]

log = logging.getLogger("nozzlewatch.sinks")


class MqttChannel:
    """One broker. ``link`` is shared with the mirror, which is to be made before the first message."""

    replaces = True
    pictured = True
    escalation = False

    def __init__(self, settings: MqttSettings) -> None:
        self.name = settings.name
        self.link = MqttLink(settings)
        self._names: dict[str, str] = {}  # slug → printer
        self._open = False
        self._answers: Offering | None = None
        self._unpictured: set[tuple[str, int]] = set()  # messages whose picture broke the connection

    def know(self, printers: Iterable[str]) -> None:
        """Which printers there are: an answer to ``<printer>/answer`` is for the one of that slug."""
        self._names |= {slug(printer): printer for printer in printers}

    def send(self, message: Message, picture: bytes | None) -> None:
        """The picture first, so that it is there when the message comes."""
        self._opened()
        self.link.wait()
        self.know(message.printers)
        if picture is not None:
            self._send_picture(message, picture)
        self._published(self.link.topics.messages, body(message, None), retain=False)

    def check(self) -> str:
        return self.link.check()

    def listen(self, take: Callable[[Answer], None]) -> None:
        self._answers = Offering(take)
        self.link.hear(self.link.topics.answers, self._received)
        self._opened()

    def close(self) -> None:
        if self._open:
            self._open = False
            self.link.close()
        if self._answers is not None:
            self._answers.close()

    def _opened(self) -> None:
        if not self._open:
            self._open = True
            self.link.open()

    def _send_picture(self, message: Message, picture: bytes) -> None:
        """Publish it for the printer that it shows. A broker may hang up at what is too large for it: then
        the message goes out without it the next time."""
        shown = [anomaly.printer for anomaly in message.anomalies] or list(message.printers)
        mark = (message.id, message.revision)
        if not shown or mark in self._unpictured:
            return
        try:
            self._published(self.link.topics.picture(slug(shown[0])), picture, retain=True)
        except MessageRefused as error:
            log.warning("%s", error)
        except ChannelError:
            self._unpictured.add(mark)
            raise

    def _published(self, topic: str, payload: bytes, *, retain: bool) -> None:
        refused = self.link.publish({topic: payload}, retain=retain)
        if refused:
            raise ChannelError(
                f"{self.name} does not let us publish to {topic} ({refused[topic]}): check the user's rights"
            )

    def _received(self, topic: str, payload: bytes, kept: bool) -> None:
        """An answer. One that the broker had kept may be old: it is not taken at each connection."""
        if kept or self._answers is None:
            return
        name = self.link.topics.printer_of(topic)
        answer = read_answer(payload, self._printer(name), time.time_ns())
        if answer is None or (name is not None and answer.printer is None):
            self._answers.refuse(topic)
        else:
            self._answers.offer(answer)

    def _printer(self, name: str | None) -> str | None:
        """The printer of a slug; what is its own slug may be one that nobody has told us of."""
        if name is None:
            return None
        return self._names.get(name) or (name if slug(name) == name else None)


def read(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``[alerts.mqtt]``: one broker."""
    settings = mqtt_settings(found, where, mistakes)
    return [MqttChannel(settings)] if settings is not None else []
