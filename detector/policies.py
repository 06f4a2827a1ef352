"""How much evidence opens an anomaly of a kind, and what closes it: one row per kind."""

from __future__ import annotations

from msgspec import Struct

from detector.anomaly import BLIND, Kind

NEVER = 2.0
"""A probability that none reaches: this kind is never certain in one window."""


class KindPolicy(Struct, frozen=True, kw_only=True):
    """When an anomaly of a kind is opened and closed. Raises ValueError for limits that contradict."""

    open_at: float = 0.6  # probability that counts as evidence
    certain_at: float = 0.97  # one window at or above this opens at once
    close_below: float = 0.35  # below this a window does not keep the anomaly open
    min_windows: int = 5  # so many windows of evidence open ...
    within_s: float = 20.0  # ... within this time
    close_after_s: float = 30.0  # closed after so long without a window that keeps it open
    cooldown_s: float = (
        120.0  # then not opened anew for so long, unless certain: a flicker is no second alert
    )

    def __post_init__(self) -> None:
        if not 0.0 < self.close_below <= self.open_at <= self.certain_at:
            found = f"{self.close_below}, {self.open_at}, {self.certain_at}"
            raise ValueError(
                f"found close_below, open_at, certain_at = {found}: expected them positive and ascending"
            )
        if self.min_windows < 1 or min(self.within_s, self.close_after_s, self.cooldown_s) < 0.0:
            raise ValueError(f"found {self}: expected min_windows >= 1 and no negative time")


SEEN = KindPolicy()
"""What the network sees: it may err in single windows, so it has to insist."""

PHYSICAL = KindPolicy(certain_at=0.95, close_below=0.4, min_windows=2, within_s=10.0, cooldown_s=60.0)
"""What rules say of heaters, sensors and lines: they look back on seconds of readings themselves."""

SLOW = KindPolicy(open_at=0.7, certain_at=NEVER, min_windows=10, within_s=30.0, close_after_s=60.0)
"""What is unlike this print's past but bears no name: only if it stays."""

BLINDED = KindPolicy(
    certain_at=0.99, close_below=0.5, min_windows=3, within_s=10.0, close_after_s=5.0, cooldown_s=30.0
)
"""The watch itself: sources have their own limits of silence, so this follows them quickly."""

POLICIES: dict[Kind, KindPolicy] = {
    **dict.fromkeys(Kind, SEEN),
    **dict.fromkeys((Kind.HEATER_FAULT, Kind.SENSOR_FAULT, Kind.STALL, Kind.NO_EXTRUSION), PHYSICAL),
    Kind.UNUSUAL: SLOW,
    **dict.fromkeys(BLIND, BLINDED),
}
"""The policy of each kind; the farm file may replace rows for a printer."""
