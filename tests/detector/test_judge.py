"""One window judged: what is scored, what is told, and which picture stands for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from detector.alarms import strongest
from detector.anomaly import Anomaly, Kind, Reason, Scores, State
from detector.episodes import POLICIES
from detector.frames import FRAME_LOST, FRAME_UNREADABLE, Picture
from detector.judge import Judge, compare, with_picture
from detector.novelty import SAFE_FRAMES, NoveltyState, advance
from detector.state import PrinterMemory, PrinterState
from features.quality import Quality
from features.sequence import History
from ingest.records import NS_PER_S, EventKind, Window
from tests.detector.windows import FIRST, printing

RUNAWAY = (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: 0")
NOTHING = Picture()


def see(second: int, changed_at: int = 10_000) -> Picture:
    """A picture with a little noise, and quite another one from ``changed_at`` on."""
    random = np.random.default_rng(second)
    shown = np.full(16, 0.25) + (second >= changed_at) * np.linspace(-0.2, 0.2, 16)
    return Picture((shown + random.normal(0, 0.002, 16)).astype(np.float16))


def run(
    judge: Judge,
    windows: Sequence[Window],
    picture: Callable[[int], Picture] = lambda _: NOTHING,
) -> tuple[list[Scores], list[Anomaly], PrinterMemory]:
    """Judge windows as the worker does; ``picture`` is that of the n-th one."""
    memory, scores, said = PrinterMemory("p"), [], []
    for number, window in enumerate(windows):
        memory.history.push(window)
        judged = judge.judge(memory, window, picture(number))
        memory.state = judged.state
        scores.append(judged.scores)
        said += judged.anomalies
    return scores, said, memory


def past(state: PrinterState, window: Window, picture: Picture, model: str = "m") -> NoveltyState | None:
    """The print's past after a picture without a mark."""
    return compare(state, window, picture, Quality.NONE, model)[0]


def watched(seconds: int, job: str = "j", first: int = 0) -> list[Window]:
    """Windows with a frame each, of one job, ``first`` seconds after the others."""
    return [
        msgspec.structs.replace(window, job=job)
        for window in printing(seconds, frame=lambda _: True, first=FIRST + first)
    ]


def test_a_window_is_scored_with_what_it_rests_on() -> None:
    window = watched(1)[0]
    (scores,), _, _ = run(Judge("m-1"), [window])
    assert (scores.printer, scores.job, scores.index, scores.frame) == ("p", "j", FIRST, window.frame)
    assert (scores.model, scores.span_ns, scores.novelty, scores.probabilities) == ("m-1", NS_PER_S, None, {})


def test_only_a_frame_that_has_gone_is_called_lost() -> None:
    troubles = ["", FRAME_LOST, FRAME_UNREADABLE]
    scores, _, _ = run(Judge("m"), watched(3), lambda number: Picture(trouble=troubles[number]))
    assert [one.frame_lost for one in scores] == [False, True, False]


def test_the_memory_is_left_as_it_was() -> None:
    memory = PrinterMemory("p")
    (window,) = printing(1, events={0.5: RUNAWAY})
    memory.history.push(window)
    before = memory.state
    first, second = (Judge("m").judge(memory, window, see(0)) for _ in range(2))
    assert memory.state is before
    assert first == second
    assert first.anomalies


def test_a_picture_that_leaves_the_prints_past_is_told_as_unusual_with_its_frame() -> None:
    scores, said, _ = run(Judge("m"), watched(80), lambda number: see(number, changed_at=50))
    opened = next(one for one in said if one.kind is Kind.UNUSUAL)
    assert opened.state is State.OPENED
    assert 50 <= opened.onset_ns // NS_PER_S - FIRST < 60
    assert opened.evidence.frames[0].captured_ns // NS_PER_S - FIRST >= 50
    assert [one.novelty is None for one in scores[: SAFE_FRAMES + 1]] == [True] * SAFE_FRAMES + [False]
    assert all(Kind.UNUSUAL not in one.probabilities for one in scores[:50])


def test_a_new_job_has_a_new_past() -> None:
    """What is unusual within a job is, with a new job, what that job looks like."""
    windows = [*watched(50), *watched(SAFE_FRAMES + 20, "another", first=50)]
    scores, said, memory = run(Judge("m"), windows, lambda number: see(number, changed_at=50))
    assert said == []
    assert [one.novelty is None for one in scores[50:]] == [True] * SAFE_FRAMES + [False] * 20
    _, _, fresh = run(Judge("m"), windows[50:], lambda number: see(number + 50, changed_at=50))
    assert memory.state == fresh.state


