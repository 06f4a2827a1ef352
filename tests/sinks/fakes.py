"""What the tests of alerts and of channels share."""

from __future__ import annotations

from sinks.alerts import Patience

LIMIT_S = 30.0
QUICK = Patience(tries=3, backoff_s=0.0, limit_s=LIMIT_S)


class Memory:
    """What Redis remembers."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def seen(self, key: str) -> bool:
        return key in self.keys

    def remember(self, key: str) -> None:
        self.keys.append(key)
