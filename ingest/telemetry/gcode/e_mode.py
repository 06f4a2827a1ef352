"""Whether a print counts E from move to move (M83) or from a zero (M82), told by its moves. Pure.

Slicers say it once, at the start: who joins a print later has to see it from the words.
"""

from __future__ import annotations

MOST_MM_PER_MM = 0.5
"""Filament per path, both in mm, that no move lays: of 1.75 mm filament, a line of 1.2 mm by 1 mm."""
RISES = 10
"""Words in a row, each above the one before: lengths of single moves would fall now and then."""
FALLS = 3
"""Words below the one before: lengths of single moves do that all the time, a sum does so in wipes alone."""


class EMode:
    """Judges the moves that lay filament. ``code`` is M82 or M83, "" until that is known."""

    def __init__(self) -> None:
        self.code = ""
        self._last_mm: float | None = None
        self._rises = self._falls = 0

    def take(self, e_mm: float, path_mm: float) -> None:
        """The E word of a move and the path that it took; moves of the extruder alone say nothing."""
        if not path_mm or e_mm <= 0:
            return
        last_mm, self._last_mm = self._last_mm, e_mm
        if e_mm > MOST_MM_PER_MM * path_mm:
            self.code = "M82"
        elif last_mm is not None and e_mm < last_mm:
            self._fell()
        elif last_mm is not None and e_mm > last_mm:
            self._rose()

    def _fell(self) -> None:
        self._rises, self._falls = 0, self._falls + 1
        if self._falls >= FALLS:
            self.code = "M83"

    def _rose(self) -> None:
        self._rises += 1
        if self._rises >= RISES:
            self.code = "M82"
