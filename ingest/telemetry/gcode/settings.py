"""What commands set besides motion: targets, fan, factors, progress, pauses, printing from the card."""

from __future__ import annotations

from collections.abc import Callable

from ingest.telemetry.gcode.words import Command

FULL_FAN = 255.0
"""``M106 S`` at full duty."""


class Settings:
    """The settings after the commands taken so far.

    - ``hotend_target_c`` (of the first tool), ``bed_target_c``, ``chamber_target_c``; ``fan`` 0..1 (fan 0).
    - ``feed_factor`` (M220) and ``flow_factor`` (M221), 1 = 100 %; ``tool`` (T).
    - ``progress`` 0..1 (M73), None until told; ``message`` on the printer's screen (M117).
    - ``is_paused`` after M0, M1, M25, M226, M601; ``is_changing_filament`` after M600. Both end with M24,
      M108 or M602, and when the head prints on: firmware takes no move while it waits for its user.
    - ``sd_file`` (M23, M32), ``is_sd_printing`` (M24, M32, until M524): such a print's own commands are not
      on the wire, and neither is its end.
    """

    def __init__(self) -> None:
        self.hotend_target_c = self.bed_target_c = self.chamber_target_c = 0.0
        self.fan = 0.0
        self.feed_factor = self.flow_factor = 1.0
        self.tool = 0
        self.progress: float | None = None
        self.message = ""
        self.is_paused = self.is_changing_filament = self.is_sd_printing = False
        self.sd_file = ""

    def set(self, command: Command) -> None:
        """Take a command; one that sets nothing here changes nothing."""
        if handler := _HANDLERS.get(command.code):
            handler(self, command)
        elif command.code.startswith("T"):
            self.tool = int(command.code[1:])

    def go_on(self) -> None:
        """Nobody waits for anything any more."""
        self.is_paused = self.is_changing_filament = False

    def _hotend(self, command: Command) -> None:
        if not command.words.get("T"):
            self.hotend_target_c = _target_c(command, self.hotend_target_c)

    def _bed(self, command: Command) -> None:
        self.bed_target_c = _target_c(command, self.bed_target_c)

    def _chamber(self, command: Command) -> None:
        self.chamber_target_c = _target_c(command, self.chamber_target_c)

    def _fan_on(self, command: Command) -> None:
        duty = command.words.get("S")
        self._blow(command, 1.0 if duty is None else duty / FULL_FAN)

    def _fan_off(self, command: Command) -> None:
        self._blow(command, 0.0)

    def _blow(self, command: Command, duty: float) -> None:
        if not command.words.get("P"):
            self.fan = min(max(duty, 0.0), 1.0)

    def _feed(self, command: Command) -> None:
        self.feed_factor = _factor(command, self.feed_factor)

    def _flow(self, command: Command) -> None:
        if not command.words.get("T"):
            self.flow_factor = _factor(command, self.flow_factor)

    def _progress(self, command: Command) -> None:
        percent = command.words.get("P")
        if percent is not None:
            self.progress = min(max(percent / 100, 0.0), 1.0)

    def _message(self, command: Command) -> None:
        self.message = command.text

    def _pause(self, _command: Command) -> None:
        self.is_paused = True

    def _resume(self, _command: Command) -> None:
        self.go_on()

    def _change_filament(self, _command: Command) -> None:
        self.is_changing_filament = True

    def _choose_file(self, command: Command) -> None:
        self.sd_file = command.text.strip("!# ")  # M32 puts the name between these

    def _print_file(self, _command: Command) -> None:
        self.go_on()
        self.is_sd_printing = bool(self.sd_file)

    def _choose_and_print(self, command: Command) -> None:
        self._choose_file(command)
        self._print_file(command)

    def _abort_file(self, _command: Command) -> None:
        self.is_sd_printing = False


def _target_c(command: Command, now_c: float) -> float:
    """``S`` (wait while heating) or ``R`` (wait while cooling too)."""
    value = command.words.get("S")
    value = command.words.get("R") if value is None else value
    return now_c if value is None else max(value, 0.0)


def _factor(command: Command, now: float) -> float:
    percent = command.words.get("S")
    return now if percent is None else max(percent, 0.0) / 100


_HANDLERS: dict[str, Callable[[Settings, Command], None]] = {
    "M0": Settings._pause,
    "M1": Settings._pause,
    "M23": Settings._choose_file,
    "M24": Settings._print_file,
    "M25": Settings._pause,
    "M32": Settings._choose_and_print,
    "M73": Settings._progress,
    "M104": Settings._hotend,
    "M106": Settings._fan_on,
    "M107": Settings._fan_off,
    "M108": Settings._resume,
    "M109": Settings._hotend,
    "M117": Settings._message,
    "M140": Settings._bed,
    "M141": Settings._chamber,
    "M190": Settings._bed,
    "M191": Settings._chamber,
    "M220": Settings._feed,
    "M221": Settings._flow,
    "M226": Settings._pause,
    "M524": Settings._abort_file,
    "M600": Settings._change_filament,
    "M601": Settings._pause,
    "M602": Settings._resume,
}
