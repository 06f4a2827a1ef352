"""Where messages go. A new channel is one file and one line in ``CHANNELS``."""

from __future__ import annotations

from sinks.channels import apprise_urls, console
from sinks.channels.channel import Answering, Channel, Read

CHANNELS: dict[str, Read] = {
    "console": console.read,
    "apprise": apprise_urls.read,
    "escalation": apprise_urls.read_escalation,
}
"""By the key of ``[alerts]``: what makes the channels that stand under it."""

__all__ = ["CHANNELS", "Answering", "Channel", "Read"]
