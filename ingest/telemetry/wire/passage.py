"""The way of the bytes between a port and the host at a pty: at once, unchanged, with copies for the ear."""

from __future__ import annotations

import asyncio
import contextlib
import termios
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

import serial

from ingest.clock import AnchoredClock
from ingest.telemetry.wire.descriptors import Inlet, Outlet
from ingest.telemetry.wire.host_pty import HostPty
from ingest.telemetry.wire.port import HIGHEST_BAUD, LOWEST_BAUD
from ingest.telemetry.wire.reply_stream import ReplyStream

LOOK_FOR_HOST_S, LOOK_AFTER_HOST_S = 0.1, 1.0
"""How often it is looked whether a host has come, and whether it is still there and at which speed."""
WAITS_FOR_ANSWER_S = 1.0
"""How long a host that has come waits for the answer to a question of ours, which is not for it."""
MOST_UNHEARD_BYTES = 1024 * 1024
"""Copies that are kept until somebody listens, each with its record: a minute at 115200 baud, both ways."""
TOGETHER_S = 0.02
"""What goes by within this time is understood together: a line and its "ok", or some of a fast print."""
AT_ONCE = 8
"""Copies that are understood without a break: some 0.2 ms in a print, 20 ms in a flood."""
RECORD_BYTES = 200
"""What a copy takes in memory beside its bytes."""


class What(Enum):
    """What went by."""

    REPLY = auto()  # from the printer
    SENT = auto()  # to the printer
    CAME = auto()  # a host opened the link
    LEFT = auto()
    DONE = auto()  # a host has carried out an order
    GAP = auto()  # bytes that were not kept
    LOST = auto()  # the port vanished


class Heard(NamedTuple):
    """Something that went by at a time."""

    at_ns: int
    what: What
    data: bytes


class Ear:
    """Keeps copies of what went by, in bounded memory. ``counts``: ``unheard`` bytes, which found no room."""

    def __init__(self, clock: AnchoredClock, counts: Counter[str]) -> None:
        self._clock, self._counts = clock, counts
        self._kept: deque[Heard] = deque()
        self._kept_bytes = 0
        self._ready = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        return not self._kept

    def note(self, what: What, data: bytes = b"") -> None:
        """Something goes by now."""
        size = len(data) + RECORD_BYTES
        if data and self._kept_bytes + size > MOST_UNHEARD_BYTES:
            self._counts["unheard"] += len(data)
            if self._kept[-1].what is not What.GAP:
                self.note(What.GAP)
            return
        if not data:
            self._ready.set()
        elif not self._kept:
            asyncio.get_running_loop().call_later(TOGETHER_S, self._ready.set)
        self._kept.append(Heard(self._clock.now_ns(), what, data))
        self._kept_bytes += size

    async def next(self, limit_s: float) -> list[Heard]:
        """What went by next, no more than can be understood at once; nothing where the limit passes first."""
        if not self._ready.is_set():
            try:
                async with asyncio.timeout(limit_s):
                    await self._ready.wait()
            except TimeoutError:
                return []
        heard = [self._kept.popleft() for _ in range(min(AT_ONCE, len(self._kept)))]
        self._kept_bytes -= sum(len(one.data) + RECORD_BYTES for one in heard)
        if not self._kept:
            self._ready.clear()
        return heard


