"""Alerts: one when an anomaly opens, one all-clear when it closes, each once per channel.

Every channel works through its alerts in a thread of its own and has a limited time for them; a channel that
fails or hangs is counted, told once, and holds up neither the others beyond that time nor the stream at all.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from detector.anomaly import Anomaly, State
from sinks.channels import CHANNELS, AppriseChannel, Channel, ConsoleChannel, redact
from sinks.errors import ChannelError
from sinks.sink import Batch, Entry, Told

__all__ = [
    "CHANNELS",
    "AlertSink",
    "AppriseChannel",
    "Channel",
    "ConsoleChannel",
    "Patience",
    "Sent",
    "redact",
]

KEYS_KEPT = 10_000
"""Alerts remembered in memory, over all channels; older ones are asked of ``Sent``."""
ALERTED = frozenset({State.OPENED, State.CLOSED})


class Sent(Protocol):
    """Remembers over restarts which alerts were sent. Called from the consumer's thread only."""

    def seen(self, key: str) -> bool:
        """Whether the key was remembered before. May raise StoreError."""

    def remember(self, key: str) -> None:
        """Keep the key, durably; it may be forgotten after some days. May raise StoreError."""


class Patience(NamedTuple):
    """How long is waited for a channel."""

    tries: int = 3  # of one alert; a channel that failed last time gets one, until it works again
    backoff_s: float = 0.5  # before the second try, doubled before each further one
    limit_s: float = 20.0  # for everything that one flush has for a channel, tries and backoff included


PATIENCE = Patience()


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class Outcome(NamedTuple):
    """How it went with one alert in one channel; ``error`` None: it was taken."""

    channel: Channel
    anomaly: Anomaly
    error: str | None


class AlertSink:
    """A Sink that alerts. A death between sending and remembering sends that one alert again: better twice
    than never."""

    def __init__(
        self,
        channels: Sequence[Channel],
        already_sent: Sent,
        *,
        patience: Patience = PATIENCE,
        tell: Callable[[str], None] = _to_stderr,
    ) -> None:
        """``tell`` is given a line when a channel begins to fail or works again. Raises ChannelError."""
        names = [channel.name for channel in channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ChannelError(f"found two channels named {', '.join(twice)}, expected one of each")
        self._channels, self._sent = list(channels), already_sent
        self._patience, self._tell = patience, tell
        self._taken: dict[tuple[str, int], Anomaly] = {}
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._workers: dict[str, threading.Thread] = {}
        self._down: set[str] = set()
        self.sent: Counter[str] = Counter()  # by channel name
        self.failed: Counter[str] = Counter()

    def take(self, batch: Batch) -> None:
        """Note what opened and closed; scores and updates are silent."""
        for delivered in batch:
            record = delivered.record
            if isinstance(record, Anomaly) and record.state in ALERTED:
                self._taken.setdefault((record.id, record.revision), record)

    def flush(self) -> None:
        """Send what was taken, or count it as failed.

        Raises only what ``Sent`` raises; what was taken stays so then.
        """
        due = {channel.name: self._due(channel) for channel in self._channels}
        deadline = time.monotonic() + self._patience.limit_s
        awaited: dict[str, Outcome] = {}
        for channel in self._channels:
            for anomaly in due[channel.name]:
                late = Outcome(channel, anomaly, f"no answer within {self._patience.limit_s:g} s")
                awaited[alert_key(channel, anomaly)] = late
            if due[channel.name]:
                self._start(channel, due[channel.name], deadline)
        self._gather(awaited, deadline)
        self._taken.clear()

    def recover(self, pending: Batch) -> set[Entry]:
        """What needs no alert, and what every channel has sent."""
        return {(one.stream, one.entry_id) for one in pending if self._done(one.record)}

    def close(self) -> None:
        """Send what was taken; a channel that hangs is left to end with the process."""
        self.flush()

    def _done(self, record: Told) -> bool:
        if not isinstance(record, Anomaly) or record.state not in ALERTED:
            return True
        return all(self._seen(alert_key(channel, record)) for channel in self._channels)

    def _due(self, channel: Channel) -> list[Anomaly]:
        return [one for one in self._taken.values() if not self._seen(alert_key(channel, one))]

    def _seen(self, key: str) -> bool:
        return key in self._recent or self._sent.seen(key)

    def _start(self, channel: Channel, alerts: list[Anomaly], deadline: float) -> None:
        """Let the channel work in its own thread; one that still hangs in its last one has failed already."""
        last = self._workers.get(channel.name)
        if last is not None and last.is_alive():
            for anomaly in alerts:
                self._outcomes.put(Outcome(channel, anomaly, "it still hangs in an earlier alert"))
            return
        tries = 1 if channel.name in self._down else self._patience.tries
        patience = self._patience._replace(tries=tries)
        work = (channel, alerts, patience, deadline, self._outcomes)
        # A daemon, so that a channel that hangs for good does not keep the process from ending.
        self._workers[channel.name] = threading.Thread(target=_work_through, args=work, daemon=True)
        self._workers[channel.name].start()

    def _gather(self, awaited: dict[str, Outcome], deadline: float) -> None:
        """Note outcomes as they come, until all are in or the time is over: what is missing then failed."""
        while awaited:
            try:
                outcome = self._outcomes.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            # What nobody awaits came late: it was counted as failed, but a success is remembered.
            known = awaited.pop(alert_key(outcome.channel, outcome.anomaly), None)
            if known is not None or outcome.error is None:
                self._note(outcome)
        for outcome in awaited.values():
            self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        name = outcome.channel.name
        if outcome.error is not None:
            self.failed[name] += 1
            if name not in self._down:
                self._down.add(name)
                self._tell(f"alert channel {name} fails: {outcome.error}")
            return
        self.sent[name] += 1
        if name in self._down:
            self._down.remove(name)
            self._tell(f"alert channel {name} works again; {self.failed[name]} alerts did not go out")
        self._remember(alert_key(outcome.channel, outcome.anomaly))

    def _remember(self, key: str) -> None:
        self._recent[key] = None
        if len(self._recent) > KEYS_KEPT:
            self._recent.popitem(last=False)
        self._sent.remember(key)


def alert_key(channel: Channel, anomaly: Anomaly) -> str:
    """What makes an alert the same alert."""
    return f"{channel.name}:{anomaly.id}:{anomaly.revision}"


def _work_through(
    channel: Channel,
    alerts: Sequence[Anomaly],
    patience: Patience,
    deadline: float,
    outcomes: queue.SimpleQueue[Outcome],
) -> None:
    for anomaly in alerts:
        outcomes.put(Outcome(channel, anomaly, _try(channel, anomaly, patience, deadline)))


def _try(channel: Channel, anomaly: Anomaly, patience: Patience, deadline: float) -> str | None:
    """Send one alert, again and again as patience goes; the last error, or None when it was taken."""
    error: str | None = f"no time left of {patience.limit_s:g} s"
    for number in range(patience.tries):
        wait_s = patience.backoff_s * 2 ** (number - 1) if number else 0.0
        if time.monotonic() + wait_s >= deadline:
            break
        time.sleep(wait_s)
        error = _send(channel, anomaly)
        if error is None:
            break
    return error


def _send(channel: Channel, anomaly: Anomaly) -> str | None:
    try:
        channel.send(anomaly)
    except ChannelError as error:
        return str(error)
    except Exception as error:  # a channel's mistake must not end the watch
        return f"{type(error).__name__} inside of it: a mistake in the channel"  # its text may hold a URL
    return None
