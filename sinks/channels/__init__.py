"""Where messages go. A new channel is one file and one line in ``CHANNELS``."""

from __future__ import annotations

from sinks.channels import apprise_urls, console, mail, mqtt, webhook
from sinks.channels.channel import Answering, Channel, Read

CHANNELS: dict[str, Read] = {
    "console": console.read,
    "apprise": apprise_urls.read,
    "escalation": apprise_urls.read_escalation,
    "webhooks": webhook.read,
    "mail": mail.read,
    "mqtt": mqtt.read,
}
"""By the key of ``[alerts]``: what makes the channels that stand under it."""

__all__ = ["CHANNELS", "Answering", "Channel", "Read"]
