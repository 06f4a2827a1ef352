"""Messages as the policy makes them, for the tests of what carries them."""

from __future__ import annotations

from typing import Any

from sinks.message import About, Message, Phase
from tests.sinks.conftest import NOON_NS, make_anomaly

HOSTILE = "<b>x</b> *y* [z](http://evil) @everyone 🙂"
"""A printer's name that a careless channel would take for markup."""


def make_message(**fields: Any) -> Message:
    """A message that one printer's print fails."""
    anomalies = fields.get("anomalies", (make_anomaly(),))
    told: dict[str, Any] = {
        "id": "m1",
        "revision": 1,
        "about": About.FAILURE,
        "phase": Phase.OPENED,
        "made_ns": NOON_NS,
        "title": "voron-2: layer shift (92 %)",
        "lines": ("Job: benchy.gcode", "Why: the layers no longer lie above each other"),
        "printers": ("voron-2",),
        "kinds": tuple(dict.fromkeys(anomaly.kind for anomaly in anomalies)),
        "anomalies": anomalies,
    }
    return Message(**told | fields)
