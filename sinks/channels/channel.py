"""What an alert channel is.

A channel is made from what the farm file says under ``[alerts]`` without touching the network, is used from
one thread of its own (see ``sinks.outbox``), which sends one message after the other, and is closed by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from sinks.message import Answer, Message


class Channel(Protocol):
    """Something that takes messages to people or programs."""

    @property
    def name(self) -> str:
        """Which channel this is, unique among those in use and the same after a restart; it is logged, so it
        holds no credentials: "ntfy://***", "webhook https://example.org"."""

    @property
    def replaces(self) -> bool:
        """Whether a later revision takes the place of an earlier one: then it gets quiet ones as well."""

    @property
    def pictured(self) -> bool:
        """Whether it sends the picture: drawing one takes a while, so nobody else is given any."""

    @property
    def escalation(self) -> bool:
        """Whether it is told only what nobody answered (``Message.escalated``)."""

    def send(self, message: Message, picture: bytes | None) -> None:
        """Send one message; it was taken when this returns. ``picture`` is a JPEG with the boxes drawn.

        May block, but for no longer than some seconds. Called again for the same message after it failed;
        where a receiver can recognise a repetition, it is given what it needs for that.
        Raises MessageRefused for what will never be taken, ChannelError for what may be taken later.
        """

    def check(self) -> str:
        """Whether the other side is there and lets us in, without sending anything; what it said, in words.

        Raises ChannelError.
        """

    def close(self) -> None:
        """Let go of connections. Never raises."""


@runtime_checkable
class Answering(Protocol):
    """A channel over which people can answer."""

    def listen(self, take: Callable[[Answer], None]) -> None:
        """Give every answer that comes to ``take``, from whatever thread, until ``close``. Called once,
        before the first ``send``. ``take`` may raise StoreUnreachable: then the answer is to be offered
        again later, or told to be lost."""


Read: TypeAlias = Callable[[object, str, list[str]], list[Channel]]
"""``read(found, where, mistakes)``: the channels that ``found``, the value of a key of ``[alerts]``, asks
for.
Every mistake goes to ``mistakes``, each beginning with ``where`` and telling no credentials."""
