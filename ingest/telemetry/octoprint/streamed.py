"""What the commands that OctoPrint sends tell, in the batches in which its terminal shows them. Pure.

OctoPrint's server leaves no line out (what suppresses lines is the page in a browser), and yet the beginning
is missing to who joins a print, and lines may be missing to who hears of them over a network.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingest.records import NS_PER_S
from ingest.telemetry.gcode.e_mode import EMode
from ingest.telemetry.gcode.layers import Layers
from ingest.telemetry.gcode.track import Track
from ingest.telemetry.gcode.words import read_command
from ingest.telemetry.octoprint.numbering import Numbering, Place
from ingest.telemetry.wire.sampler import Sampler

SPAN_NS = 2 * NS_PER_S
"""Filament and heat are averaged over four batches; a line is told sooner than this after it was sent."""
OF_FILAMENT = frozenset({"e_mm", "extrusion_mm_s", "melt_w"})
"""Channels that are right only if E is understood as the print means it."""
_E_MODES = ("M82", "M83")


class Streamed:
    """Follows one printer. ``tells_motion``: the commands of the print are heard, so where it is is known.

    Filament is told once it is known how E is counted: said, or seen from the moves. Layers are told of a
    print that was heard from its start on. Firmware takes a command about when it was sent: OctoPrint waits
    for each "ok".
    """

    def __init__(self) -> None:
        self._sampler = Sampler()
        self._forget()

    @property
    def tells_motion(self) -> bool:
        return bool(self._gcode.distance_mm) and not self._gcode.is_sd_printing

    # What happens

    def begin_print(self) -> None:
        """A print starts: what it draws is its own."""
        self._gcode.layers, self._gcode.is_sd_printing = Layers(), False
        self._tells_layers = True

    def end_print(self) -> None:
        """It is over."""
        self._gcode.is_sd_printing = self._tells_layers = False
        self._sampler.forget()

    def restart(self) -> None:
        """The firmware has booted, or is to be met anew: nothing holds that it was told before."""
        self._sampler.forget()
        self._forget()

    def join(self, lines: list[str], z_mm: float | None) -> None:
        """What was sent before anybody listened; ``z_mm``: the height that OctoPrint knows."""
        self._gcode.z = z_mm or 0.0
        for line in lines:
            self.take(line)

    # What was said

    def begin_batch(self, at_ns: int) -> None:
        """The lines that came up until ``at_ns`` follow."""
        self._track.mark(at_ns - SPAN_NS)  # after a silence: nothing was pushed in it

    def take(self, line: str) -> None:
        """A command was sent."""
        place = self._numbering.place(line)
        if place is Place.AGAIN:
            return
        if place is Place.AFTER_A_GAP:
            self._lose_e()
        if self._is_e_lost or not self._knows_e:
            self._take_with_e(line)
        else:
            self._gcode.take(line)

    def heat_to(self, target_c: float) -> None:
        """The firmware says what the hot end is to reach, however it was set."""
        self._gcode.hotend_target_c = target_c

    def acknowledge(self, readings: tuple[tuple[str, float], ...]) -> None:
        """A plain "ok", of which there are many, with what it says."""
        self._sampler.add("lines")
        for channel, value in readings:
            self._sampler.set(channel, value)

    def due(self, at_ns: int) -> Iterator[tuple[str, float]]:
        """The batch is over: channels and values that are to be told now."""
        if self._gcode.is_sd_printing:
            self._sampler.forget()  # the card's own commands are not heard
        for channel, value in self._track.readings(at_ns):
            if self._is_known(channel):
                self._sampler.set(channel, value)
        yield from self._sampler.due(at_ns)

    def _is_known(self, channel: str) -> bool:
        if channel == "layer" and not self._tells_layers:
            return False
        return self.tells_motion and (self._knows_e or channel not in OF_FILAMENT)

    # E

    def _lose_e(self) -> None:
        """Lines are missing: what they pushed is not known, and is no part of what the next one pushes."""
        self._is_e_lost = True
        self._track.average_anew()
        self._sampler.forget()

    def _take_with_e(self, line: str) -> None:
        """Take a line while it is not known where E stands, or how it is counted."""
        command = read_command(line)
        e_mm = command.words.get("E") if command is not None else None
        if e_mm is not None and self._is_e_lost:
            self._gcode.take(f"G92 E{e_mm:.5f}")
            self._is_e_lost = False
        self._gcode.take(line)
        if command is not None and command.code in _E_MODES:
            self._knows_e = True
        elif e_mm is not None and not self._knows_e:
            self._learn(e_mm)

    def _learn(self, e_mm: float) -> None:
        """See from a move how E is counted; what was pushed until then was not understood."""
        self._e_mode.take(e_mm, self._gcode.path_mm)
        if self._e_mode.code:
            self._gcode.take(self._e_mode.code)
            self._knows_e = True
            self._lose_e()

    def _forget(self) -> None:
        self._track, self._numbering, self._e_mode = Track(SPAN_NS), Numbering(), EMode()
        self._gcode = self._track.gcode
        self._knows_e, self._is_e_lost = False, True
        self._tells_layers = False
