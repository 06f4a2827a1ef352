"""When a print has ended, and by which pictures its part is judged then. Pure.

While a print runs, its last clear pictures are remembered; ``follow`` folds one window into that and says
what is due. The state is saved with the scores of its window, so each print is due once, however often the
detector is restarted in between.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ingest.jobs import is_print, name_of
from ingest.records import NS_PER_S, EventKind, FrameRef, Mark, Window

APART_NS = 5 * NS_PER_S
"""Pictures nearer to each other than this are the same picture: they would be one opinion told twice."""

WAIT_NS = 60 * NS_PER_S
"""How long a surface camera is waited for: ingest gives it up after 15 s, the rest is for a slow store."""

ENDS = (EventKind.JOB_STARTED, EventKind.JOB_ENDED)


class Finish(Struct, frozen=True, kw_only=True):
    """A print as far as the look at its part needs it; all times are event times."""

    job: str
    until_ns: int  # end of its newest window while it ran
    shown: tuple[FrameRef, ...] = ()  # its last clear pictures, the oldest first
    ended: bool = False
    inspected: bool = False


class Due(NamedTuple):
    """A part that is to be judged now, by these pictures, the oldest first; there may be none."""

    job: str
    at_ns: int  # end of the print
    pictures: tuple[FrameRef, ...]


def follow(
    state: Finish | None, window: Window, *, clear: bool, most: int, awaited: bool
) -> tuple[Finish | None, list[Due]]:
    """Fold one window into what is known of its printer's print; return what is due now, in order.

    ``clear`` says that the window's picture could be read and bears no quality mark, ``most`` how many
    pictures are wanted, ``awaited`` that the printer has a surface camera, whose picture comes after the end.
    A print that was not seen running is never due.
    """
    before = _given_up(state) if state is not None and state.job != window.job else []
    now = _seen(state if state and state.job == window.job else None, window, clear, most)
    pictures = _chosen(now, window, awaited) if now is not None else None
    if now is None or pictures is None:
        return now, before
    due = Due(now.job, now.until_ns, pictures)
    return replace(now, inspected=True, shown=()), [*before, due]


def remembered(shown: tuple[FrameRef, ...], frame: FrameRef, most: int) -> tuple[FrameRef, ...]:
    """The last pictures with this one, where it is no repetition of the one before."""
    if shown and frame.captured_ns - shown[-1].captured_ns < APART_NS:
        return shown
    return (*shown, frame)[-most:]


def _given_up(state: Finish) -> list[Due]:
    """Another job has begun. A live print is over then; a recording without its end was broken off."""
    over = state.ended or bool(name_of(state.job))
    return [Due(state.job, state.until_ns, state.shown)] if over and not state.inspected else []


def _seen(state: Finish | None, window: Window, clear: bool, most: int) -> Finish | None:
    """The print after this window; None where none was seen running yet."""
    idle = bool(window.marks & Mark.IDLE)
    if not is_print(window.job) or (state is None and idle):
        return None
    state = state or Finish(job=window.job, until_ns=window.end_ns)
    if state.ended:
        return state
    shown = state.shown
    if clear and not idle and window.frame is not None and not window.frame.of_surface:
        shown = remembered(shown, window.frame, most)
    return replace(state, until_ns=window.end_ns, shown=shown, ended=_ends(window))


def _ends(window: Window) -> bool:
    """Whether the print is over in this window. Of a recording, IDLE is what lies before its first print."""
    told = [event.kind for event in window.events if event.kind in ENDS]
    if told and told[-1] is EventKind.JOB_ENDED:
        return True
    return bool(window.marks & Mark.IDLE) and bool(name_of(window.job))


def _chosen(state: Finish, window: Window, awaited: bool) -> tuple[FrameRef, ...] | None:
    """The pictures that the part is to be judged by now; None where it is not (yet)."""
    if not state.ended or state.inspected:
        return None
    if window.frame is not None and window.frame.of_surface:
        return (window.frame,)
    waits = awaited and window.end_ns - state.until_ns < WAIT_NS
    return None if waits else state.shown
