"""JSON that a person reads too: of the command line's ``--json``, of exports."""

from __future__ import annotations

import msgspec


def as_json(value: object) -> bytes:
    """Indented JSON, ending with a line end."""
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"
