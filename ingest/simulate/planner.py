"""Marlin's queue of moves: what a host or a card asks for is taken at once and takes its time to be done.

The times come from the interpreter of ``ingest.telemetry.gcode``. Left out: arcs are shown as their chords,
and after a G92 of x, y or z the next move starts where the head was before it.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ingest.simulate.toolpath import Position
from ingest.telemetry.gcode.interpreter import GCode

BLOCK_BUFFER_SIZE = 16
MOST_MOVES = BLOCK_BUFFER_SIZE - 1  # one slot of Marlin's ring stays empty
HOMING_MM_S = (50.0, 50.0, 4.0)  # x, y, z one after the other; HOMING_FEEDRATE_MM_M
ORIGIN = Position(0.0, 0.0, 0.0, 0.0)
_MOMENT_S = 1e-9  # what is left of a move by rounding alone


class Move(NamedTuple):
    """One move: how long it takes, where it ends, and what filament never molten before it melts, mm."""

    seconds: float
    end: Position
    melted_mm: float


class Gone(NamedTuple):
    """A stretch of a move that is done, and the filament that it melted."""

    begin: Position
    end: Position
    melted_mm: float


class Planner:
    """The moves that are planned and where the head is. ``take`` commands, ``advance`` the time.

    ``gone`` is what the last ``advance`` did.
    """

    def __init__(self) -> None:
        self._gcode = GCode()
        self._moves: deque[Move] = deque()
        self._from = ORIGIN  # where the first move begins
        self._spent_s = 0.0  # of the first move
        self.gone: list[Gone] = []

    @property
    def is_idle(self) -> bool:
        """Whether the head stands and nothing is planned."""
        return not self._moves

    @property
    def is_full(self) -> bool:
        """Whether the last command has to wait for its place."""
        return len(self._moves) > MOST_MOVES

    @property
    def moves_free(self) -> int:
        """For how many more moves there is room."""
        return max(MOST_MOVES - len(self._moves), 0)

    @property
    def projected(self) -> Position:
        """Where the head will be after all that is planned, as commands count."""
        gcode = self._gcode
        return Position(gcode.x, gcode.y, gcode.z, gcode.e)

    def take(self, command: str) -> None:
        """Take a command: a move is planned, others set how moves are meant."""
        gcode = self._gcode
        done = gcode.distance_mm, gcode.pushed_mm
        off_spool_mm = gcode.filament_mm
        gcode.take(command)
        if (gcode.distance_mm, gcode.pushed_mm) != done:
            melted_mm = (gcode.filament_mm - off_spool_mm) * gcode.flow_factor
            self._plan(Move(gcode.seconds, self.projected, melted_mm))

    def home(self) -> None:
        """Go to where a G28 that was taken ends."""
        begin = self._moves[-1].end if self._moves else self._from
        ways = zip(begin[:3], self.projected[:3], HOMING_MM_S, strict=True)
        self._plan(Move(sum(abs(b - a) / mm_s for a, b, mm_s in ways), self.projected, 0.0))

    def advance(self, dt_s: float) -> float:
        """Go on by ``dt_s``; the filament molten meanwhile, mm."""
        self.gone = []
        while self._moves and dt_s > _MOMENT_S:
            move = self._moves[0]
            spent_s = min(dt_s, move.seconds - self._spent_s)
            begin = _between(self._from, move, self._spent_s)
            dt_s -= spent_s
            self._spent_s += spent_s
            end = _between(self._from, move, self._spent_s)
            self.gone.append(Gone(begin, end, move.melted_mm * spent_s / move.seconds))
            if self._spent_s >= move.seconds - _MOMENT_S:
                self._from, self._spent_s = move.end, 0.0
                self._moves.popleft()
        return sum(stretch.melted_mm for stretch in self.gone)

    def position(self, ahead_s: float = 0.0) -> Position:
        """Where the head is in ``ahead_s``, if no move comes in between."""
        begin, into_s = self._from, self._spent_s + ahead_s
        for move in self._moves:
            if into_s < move.seconds:
                return _between(begin, move, into_s)
            begin, into_s = move.end, into_s - move.seconds
        return begin

    def stop_at(self, position: Position) -> None:
        """Forget the moves; the head stands there and knows it, as after Marlin's quickstop."""
        self._moves.clear()
        self._from, self._spent_s = position, 0.0
        gcode = self._gcode
        gcode.x, gcode.y, gcode.z, gcode.e = position

    def forget(self) -> None:
        """Know nothing any more of where the head is and how moves are meant, as after a boot."""
        self.stop_at(self.position())
        self._gcode = GCode()

    def _plan(self, move: Move) -> None:
        if move.seconds > 0.0:
            self._moves.append(move)


def _between(begin: Position, move: Move, into_s: float) -> Position:
    share = into_s / move.seconds
    return Position(*(a + (b - a) * share for a, b in zip(begin, move.end, strict=True)))
