"""Klipper's own state and its print's, as events. Pure.

States: "Query Server Info", "Printer Administration" and "Basic Print Status" of Moonraker's documentation;
``cancelled`` besides them is Klipper's own (``print_stats``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingest.records import Action, EventKind
from ingest.telemetry.moonraker.objects import FILAMENT_SENSORS, Status
from ingest.telemetry.values import number, words

Told = tuple[EventKind, str]

READY = "ready"
KLIPPY_STATES = frozenset({"disconnected", "startup", READY, "error", "shutdown"})
PRINTING, PAUSED, STANDBY = "printing", "paused", "standby"
RUNNING = frozenset({PRINTING, PAUSED})
PRINT_STATES = RUNNING | {STANDBY, "complete", "cancelled", "error"}

TURNED_BACK_S = 1.0
"""A print whose duration falls by more is another one, even of the same file."""


class PrintState:
    """What Klipper is at, followed over losses of the connection. ``klippy`` is "" until it is known.

    ``unknown`` counts states that no documentation names; they change nothing.
    """

    def __init__(self) -> None:
        self.klippy = ""
        self.reason = ""  # why Klipper is in its state, in its own words
        self.unknown = 0
        self._state = STANDBY
        self._stats: dict[str, object] = {}
        self._file, self._duration_s = "", 0.0
        self._resting = False  # Klipper's PAUSE was carried out and no RESUME since
        self._filament: dict[str, dict[str, object]] = {}

    def klippy_is(self, state: object, message: object) -> Iterator[Told]:
        """Klipper's state as Moonraker or Klipper itself tells it; what is told twice is no event."""
        if not isinstance(state, str) or state not in KLIPPY_STATES:
            self.unknown += 1
            return
        before, self.klippy = self.klippy, state
        self.reason = words(message) or (self.reason if state == before else f"Klipper is {state}")
        if state == before:
            return
        if state == READY and before:
            yield EventKind.START, self.reason
        elif state == "error":
            yield EventKind.ERROR, self.reason
        elif state == "disconnected" and before:
            yield EventKind.DISCONNECTED, self.reason
        elif state == "shutdown":
            yield EventKind.HALTED, self.reason
            yield from self._end("shutdown")

    def take(self, status: Status) -> Iterator[Told]:
        """What an update of the printer's objects tells besides measurements."""
        hooks = status.get("webhooks", {})
        if hooks:
            yield from self.klippy_is(hooks.get("state", self.klippy), hooks.get("state_message"))
        for name, fields in status.items():
            if name.startswith(FILAMENT_SENSORS):
                yield from self._filament_is(name, fields)
        self._resting = status.get("pause_resume", {}).get("is_paused", self._resting) is True
        if self.klippy == READY and "print_stats" in status:
            yield from self._print_is(status["print_stats"])

    def refusal(self, action: Action) -> str | None:
        """Why an action makes no sense now; None where it does."""
        if self.klippy != READY:
            return (
                f"found Klipper in its state {self.klippy or 'unknown'!r} ({self.reason}), expected {READY!r}"
            )
        sensible = {Action.PAUSE: {PRINTING}, Action.RESUME: {PAUSED}, Action.CANCEL: RUNNING}[action]
        if self._now() in sensible:
            return None
        return f"found the printer {self._now()}, expected it to be {' or '.join(sorted(sensible))}"

    def confirmation(self, action: Action) -> str | None:
        """Klipper's own words that an action has been carried out; None as long as it has not."""
        wanted = {
            Action.PAUSE: {PAUSED},
            Action.RESUME: {PRINTING},
            Action.CANCEL: PRINT_STATES - RUNNING,
        }[action]
        return f"print_stats: {self._now()} {self._file}".rstrip() if self._now() in wanted else None

    def _now(self) -> str:
        return PAUSED if self._resting and self._state == PRINTING else self._state

    def _filament_is(self, name: str, fields: Mapping[str, object]) -> Iterator[Told]:
        """A sensor that loses its filament in a print; taking it out of a paused printer is no run-out."""
        known = self._filament.setdefault(name, {})
        before = known.get("filament_detected")
        known.update(fields)
        gone = (
            before is True and known.get("filament_detected") is False and known.get("enabled") is not False
        )
        if gone and self._state == PRINTING:
            yield EventKind.RUNOUT, f"{name}: no filament detected"

    def _print_is(self, fields: Mapping[str, object]) -> Iterator[Told]:
        self._stats.update(fields)
        state = self._stats.get("state")
        if not isinstance(state, str) or state not in PRINT_STATES:
            self.unknown += "state" in fields
            return
        another = self._is_another()
        if state not in RUNNING or another:
            yield from self._end(state if state not in RUNNING else "replaced by another")
        if state in RUNNING and self._state not in RUNNING:
            yield EventKind.JOB_STARTED, self._file
            self._state = PRINTING
        if state == PAUSED and self._state != PAUSED:
            yield EventKind.PAUSED, "print_stats: paused"
        elif state == PRINTING and self._state == PAUSED:
            yield EventKind.RESUMED, "print_stats: printing"
        self._state = state

    def _is_another(self) -> bool:
        """Whether the stats are those of another print than before; they are the known ones from now on."""
        name = self._stats.get("filename")
        file = name if isinstance(name, str) else ""
        duration_s = number(self._stats.get("total_duration")) or 0.0
        another = file != self._file or duration_s < self._duration_s - TURNED_BACK_S
        self._file, self._duration_s = file, duration_s
        return another

    def _end(self, how: str) -> Iterator[Told]:
        if self._state in RUNNING:
            reason = words(self._stats.get("message")) if how == "error" else ""
            if how == "cancelled":
                yield EventKind.CANCELLED, "print_stats: cancelled"
            yield EventKind.JOB_ENDED, f"{how}: {reason}" if reason else how
        self._state = STANDBY
