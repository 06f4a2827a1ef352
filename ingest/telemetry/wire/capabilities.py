"""What a firmware says of itself when it is asked (M115). No I/O."""

from __future__ import annotations

import re

_FIELD = re.compile(r"([A-Z][A-Z_]+):(.*?)(?=\s+[A-Z][A-Z_]+:|$)", re.ASCII)
"""``FIRMWARE_NAME:Marlin 2.1.2 (Dec 17 2022) SOURCE_CODE_URL:github.com/… MACHINE_TYPE:Ender-3 …``"""
_CAPABILITY = re.compile(r"Cap:([A-Z0-9_]{1,40}):([01])$", re.ASCII)
_MOST = 200
"""Capabilities that are kept; Marlin knows some 40."""

TEMPERATURES = "AUTOREPORT_TEMP"  # M155
POSITIONS = "AUTOREPORT_POS"  # M154


class Capabilities:
    """Collects the answer to M115 and writes it into ``facts``: firmware, machine, capabilities."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.known = False  # an answer has come
        self._facts = facts
        self._on: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the firmware says that it can do this."""
        return name in self._on

    def take(self, text: str) -> str | None:
        """Take a line of the answer; what the firmware calls itself, when it says so for the first time."""
        text = text.strip()
        capability = _CAPABILITY.match(text)
        if capability is not None:
            self._note(capability[1], on=capability[2] == "1")
            return None
        fields = {name: value.strip() for name, value in _FIELD.findall(text)}
        return self._introduce(fields) if fields.get("FIRMWARE_NAME") else None

    def _note(self, name: str, *, on: bool) -> None:
        if on and len(self._on) < _MOST:
            self._on.add(name)
        self._facts["capabilities"] = ", ".join(sorted(self._on))

    def _introduce(self, fields: dict[str, str]) -> str | None:
        self.known = True
        told = {"firmware": fields["FIRMWARE_NAME"], "machine": fields.get("MACHINE_TYPE", "")}
        told = {name: value for name, value in told.items() if value}
        new = any(self._facts.get(name) != value for name, value in told.items())
        self._facts.update(told)
        return ", ".join(told.values()) if new else None
