"""Tries the alert channels: a real alert through each of them. The work of ``nozzlewatch alert test``."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from features.drawn import drawn_test
from ingest.records import NS_PER_S
from sinks.channels import Channel
from sinks.errors import ChannelError
from sinks.message import About, Message, Phase
from sinks.settings import SinkSettings

NO_CHANNEL = "the farm file names no channel: see [alerts]"


class Tried(NamedTuple):
    """How one channel did."""

    channel: str
    fine: bool
    told: str


def try_channels(settings: SinkSettings) -> list[Tried]:
    """A real alert through each channel, all side by side."""
    channels = settings.channels()
    if not channels:
        return []
    message, picture = test_message(settings.detector.farm.table.name, time.time_ns()), drawn_test()
    with ThreadPoolExecutor(len(channels)) as pool:
        return list(pool.map(lambda channel: _tried(channel, message, picture), channels))


def test_message(farm: str, now_ns: int) -> Message:
    """What a test sends."""
    return Message(
        id=f"t-{now_ns // NS_PER_S}", revision=1, about=About.TEST, phase=Phase.NOTE, made_ns=now_ns,
        title=f"{farm}: a test alert", escalated=True,
        lines=("This channel works. Nothing is wrong with any print.",),
    )  # fmt: skip


def _tried(channel: Channel, message: Message, picture: bytes) -> Tried:
    began_s = time.monotonic()
    try:
        channel.send(message, picture)
    except ChannelError as error:
        return Tried(channel.name, False, str(error))
    finally:
        channel.close()
    return Tried(channel.name, True, f"taken in {(time.monotonic() - began_s) * 1000:.0f} ms")
