"""What is to be known about a window before it is judged, found from what was sensed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.records import CHANNEL, NS_PER_S, Bools, EventKind, Floats, Frame, Mark, WindowEvent

CAMERA_SILENCE_S = 20.0
"""A live camera sends a frame at least every 10 s; two missed ones are silence."""

FROZEN_S = 10.0
"""Sensor noise alone makes two JPEGs differ: the very same bytes for so long come from a dead camera."""

TELEMETRY_SILENCE_S = 15.0
"""Printers report every 1 to 5 s, and keep alive with "busy" every 2 s while they cannot."""

OVERRIDE_S = 10.0
"""How long the effects of a changed target, speed or flow are to be expected (domain: "a few seconds")."""

PAUSE_S = 10.0
"""A printer that waits says so every 2 s ("busy: paused for user"); all others say once that they pause."""

FILAMENT_CHANGE_S = 120.0
"""How long a filament change lasts after M600 or the last sign of the pause that comes with it."""

FIRST_LAYER_MM = 0.4
"""Height up to which a print is on its first layer: common first layers are 0.2 to 0.35 mm."""

OVERRIDES = [CHANNEL[name] for name in ("hotend_target_c", "bed_target_c", "feed_factor", "flow_factor")]
GOES_ON = frozenset(
    {EventKind.RESUMED, EventKind.START, EventKind.CANCELLED, EventKind.JOB_STARTED, EventKind.JOB_ENDED}
)


class Marker:
    """Follows one printer's windows in order and says which marks each bears."""

    def __init__(self, span_ns: int, *, camera: bool, telemetry: bool) -> None:
        self.emitted = False
        self.unrecorded = False  # what lies ahead was not recorded: its silence means nothing
        self._span_s = span_ns / NS_PER_S
        self._camera, self._telemetry = camera, telemetry
        self._camera_silent_s = self._telemetry_silent_s = 0.0
        self._override_s = self._pause_s = self._change_s = 0.0  # how long these still hold
        self._picture = b""  # the last one; since when and until when it was the same
        self._same_since_ns = self._same_until_ns = 0
        self._targets: dict[int, float] = {}
        self._coming: dict[int, Mark] = {}

    def expect(self, *, camera: bool, telemetry: bool) -> None:
        """Which sources are to say something: the silence of the others means nothing."""
        self._camera, self._telemetry = camera, telemetry

    def mark_next(self, index: int, mark: Mark) -> None:
        """Give a mark to the window of this index, or to the next one that is emitted after it."""
        self._coming[index] = self._coming.get(index, Mark.NONE) | mark

    def marks(
        self, index: int, values: Floats, measured: Bools, events: Sequence[WindowEvent], frame: Frame | None
    ) -> Mark:
        """The marks of a window; windows are asked for once each, in ascending order of index."""
        self.emitted = True
        self._follow_events(events)
        if measured.any():
            self.unrecorded = bool(events) and events[-1].kind is EventKind.UNRECORDED
        marks = self._take_coming(index) | self._silence(frame is not None, bool(measured.any()))
        held = {
            Mark.OVERRIDE: self._overridden(values, measured),
            Mark.PAUSED: self._pause_s > 0,
            Mark.FILAMENT_CHANGE: self._change_s > 0,
            Mark.CAMERA_FROZEN: self._frozen(frame),
            Mark.FIRST_LAYER: bool(values[-1, CHANNEL["z_mm"]] <= FIRST_LAYER_MM),
        }
        for mark, holds in held.items():
            marks |= mark if holds else Mark.NONE
        return marks

    def _take_coming(self, index: int) -> Mark:
        due = [at for at in self._coming if at <= index]
        mark = Mark.NONE
        for at in due:
            mark |= self._coming.pop(at)
        return mark

    def _follow_events(self, events: Sequence[WindowEvent]) -> None:
        self._pause_s = max(0.0, self._pause_s - self._span_s)
        self._change_s = max(0.0, self._change_s - self._span_s)
        for event in events:
            if event.kind is EventKind.PAUSED:
                self._pause_s = max(self._pause_s, PAUSE_S if "busy" in event.text else float("inf"))
                self._change_s = FILAMENT_CHANGE_S if self._change_s > 0 else 0.0
            elif event.kind is EventKind.FILAMENT_CHANGE:
                self._change_s = FILAMENT_CHANGE_S
            elif event.kind in GOES_ON:
                self._pause_s = self._change_s = 0.0

    def _silence(self, has_frame: bool, has_telemetry: bool) -> Mark:
        self._camera_silent_s = 0.0 if has_frame else self._camera_silent_s + self._span_s
        self._telemetry_silent_s = 0.0 if has_telemetry else self._telemetry_silent_s + self._span_s
        mark = Mark.NONE
        if self._camera and self._camera_silent_s >= CAMERA_SILENCE_S:
            mark |= Mark.CAMERA_SILENT
        if self._telemetry and self._telemetry_silent_s >= TELEMETRY_SILENCE_S and not self.unrecorded:
            mark |= Mark.TELEMETRY_SILENT
        return mark

    def _frozen(self, frame: Frame | None) -> bool:
        """Whether a live camera has sent the same bytes for ``FROZEN_S``; without a frame, as before."""
        if frame is not None and frame.jpeg != self._picture:
            self._picture, self._same_since_ns = frame.jpeg, frame.captured_ns
        if frame is not None:
            self._same_until_ns = frame.captured_ns
        return self._camera and self._same_until_ns - self._same_since_ns >= FROZEN_S * NS_PER_S

    def _overridden(self, values: Floats, measured: Bools) -> bool:
        """Whether a target or a factor was changed within the last ``OVERRIDE_S``."""
        self._override_s = max(0.0, self._override_s - self._span_s)
        for column in OVERRIDES:
            if measured[:, column].any():
                told = float(values[-1, column])
                if self._targets.get(column, told) != told:
                    self._override_s = OVERRIDE_S
                self._targets[column] = told
        return self._override_s > 0.0
