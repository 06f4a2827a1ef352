"""What is told of a camera whose pictures cannot be judged, and what is not."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from detector.anomaly import Kind, Reason
from detector.rules.pictures import FAULTS, picture_fault
from features.quality import HELD_NS, Quality, QualityState
from features.sequence import History
from features.shift import ANOTHER, Elsewhere
from ingest.marks import FROZEN_S
from ingest.records import NS_PER_S, Mark
from tests.detector.windows import FIRST, PRINTING, began_s, film, kinds_told, printing, told

SECONDS = 60
TOLD_S = {fault.mark: fault.told_s for fault in FAULTS}


def told_of(
    marks: Mapping[Quality, float],
    mark: Mark = Mark.NONE,
    elsewhere: Elsewhere | None = None,
    quiet_s: float = 0.0,
    **channels: float,
) -> Reason | None:
    """What is told after a minute in which each mark was borne for so many seconds up to the last look."""
    history = History(SECONDS)
    for window in film(SECONDS, marks=lambda _: mark, frame=lambda _: True, **{**PRINTING, **channels}):
        history.push(window)
    last_ns = history.newest.start_ns - round(quiet_s * NS_PER_S)
    since_ns = {int(each): last_ns - round(held_s * NS_PER_S) for each, held_s in marks.items()}
    return picture_fault(QualityState(last_ns=last_ns, since_ns=since_ns, elsewhere=elsewhere), history)


@pytest.mark.parametrize("mark", TOLD_S)
def test_a_mark_is_told_once_it_has_lasted(mark: Quality) -> None:
    assert told_of({mark: TOLD_S[mark] - 1}) is None
    reason = told_of({mark: TOLD_S[mark]})
    assert reason is not None
    assert (reason.kind, reason.probability) == (Kind.CAMERA_FAULT, 1.0)
    assert reason.since_ns == (FIRST + SECONDS - 1 - TOLD_S[mark]) * NS_PER_S
    assert f"for {TOLD_S[mark]:.0f} s" in reason.text


@pytest.mark.parametrize("mark", TOLD_S)
def test_while_no_print_runs_nobody_is_paged_for_a_picture(mark: Quality) -> None:
    assert told_of({mark: 500.0}, Mark.IDLE) is None


def test_a_silent_camera_is_told_as_silent() -> None:
    assert told_of({Quality.DARK: 500.0}, Mark.CAMERA_SILENT) is None


def test_the_last_picture_speaks_for_a_while_and_not_for_ever() -> None:
    held_s = HELD_NS / NS_PER_S
    assert told_of({Quality.DARK: 12.0}, quiet_s=held_s - 2) is not None
    assert told_of({Quality.DARK: 12.0}, quiet_s=held_s + 1) is None


@pytest.mark.parametrize("mark", [Mark.PAUSED, Mark.FILAMENT_CHANGE])
def test_a_paused_printer_may_stand_still(mark: Mark) -> None:
    assert told_of({Quality.FROZEN: 60.0}, mark) is None
    assert told_of({Quality.DARK: 60.0}, mark) is not None


def test_a_printer_that_heats_up_may_stand_still() -> None:
    assert told_of({Quality.FROZEN: 60.0}, bed_c=35.0) is None
    assert told_of({Quality.FROZEN: 60.0}, hotend_c=100.0) is None
    assert told_of({Quality.FROZEN: 60.0}) is not None


def test_a_moved_camera_is_told_with_where_the_picture_lies_now() -> None:
    place = Elsewhere(since_ns=0, shift=(3, -2), mean=b"")
    texts = [
        reason.text
        for shift in ((3, -2), (-6, 0), ANOTHER)
        if (reason := told_of({Quality.MOVED: 30.0}, elsewhere=msgspec.structs.replace(place, shift=shift)))
    ]
    assert [text.partition(";")[0] for text in texts] == [
        "the camera has moved: all that it shows has been 12 % further right and 8 % further up for 30 s",
        "the camera has moved: all that it shows has been 25 % further left for 30 s",
        "the camera has moved: it has shown another scene for 30 s",
    ]


def frozen(second: int) -> Mark:
    return Mark.CAMERA_FROZEN if second >= 30 else Mark.NONE


def test_the_very_same_bytes_are_told_at_once_with_when_they_began() -> None:
    seconds, reason = told(printing(40, marks=frozen), Kind.CAMERA_FAULT)
    assert (seconds, began_s(reason)) == (31.0, 30.0 - FROZEN_S)
    assert reason.text == "the camera has sent the same picture for 11 s: it is frozen"


def test_the_very_same_bytes_mean_nothing_while_no_print_runs() -> None:
    """In the dark a camera may send nothing but zeros."""
    assert kinds_told(printing(40, marks=lambda second: frozen(second) | Mark.IDLE)) == set()
