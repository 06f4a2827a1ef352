"""The sinks' branch of the error tree.

NozzlewatchError
└── SinkError              what was told cannot be kept, read back or passed on
    └── ChannelError       an alert channel that cannot be used, or did not take a message
        └── MessageRefused it will never take this one: sending it again is in vain
"""

from __future__ import annotations

from ingest.errors import NozzlewatchError


class SinkError(NozzlewatchError):
    """A sink cannot keep, read back or pass on what it was given; what it had taken stays buffered."""


class ChannelError(SinkError):
    """An alert channel is misconfigured or did not take a message. Never holds credentials."""


class MessageRefused(ChannelError):
    """The other side will never take this message, however often it is offered: too large, malformed."""