class Passage:
    """Passes on what port and host say to each other. A side that does not take it stops the other one.

    With no host at the link what the printer says is heard only. ``follows``: the port takes on each speed
    that a host sets at the link. ``is_answered`` says whether no answer to a question of ours is to come.
    """

    def __init__(
        self, port: serial.Serial, pty: HostPty, ear: Ear, is_answered: Callable[[], bool], *, follows: bool
    ) -> None:
        self.has_host = False  # its bytes go through
        self.is_between_lines = True  # what hosts have said so far ends with a whole line
        self._port, self._pty, self._ear = port, pty, ear
        self._is_answered, self._follows = is_answered, follows
        self._baud = pty.baud()
        self._replies = ReplyStream()
        self._from_port = Inlet(port.fileno(), self._printer_says, lambda: ear.note(What.LOST))
        self._from_host = Inlet(pty.descriptor, self._host_says, self._look)
        self._to_port = Outlet(port.fileno(), self._take_from_host)
        self._to_host = Outlet(pty.descriptor, self._from_port.start)
        self._waits_since_s: float | None = None  # for a host that is not let through yet
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_swallowing(self) -> bool:
        """Whether an "ok" that is not for the host is still to come."""
        return self._replies.swallowing

    @property
    def is_taken(self) -> bool:
        """Whether a host is there, let through or not."""
        return self.has_host or self._waits_since_s is not None

    def open(self) -> None:
        """Begin. Lives in the running event loop."""
        self._from_port.start()
        self._look()

    def close(self) -> None:
        """Let go of both sides; they are the caller's to close."""
        if self._timer is not None:
            self._timer.cancel()
        for inlet in (self._from_port, self._from_host):
            inlet.stop()
        for outlet in (self._to_port, self._to_host):
            outlet.clear()

    def say(self, line: bytes) -> None:
        """Say a line of our own to the printer; a host does not get the answer's "ok"."""
        if self.has_host:
            self._replies.swallow()
        self._to_port.write(line)
        self._ear.note(What.SENT, line)

    def tell_host(self, line: bytes) -> None:
        """Say a line to the host, between two of the printer's."""
        self._to_host.write(self._replies.insert(line))

    def restarted(self) -> None:
        """The printer has restarted: it answers nothing any more of what was said before."""
        self._give_host(self._replies.restarted())

    # The way of the bytes

    def _printer_says(self, data: bytes) -> None:
        self._give_host(self._replies.pass_on(data))
        self._ear.note(What.REPLY, data)

    def _give_host(self, data: bytes) -> None:
        if data and self.has_host:
            self._to_host.write(data)
            if self._to_host.full:
                self._from_port.stop()

    def _host_says(self, data: bytes) -> None:
        if self._follows:
            self._follow()
        self._to_port.write(data)
        self.is_between_lines = data.endswith(b"\n")
        self._ear.note(What.SENT, data)
        if self._to_port.full:
            self._from_host.stop()

    def _take_from_host(self) -> None:
        if self.has_host:
            self._from_host.start()

    def _follow(self) -> None:
        baud = self._pty.baud()
        if baud != self._baud and LOWEST_BAUD <= baud <= HIGHEST_BAUD:
            self._baud = baud
            with contextlib.suppress(
                OSError, termios.error, ValueError
            ):  # not this port's: it stays as it is
                self._port.baudrate = baud

    # Who is there

    def _look(self) -> None:
        """See whether a host has come or left; look again later."""
        if self._timer is not None:
            self._timer.cancel()
        taken, loop = self._pty.taken, asyncio.get_running_loop()
        if self.has_host and not taken:
            self._leave()
        elif self.has_host:
            self._from_host.start()
        elif taken:
            self._welcome(loop.time())
        else:
            self._waits_since_s = None
        wait_s = LOOK_AFTER_HOST_S if self.has_host else LOOK_FOR_HOST_S
        self._timer = loop.call_later(wait_s, self._look)

    def _welcome(self, now_s: float) -> None:
        if self._waits_since_s is None:
            self._waits_since_s = now_s
        if self._is_answered() or now_s - self._waits_since_s >= WAITS_FOR_ANSWER_S:
            self._waits_since_s = None
            self.has_host = True
            self._ear.note(What.CAME)
            self._from_host.start()

    def _leave(self) -> None:
        self.has_host = False
        self._from_host.stop()
        self._to_host.clear()
        self._pty.tidy()
        self._from_port.start()
        self._ear.note(What.LEFT)
