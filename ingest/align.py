"""Lines up what a printer's camera and its firmware tell into windows on one time axis.

Pure: time comes in as an argument and nothing here reads a clock. Items are added as they arrive, in any
order; ``advance`` closes every window whose end lies behind the watermark (now minus the lateness that the
farm file allows). What arrives after its window was closed is left out and counted.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from ingest.jobs import Change
from ingest.marks import Marker
from ingest.records import (
    CHANNEL,
    CHANNELS,
    COUNTED,
    NS_PER_S,
    STEPS_PER_WINDOW,
    Bools,
    Event,
    EventKind,
    Floats,
    Frame,
    Mark,
    Reading,
    SerialLine,
    Window,
    WindowEvent,
    frame_ref,
)
from ingest.sources import Item
from ingest.writer import Captured

COUNTED_COLUMNS = [CHANNEL[name] for name in sorted(COUNTED)]
JUMP_NS = 30 * NS_PER_S
"""An item further than this from its arrival comes from a clock that was set, not from a slow network."""

MAX_EMPTY = 60
"""Empty windows emitted in a row: enough to tell that a source is silent; a longer hole is one GAP mark."""


class Timing(Struct, frozen=True, kw_only=True):
    """How windows are cut, all in ns."""

    span_ns: int = NS_PER_S
    lateness_ns: int = 2 * NS_PER_S  # how long a window stays open for late items
    early_ns: int = 2 * NS_PER_S  # how far an item may be ahead of its arrival
    camera_delay_ns: int = 0  # how long a picture is under way before its source can stamp it
    telemetry_delay_ns: int = 0  # likewise what the printer says


class _Cell:
    """One window while it is open."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.part: Frame | None = None  # a picture of the finished part, which goes before the camera's own
        self.values = np.full((STEPS_PER_WINDOW, len(CHANNELS)), np.nan, np.float32)
        self.times = np.full(self.values.shape, -1, np.int64)
        self.values[:, COUNTED_COLUMNS] = 0.0
        self.events: list[WindowEvent] = []


