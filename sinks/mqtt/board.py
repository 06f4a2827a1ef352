"""What the broker is to hold, topic by topic, and what it does not hold yet.

Only the newest payload of a topic counts: while the broker is away they replace each other, and when it is
back everything is published, for it may have lost what it held.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from sinks.errors import ChannelError
from sinks.mqtt.link import MqttLink

log = logging.getLogger("nozzlewatch.sinks")

AT_ONCE = 200
"""Messages on their way at the same time."""
GONE = b""
"""An empty retained message takes away what was retained."""


class Board:
    """The retained topics of this farm. May be used from several threads."""

    def __init__(self, link: MqttLink) -> None:
        self.refused: dict[str, str] = {}  # topic → the broker's reason, on this connection
        self.trouble = ""  # why the last ``publish`` could not end
        self._link = link
        self._wanted: dict[str, bytes] = {}
        self._held: dict[str, bytes] = {}
        self._connection = 0  # the one that ``_held`` speaks of
        self._lock = threading.Lock()  # of the two dicts
        self._publishing = threading.Lock()  # one at a time, so that the newest is the last

    def put(self, payloads: Mapping[str, bytes]) -> None:
        """What is to stand at these topics from now on."""
        with self._lock:
            self._wanted |= payloads

    def publish(self) -> bool:
        """Publish what the broker does not hold; whether it holds everything now.

        False while it is away or goes away meanwhile: what is missing is published by a later call.
        """
        with self._publishing:
            try:
                self._publish()
                self.trouble = ""
            except ChannelError as error:
                self.trouble = str(error)
            return not self.trouble

    def retry(self) -> None:
        """Try what the broker refused once more with the next ``publish``: its rules may have changed."""
        with self._lock:
            for topic in self.refused:
                self._held.pop(topic, None)
            self.refused = {}

    def _publish(self) -> None:
        while due := self._due():
            refused = self._link.publish(due, retain=True)
            with self._lock:
                self._held |= due  # a refused one is not offered again and again
            if refused and not self.refused:
                topic, why = next(iter(refused.items()))
                log.warning("%s does not let us publish to %s (%s)", self._link.settings.name, topic, why)
            self.refused |= refused

    def _due(self) -> dict[str, bytes]:
        with self._lock:
            if self._connection != self._link.connections:
                self._connection, self._held, self.refused = self._link.connections, {}, {}
            missing = [t for t, payload in self._wanted.items() if self._held.get(t) != payload]
            return {topic: self._wanted[topic] for topic in missing[:AT_ONCE]}
