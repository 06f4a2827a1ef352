"""What became of one print: what was wrong with it and what was told. Times are seconds since it began."""

from __future__ import annotations

import math

import msgspec

S_PER_H = 3600.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm: when it opened, what it named, and since when, as it said itself.

    ``rests_on`` is the channel that its reason names first, "" where it names none; None where no reason is
    known.
    """

    at_s: float
    kind: str
    onset_s: float
    score: float  # 0..1
    by_rule: bool = False  # physics' rules told it, not the network
    rests_on: str | None = None


class PrintOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One print, the truth of it and the alarms. Raises ValueError for a truth that contradicts itself.

    ``told`` are alarms of failures of the print alone: none that says that the watch is blind, and none that
    names no failure. An alarm counts up to the print's end, once, when it opens:

    - A print that fails is *found* where an alarm opens at its onset or later. Of which kind does not matter
      here: someone is called to the printer, and it is the right moment.
    - An alarm on a print that never fails, or before the onset, is *false*. It is not forgiven where the
      print happens to fail later, and it finds nothing even where it is still open then: no point adjustment.
    - A print is *mistaken* when it is missed or has a false alarm: one mistake at most, however many alarms.

    ``peaks`` are the highest scores of an alarm, whether or not one opened: before the onset (on a print that
    never fails, ever), and from the onset on.
    """

    name: str
    kind: str | None = None  # what fails; None where nothing does
    mechanism: str | None = None  # by what it fails, as finely as it is known
    hours: float  # how long it was watched
    onset_s: float | None = None  # None where nothing fails
    halted_s: float | None = None  # where the firmware stopped it by itself
    ends_s: float
    weight: float = 1.0  # how many prints of its kind it stands for, beside others of that kind
    told: tuple[Told, ...] = ()
    peaks: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if (self.kind is None) != (self.onset_s is None):
            raise ValueError(f"{self.name}: found kind {self.kind} and onset {self.onset_s}, expected both")
        if not 0.0 <= self._fails_s <= self.ends_s:
            raise ValueError(f"{self.name}: found onset {self.onset_s} s, expected 0 to {self.ends_s} s")
        if not self.hours > 0.0 or not self.weight > 0.0:
            found = f"{self.hours} hours, weight {self.weight}"
            raise ValueError(f"{self.name}: found {found}, expected both above 0")

    @property
    def fails(self) -> bool:
        return self.kind is not None

    @property
    def false_alarms(self) -> tuple[Told, ...]:
        """Those that opened while nothing was wrong, in order."""
        return tuple(one for one in self._counted if one.at_s < self._wrong_from_s)

    @property
    def found(self) -> Told | None:
        """The first alarm at or after the onset."""
        return next((one for one in self._counted if self.fails and one.at_s >= self._fails_s), None)

    @property
    def is_missed(self) -> bool:
        return self.fails and self.found is None

    @property
    def is_mistaken(self) -> bool:
        return self.is_missed or bool(self.false_alarms)

    @property
    def delay_s(self) -> float | None:
        """From the onset to the alarm that found it."""
        return None if self.found is None else self.found.at_s - self._fails_s

    @property
    def normal_hours(self) -> float:
        """Hours watched in which nothing was wrong."""
        return self.hours * (self._fails_s / self.ends_s if self.fails else 1.0)

    @property
    def score(self) -> float:
        """What the curves sort prints by: of a failing one only what was said from its onset on counts."""
        return self.peaks[1] if self.fails else self.peaks[0]

    @property
    def _counted(self) -> list[Told]:
        return sorted((one for one in self.told if one.at_s <= self.ends_s), key=lambda one: one.at_s)

    @property
    def _wrong_from_s(self) -> float:
        return min(at_s for at_s in (self.onset_s, self.halted_s, math.inf) if at_s is not None)

    @property
    def _fails_s(self) -> float:
        return self.ends_s if self.onset_s is None else self.onset_s
