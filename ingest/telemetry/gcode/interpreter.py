"""What a printer is told: a streaming G-code interpreter. Pure: lines in, state out; no I/O, no clock.

The state is what the commands ask for, not what the printer has reached: firmware queues moves ahead and
waits for temperatures. Sources: Marlin's G-code pages and source, PrusaSlicer's GCodeProcessor.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest.telemetry.gcode.arcs import arc_around, centre
from ingest.telemetry.gcode.motion import Motion
from ingest.telemetry.gcode.words import Command, read_command, read_comment, usual_move

MM_PER_INCH = 25.4
RETRACT_MM, RETRACT_MM_S, RECOVER_MM_S = 3.0, 45.0, 8.0
"""Marlin's RETRACT_LENGTH, RETRACT_FEEDRATE, RETRACT_RECOVER_FEEDRATE; M207 and M208 change them."""


class GCode(Motion):
    """The state after the lines taken so far: see Motion, Settings and Layers for what it holds.

    Never raises, whatever the text; every number stays finite. What is not understood changes nothing.

    Homing is taken to end at 0. Firmware retraction (G10, G11) moves filament, not ``e``. E is relative after
    G91 or M83, absolute where both G90 and M82 hold: that is how PrusaSlicer reads files. It agrees with
    Cura's ends (G91, then ``G1 E-2`` under M82) and with macros that go to G91 and back under M83.
    Volumetric E (M200), offsets (M206, M851) and planes other than x and y (G18, G19) are not understood.
    """

    def __init__(self) -> None:
        super().__init__()
        self._mm_per_unit = 1.0  # G20, G21
        self._is_relative = self._is_e_relative = False  # G91; M83
        self._is_retracted = False  # G10
        self._retract_mm, self._retract_mm_s = RETRACT_MM, RETRACT_MM_S
        self._recover_extra_mm, self._recover_mm_s = 0.0, RECOVER_MM_S

    def take(self, line: str) -> None:
        """Take one line of a file, or as a host sends it; its end may be left on."""
        move = usual_move(line)
        if move is None or self._is_relative or self._mm_per_unit != 1.0:
            self._take_any(line)
            return
        f, x, y, z, e, last_f = move.groups()
        if f or last_f:
            self.set_feed(float(last_f or f) / 60)
        self.go(
            float(x) if x else self.x,
            float(y) if y else self.y,
            float(z) if z else self.z,
            self._push_mm(float(e)) if e else 0.0,
        )

    def _take_any(self, line: str) -> None:
        command = read_command(line)
        if command is None:
            self.layers.comment(read_comment(line))
        elif handler := _HANDLERS.get(command.code):
            handler(self, command)
        elif not self.pace.take(command.code, command.words):
            self.set(command)

    def _push_mm(self, e_mm: float) -> float:
        """mm of filament that the E word of a move asks for; counts them in ``e``."""
        push_mm = e_mm if self._is_e_relative or self._is_relative else e_mm - self.e
        self.e += push_mm
        return push_mm

    # Words in mm

    def _mm(self, command: Command, word: str, default_mm: float = 0.0) -> float:
        value = command.words.get(word)
        return default_mm if value is None else value * self._mm_per_unit

    def _target(self, command: Command) -> tuple[float, float, float]:
        """Where a move goes."""
        if not self._is_relative:
            return (
                self._mm(command, "X", self.x),
                self._mm(command, "Y", self.y),
                self._mm(command, "Z", self.z),
            )
        return (
            self.x + self._mm(command, "X"),
            self.y + self._mm(command, "Y"),
            self.z + self._mm(command, "Z"),
        )

    def _pushed_mm(self, command: Command) -> float:
        return 0.0 if command.words.get("E") is None else self._push_mm(self._mm(command, "E"))

    # Moves

    def _line(self, command: Command) -> None:
        self.set_feed(self._mm(command, "F") / 60)
        self.go(*self._target(command), self._pushed_mm(command))

    def _arc(self, command: Command) -> None:
        """G2 clockwise, G3 counter-clockwise. As in Marlin one that makes no sense moves nothing."""
        self.set_feed(self._mm(command, "F") / 60)
        x, y, z = self._target(command)
        dx, dy, clockwise = x - self.x, y - self.y, command.code == "G2"
        radius = self._mm(command, "R")
        if radius:
            middle = centre(dx, dy, radius, clockwise=clockwise)
        else:
            middle = self._mm(command, "I"), self._mm(command, "J")
        arc = middle and arc_around(dx, dy, *middle, clockwise=clockwise)
        if arc:
            self.go_round(arc, x, y, z, self._pushed_mm(command))

    def _dwell(self, command: Command) -> None:
        """G4: S seconds or P milliseconds."""
        seconds = command.words.get("S") or (command.words.get("P") or 0.0) / 1000
        self.dwell(max(seconds, 0.0))

    def _home(self, command: Command) -> None:
        """G28; all axes where none is named."""
        named = command.words.keys() & {"X", "Y", "Z"} or {"X", "Y", "Z"}
        self.pace.stand()
        self.x, self.y, self.z = (
            0.0 if axis in named else now for axis, now in (("X", self.x), ("Y", self.y), ("Z", self.z))
        )

    def _call_it(self, command: Command) -> None:
        """G92: this is where we are."""
        self.x, self.y = self._mm(command, "X", self.x), self._mm(command, "Y", self.y)
        self.z, self.e = self._mm(command, "Z", self.z), self._mm(command, "E", self.e)

    # Firmware retraction

    def _retract(self, command: Command) -> None:
        """G10; with P or L it sets up a tool instead."""
        if not self._is_retracted and not command.words.keys() & {"P", "L"}:
            self._is_retracted = True
            self.extrude(-self._retract_mm, self._retract_mm_s)

    def _recover(self, _command: Command) -> None:
        """G11."""
        if self._is_retracted:
            self._is_retracted = False
            self.extrude(self._retract_mm + self._recover_extra_mm, self._recover_mm_s)

    def _set_retract(self, command: Command) -> None:
        """M207: S mm at F mm/min."""
        self._retract_mm = max(self._mm(command, "S", self._retract_mm), 0.0)
        self._retract_mm_s = self._mm(command, "F", self._retract_mm_s * 60) / 60

    def _set_recover(self, command: Command) -> None:
        """M208: S mm more than were retracted, at F mm/min."""
        self._recover_extra_mm = self._mm(command, "S", self._recover_extra_mm)
        self._recover_mm_s = self._mm(command, "F", self._recover_mm_s * 60) / 60

    # Ways to count

    def _inches(self, _command: Command) -> None:
        self._mm_per_unit = MM_PER_INCH

    def _millimetres(self, _command: Command) -> None:
        self._mm_per_unit = 1.0

    def _absolute(self, _command: Command) -> None:
        self._is_relative = False

    def _relative(self, _command: Command) -> None:
        self._is_relative = True

    def _absolute_e(self, _command: Command) -> None:
        self._is_e_relative = False

    def _relative_e(self, _command: Command) -> None:
        self._is_e_relative = True


_HANDLERS: dict[str, Callable[[GCode, Command], None]] = {
    "G0": GCode._line,
    "G1": GCode._line,
    "G2": GCode._arc,
    "G3": GCode._arc,
    "G4": GCode._dwell,
    "G10": GCode._retract,
    "G11": GCode._recover,
    "G20": GCode._inches,
    "G21": GCode._millimetres,
    "G28": GCode._home,
    "G90": GCode._absolute,
    "G91": GCode._relative,
    "G92": GCode._call_it,
    "M82": GCode._absolute_e,
    "M83": GCode._relative_e,
    "M207": GCode._set_retract,
    "M208": GCode._set_recover,
}