def test_a_window_without_a_picture_keeps_the_past_of_its_job_alone() -> None:
    _, _, memory = run(Judge("m"), watched(3), see)
    blind = printing(1, first=FIRST + 3)[0]
    another = msgspec.structs.replace(blind, job="another")
    assert past(memory.state, blind, NOTHING) is memory.state.novelty
    assert past(memory.state, another, NOTHING) is None


def test_another_model_has_no_past() -> None:
    _, _, memory = run(Judge("m"), watched(3), see)
    window = watched(1, first=3)[0]
    assert past(memory.state, window, see(3)) != past(memory.state, window, see(3), "another")


def test_a_kind_switched_off_while_it_is_open_is_closed() -> None:
    seconds = SAFE_FRAMES + 60
    _, said, memory = run(Judge("m"), watched(seconds), lambda n: see(n, changed_at=SAFE_FRAMES + 20))
    assert [one.state for one in said][:1] == [State.OPENED]
    (window,) = watched(1, first=seconds)
    memory.history.push(window)
    off = Judge("m", {kind: policy for kind, policy in POLICIES.items() if kind is not Kind.UNUSUAL})
    judged = off.judge(memory, window, see(0))
    assert [(one.id, one.state) for one in judged.anomalies] == [(said[0].id, State.CLOSED)]
    assert judged.state.episodes == {}


def test_a_kind_that_is_off_is_scored_and_opens_nothing() -> None:
    windows = printing(10, events={3.5: RUNAWAY})
    on, off = Judge("m"), Judge("m", {kind: POLICIES[kind] for kind in set(Kind) - {Kind.HEATER_FAULT}})
    scores, said, memory = run(off, windows)
    assert (said, memory.state.episodes) == ([], {})
    assert scores[3].probabilities == {Kind.HEATER_FAULT: 1.0}
    assert [one.kind for one in run(on, windows)[1]] == [Kind.HEATER_FAULT]


def test_other_kinds_are_told_although_one_is_off() -> None:
    runout = (EventKind.RUNOUT, "")
    windows = printing(10, events={3.5: RUNAWAY, 4.5: runout})
    off = Judge("m", {kind: POLICIES[kind] for kind in set(Kind) - {Kind.HEATER_FAULT}})
    assert [one.kind for one in run(off, windows)[1]] == [Kind.NO_EXTRUSION]


def history_with_frames_at(*seconds: int) -> History:
    history = History(120)
    for window in printing(20, frame=lambda t: t in seconds):
        history.push(window)
    return history


def reason(since_s: float, kind: Kind = Kind.STALL, probability: float = 1.0, text: str = "") -> Reason:
    return Reason(kind, probability, FIRST * NS_PER_S + round(since_s * NS_PER_S), text)


def test_a_reason_without_a_picture_bears_the_frame_nearest_to_its_onset() -> None:
    history = history_with_frames_at(2, 9, 15)
    for since_s, second in ((0.0, 2), (5.0, 2), (6.0, 9), (12.5, 15), (19.9, 15)):
        frame = with_picture(reason(since_s), history).frame
        assert frame.captured_ns // NS_PER_S - FIRST == second


def test_a_reason_with_a_picture_keeps_it_and_one_of_a_blind_print_has_none() -> None:
    history = history_with_frames_at(2, 9)
    own = reason(2.0)._replace(frame=history.windows[9].frame)
    assert with_picture(own, history) == own
    assert with_picture(reason(2.0), history_with_frames_at()) == reason(2.0)


def test_what_opens_bears_the_frame_of_its_onset() -> None:
    windows = printing(30, frame=lambda t: t in {3, 20}, events={20.5: RUNAWAY})
    _, said, _ = run(Judge("m"), windows)
    assert [one.captured_ns // NS_PER_S - FIRST for one in said[0].evidence.frames] == [20]


def test_the_strongest_reason_of_each_kind_is_kept_and_the_first_of_equals() -> None:
    weak, strong, late = reason(1, probability=0.4), reason(2, probability=0.9, text="a"), reason(3)
    equal = strong._replace(text="b")
    other = reason(4, Kind.BLOB, 0.1)
    kept = strongest([weak, strong, equal, other])
    assert kept == {Kind.STALL: strong, Kind.BLOB: other}
    assert strongest([late, weak])[Kind.STALL] == late
    assert strongest([]) == {}


def test_a_printers_first_picture_begins_its_past() -> None:
    fresh = PrinterState(printer="q", job="", last_index=-1)
    (window,) = watched(1)
    first = advance(None, see(0).embedding, window.frame.captured_ns)[0]
    assert past(fresh, window, see(0), fresh.model) == first
