"""The way to the broker: one session after the other, for as long as somebody uses it.

    idle -> connecting -> here -> (lost) -> waiting -> connecting -> …

It warns when the broker goes away, not at every try, and says when it is back. Whoever publishes while it is
away gets a ChannelError at once: nothing is queued here.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping

from paho.mqtt.client import topic_matches_sub
from paho.mqtt.enums import MQTTProtocolVersion

from sinks.errors import ChannelError
from sinks.mqtt.session import CONNECT_S, V5, V311, Received, Session, VersionRefused, Will
from sinks.mqtt.settings import MqttSettings
from sinks.mqtt.topics import Topics
from sinks.mqtt.trial import try_out

log = logging.getLogger("nozzlewatch.sinks")

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Before the second try, doubled before each further one; and the most."""
TICK_S = 0.1
"""How soon it is noticed that somebody closes it, or wants to hear more."""
ONLINE, OFFLINE = b"online", b"offline"
OPENING_S = 2 * CONNECT_S
"""How long the first message waits for the broker."""


class MqttLink:
    """Shared by the channel and the mirror; each opens it once and closes it once."""

    def __init__(self, settings: MqttSettings) -> None:
        self.settings = settings
        self.topics = Topics(settings.base, settings.farm)
        self.trouble = ""  # why the broker is away, empty while it is here
        self._received: list[tuple[tuple[str, ...], Received]] = []
        self._lasting = False
        self._users = 0
        self._state = threading.Condition()
        self._session: Session | None = None
        self._count = 0
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def connections(self) -> int:
        """How often the broker was reached so far; 0 as long as it never was."""
        return self._count

    @property
    def here(self) -> bool:
        """Whether the broker is there at this moment."""
        return self._session is not None

    def announce(self) -> None:
        """This link stands for the watch: ``availability`` is online while it is connected, offline when not.

        To be called before the first ``open``. Without it a link comes and goes unnoticed, so that somebody
        who tries the channel does not announce the end of the watch by leaving.
        """
        self._lasting = True

    def hear(self, filters: tuple[str, ...], received: Received) -> None:
        """Give what comes to these filters to ``received``, on every connection from now on.

        It is called from the connection's thread: it must neither block nor publish. A broker that does not
        let us hear is warned of, and is used all the same.
        """
        self._received.append((filters, received))

    def open(self) -> None:
        """Begin to connect, if nobody has yet; returns at once."""
        with self._state:
            self._users += 1
            if self._keeper is None:
                self._closing.clear()
                self._keeper = threading.Thread(target=self._keep, name="mqtt", daemon=True)
                self._keeper.start()

    def close(self) -> None:
        """The last one to close it ends the connection, and has said that the watch is offline."""
        with self._state:
            self._users -= 1
            keeper = self._keeper
            if self._users or keeper is None:
                return
            self._keeper = None
        self._closing.set()
        keeper.join()

    def wait(self, limit_s: float = OPENING_S) -> None:
        """Return as soon as the broker is there. Raises ChannelError where it is not, with the reason."""
        with self._state:
            self._state.wait_for(lambda: self._session is not None or self.trouble, limit_s)
            if self._session is None:
                raise ChannelError(self.trouble or f"{self.settings.name} does not answer")

    def publish(self, messages: Mapping[str, bytes], *, retain: bool) -> dict[str, str]:
        """As ``Session.publish``. Raises ChannelError at once while the broker is away."""
        session = self._session
        if session is None:
            raise ChannelError(self.trouble or f"{self.settings.name} is not connected yet")
        return session.publish(messages, retain=retain)

    def check(self) -> str:
        """Try the broker over a connection of its own. Raises ChannelError."""
        return try_out(self.settings, self._visitor_id(), self.topics.check)

    def _keep(self) -> None:
        """Connect again and again until it is closed."""
        wait_s, protocol = FIRST_WAIT_S, V5
        while not self._closing.is_set():
            session = self._made(protocol)
            try:
                self._serve(session)
                wait_s = FIRST_WAIT_S
            except VersionRefused:
                protocol = V311
                continue
            except ChannelError as error:
                self._away(str(error))
            finally:
                session.close()
            protocol = V5
            self._closing.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _serve(self, session: Session) -> None:
        """One session from beginning to end. Raises ChannelError where it does not come about."""
        session.connect()
        heard = self._hear_more(session, 0)
        if self._lasting:
            self._say(session, ONLINE)
        self._arrived(session)
        while not session.over.wait(TICK_S) and not self._closing.is_set():
            heard = self._hear_more(session, heard)
        if self._closing.is_set() and self._lasting:
            self._farewell(session)
        self._left(session)

    def _hear_more(self, session: Session, heard: int) -> int:
        """Subscribe what is not subscribed yet on this connection; how many there are by now."""
        for filters, _ in tuple(self._received[heard:]):
            try:
                session.subscribe(filters)
            except ChannelError as error:
                log.warning("%s", error)
            heard += 1
        return heard

    def _made(self, protocol: MQTTProtocolVersion) -> Session:
        if not self._lasting:
            return Session(self.settings, self._visitor_id(), protocol, received=self._receive)
        will = Will(self.topics.availability, OFFLINE)
        return Session(self.settings, self.settings.client_id, protocol, will=will, received=self._receive)

    def _visitor_id(self) -> str:
        """Two connections with the same id would throw each other out."""
        return f"{self.settings.client_id}-{secrets.token_hex(4)}"

    def _say(self, session: Session, word: bytes) -> None:
        refused = session.publish({self.topics.availability: word}, retain=True)
        for topic, why in refused.items():
            raise ChannelError(f"{self.settings.name} does not let us publish to {topic} ({why})")

    def _farewell(self, session: Session) -> None:
        try:
            self._say(session, OFFLINE)
        except ChannelError as error:
            log.debug("%s", error)

    def _arrived(self, session: Session) -> None:
        if self.trouble:
            log.warning("%s is back", self.settings.name)
        else:
            log.info("%s: connected, MQTT %s", self.settings.name, session.version)
        with self._state:
            self._session, self.trouble = session, ""
            self._count += 1
            self._state.notify_all()

    def _left(self, session: Session) -> None:
        if not self._closing.is_set():
            self._away(f"{self.settings.name}: the connection was lost ({session.why})")
        with self._state:
            self._session = None

    def _away(self, why: str) -> None:
        if not self.trouble:
            log.warning("%s; it is tried again until it is there", why)
        with self._state:
            self._session, self.trouble = None, why
            self._state.notify_all()

    def _receive(self, topic: str, payload: bytes, kept: bool) -> None:
        for filters, received in tuple(self._received):
            if any(topic_matches_sub(one, topic) for one in filters):
                received(topic, payload, kept)