class Aligner:
    """The windows of one printer, each emitted once, in ascending order of index."""

    def __init__(self, printer: str, job: str, timing: Timing, *, camera: bool, telemetry: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._job, self._idle = job, False
        self._changes: list[Change] = []  # of the job, for windows that are not out yet
        self._printer, self._timing = printer, timing
        self._delays_ns = {"camera": timing.camera_delay_ns, "telemetry": timing.telemetry_delay_ns}
        self._marker = Marker(timing.span_ns, camera=camera, telemetry=telemetry)
        self._cells: dict[int, _Cell] = {}
        self._next: int | None = None  # index of the next window to emit
        self._empty = 0  # windows emitted in a row with nothing in them
        self._held = np.full(len(CHANNELS), np.nan, np.float32)
        self._seen: set[tuple[str, int, float | str]] = set()
        self._offsets_ns: dict[str, int] = {}

    def add(self, item: Item, now_ns: int, *, estimated: bool = False) -> None:
        """Take an item that arrived at ``now_ns``; ``estimated`` says that its time is only estimated."""
        if isinstance(item, SerialLine):
            return  # recordings keep it; a window holds what it tells
        source = "camera" if isinstance(item, Frame) else "telemetry"
        at_ns = self._anchor(source, item.captured_ns if isinstance(item, Frame) else item.at_ns, now_ns)
        index = at_ns // self._timing.span_ns
        if self._next is None:
            self._next = index
        if index < self._next and not self._reopen(index):
            self.counts[f"late_{source}"] += 1
        elif self._is_new(item, at_ns):
            self._place(item, at_ns, self._cells.setdefault(index, _Cell()))
            if estimated:
                self._marker.mark_next(index, Mark.TIME_ESTIMATED)

    def add_part(self, frame: Frame, now_ns: int) -> None:
        """Take a picture of the finished part that came at ``now_ns``: this is its time from now on.

        The part lies still, so the moment does not matter, and like this the picture is late for no window.
        """
        self.begin(now_ns)
        cell = self._cells.setdefault(now_ns // self._timing.span_ns, _Cell())
        cell.part = replace(frame, captured_ns=now_ns)

    def change_job(self, change: Change) -> None:
        """From the window that holds ``change.at_ns`` on, windows carry another job or are idle."""
        insort(self._changes, change._replace(at_ns=self._own_ns("telemetry", change.at_ns)))

    def expect(self, *, camera: bool, telemetry: bool) -> None:
        """From now on the silence of these sources is to be told."""
        self._marker.expect(camera=camera, telemetry=telemetry)

    def begin(self, now_ns: int) -> None:
        """A live print begins now, even if its sources say nothing: their silence is to be told."""
        if self._next is None:
            self._next = now_ns // self._timing.span_ns

    def advance(self, now_ns: int) -> list[Captured]:
        """Close every window that can get nothing more by ``now_ns``; the watermark never runs backwards."""
        watermark = (now_ns - self._timing.lateness_ns) // self._timing.span_ns
        return self._emit_before(watermark)

    def close(self, last_word: str = "") -> list[Captured]:
        """The source has ended: close every window that holds something.

        Where ``last_word`` is given, the print ends with it: the last window tells JOB_ENDED in these words.
        """
        emitted = self._emit_before(max(self._cells, default=-1) + 1)
        if emitted and last_word:
            emitted[-1] = _ended(emitted[-1], last_word)
        return emitted

    def _anchor(self, source: str, at_ns: int, now_ns: int) -> int:
        """The item's time on our axis; a clock that was set is anchored to the arrival and counted."""
        anchored = self._own_ns(source, at_ns)
        ahead = anchored - now_ns
        if -JUMP_NS <= ahead <= self._timing.early_ns:
            return anchored
        self._offsets_ns[source] = now_ns - at_ns + self._delays_ns[source]
        self.counts[f"clock_jump_{source}"] += 1
        self._marker.mark_next(now_ns // self._timing.span_ns, Mark.CLOCK_JUMP)
        return self._own_ns(source, at_ns)

    def _own_ns(self, source: str, at_ns: int) -> int:
        return at_ns + self._offsets_ns.get(source, 0) - self._delays_ns[source]

    def _reopen(self, index: int) -> bool:
        """Before the first window is out, an older item may still begin the print."""
        if not self._marker.emitted:
            self._next = index
        return not self._marker.emitted

    def _is_new(self, item: Frame | Reading | Event, at_ns: int) -> bool:
        """Whether this very item was not there before; counted channels may repeat within an instant."""
        match item:
            case Frame():
                told: tuple[str, int, float | str] = ("frame", at_ns, 0.0)
            case Reading():
                if item.channel in COUNTED:
                    return True
                told = (item.channel, at_ns, item.value)
            case Event():
                told = (item.kind, at_ns, item.text)
        if told in self._seen:
            self.counts["duplicate"] += 1
            return False
        self._seen.add(told)
        return True

    def _place(self, item: Frame | Reading | Event, at_ns: int, cell: _Cell) -> None:
        match item:
            case Frame():
                self.counts["frames_skipped"] += cell.frame is not None
                if cell.frame is None or at_ns > cell.frame.captured_ns:
                    cell.frame = item if at_ns == item.captured_ns else replace(item, captured_ns=at_ns)
            case Reading():
                self._place_reading(item, at_ns, cell)
            case Event():
                cell.events.append(WindowEvent(at_ns, item.kind, item.text))

    def _place_reading(self, reading: Reading, at_ns: int, cell: _Cell) -> None:
        column = CHANNEL[reading.channel]
        step = at_ns % self._timing.span_ns * STEPS_PER_WINDOW // self._timing.span_ns
        if reading.channel in COUNTED:
            cell.values[step, column] += reading.value
            cell.times[step, column] = at_ns
        elif at_ns >= cell.times[step, column]:  # the step keeps its last value, whatever came first
            cell.values[step, column] = reading.value
            cell.times[step, column] = at_ns

    def _emit_before(self, watermark: int) -> list[Captured]:
        emitted: list[Captured] = []
        while self._next is not None and self._next < watermark:
            cell = self._cells.pop(self._next, None)
            self._empty = 0 if cell else self._empty + 1
            if self._empty > MAX_EMPTY or (cell is None and self._marker.unrecorded):
                self._skip_hole(watermark)
                continue
            emitted.append(self._emit(self._next, cell or _Cell()))
            self._next += 1
        if emitted:
            self._forget()
        return emitted

    def _skip_hole(self, watermark: int) -> None:
        """Nothing more to say of this hole: go on with the next window that holds something."""
        later = min(self._cells, default=watermark)
        self._next = min(later, watermark)
        self._marker.mark_next(self._next, Mark.GAP)

    def _emit(self, index: int, cell: _Cell) -> Captured:
        span_ns = self._timing.span_ns
        measured = cell.times >= 0
        values = self._fill(cell.values, measured)
        events = tuple(sorted(cell.events))
        self._follow_job(index)
        shown = cell.part or cell.frame
        self.counts["frames_skipped"] += cell.part is not None and cell.frame is not None
        window = Window(
            printer=self._printer,
            job=self._job,
            index=index,
            span_ns=span_ns,
            frame=frame_ref(shown) if shown else None,
            sensors=values.tobytes(),
            measured=measured.tobytes(),
            marks=self._marker.marks(index, values, measured, events, cell.frame) | self._idleness(),
            events=events,
        )
        return Captured(window, shown)

    def _follow_job(self, index: int) -> None:
        end_ns = (index + 1) * self._timing.span_ns
        while self._changes and self._changes[0].at_ns < end_ns:
            _, self._job, self._idle = self._changes.pop(0)

    def _idleness(self) -> Mark:
        return Mark.IDLE if self._idle else Mark.NONE

    def _fill(self, values: Floats, measured: Bools) -> Floats:
        """Fill the grid: each step that measured nothing holds the last known value."""
        for step in range(STEPS_PER_WINDOW):
            held = ~measured[step]
            held[COUNTED_COLUMNS] = False
            values[step, held] = self._held[held]
            self._held = values[step].copy()
        return values

    def _forget(self) -> None:
        """Drop what duplicates are recognised by, as far as it lies behind the windows still open."""
        if self._next is not None:
            oldest_ns = self._next * self._timing.span_ns
            self._seen = {told for told in self._seen if told[1] >= oldest_ns}


def _ended(captured: Captured, text: str) -> Captured:
    """The same window, with the print over at its very end; what was sensed and marked stays as it is."""
    window = captured.window
    event = WindowEvent(window.end_ns - 1, EventKind.JOB_ENDED, text)
    return captured._replace(window=replace(window, events=(*window.events, event)))
