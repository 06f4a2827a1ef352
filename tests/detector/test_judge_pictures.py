"""One window judged: what a picture that cannot be judged does to novelty, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from detector.anomaly import Anomaly, Kind, Scores, State
from detector.frames import Picture
from detector.judge import Judge
from detector.novelty import SAFE_FRAMES
from detector.state import PrinterMemory, PrinterState
from features.frame import decode_frame
from features.quality import MATURE, MOVED_S, Quality, look
from ingest.records import Mark, decode, encode
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.simulated import SimulatedPrinter
from tests.detector.at_work import scene_jpeg
from tests.detector.windows import printing

FAULT_S, UNTIL_S, SECONDS = 40.0, 80.0, 100
BLACK = SimulatedPrinter("p", 1, [Fault(kind=FaultKind.CAMERA_BLACK, at_s=0.0)])
Seen = Callable[[int], bytes]


def picture(jpeg: bytes, view: str = "") -> Picture:
    """The picture as the loader gives it, with the mean colour of its quarters for an embedding."""
    pixels = decode_frame(jpeg, 128)
    assert pixels is not None
    quarters = pixels.reshape(2, 64, 2, 64, 3).mean((1, 3)).ravel()
    embedding = (quarters / np.linalg.norm(quarters)).astype(np.float16)
    return Picture(embedding, look=look(pixels), view=view)


def run(
    seen: Seen,
    seconds: int = SECONDS,
    marks: Callable[[int], Mark] = lambda _: Mark.NONE,
    view: Callable[[int], str] = lambda _: "",
) -> tuple[list[Scores], list[Anomaly], list[PrinterState]]:
    """Judge a print second by second; the state is saved and read again each time, as a restart does."""
    memory, judge = PrinterMemory("p"), Judge("m")
    scores, said, states = [], [], []
    for second, window in enumerate(printing(seconds, frame=lambda _: True, marks=marks)):
        memory.history.push(window)
        judged = judge.judge(memory, window, picture(seen(second), view(second)))
        memory.state = decode(encode(judged.state), PrinterState)
        assert memory.state == judged.state
        scores.append(judged.scores)
        said += judged.anomalies
        states.append(judged.state)
    return scores, said, states


def simulated(kind: FaultKind) -> Seen:
    printer = SimulatedPrinter("p", 1, [Fault(kind=kind, at_s=FAULT_S, until_s=UNTIL_S)])

    def seen(second: int) -> bytes:
        jpeg = printer.jpeg_at(float(second))
        assert jpeg is not None
        return jpeg

    return seen


@pytest.mark.parametrize(
    ("kind", "mark", "delay_s", "says"),
    [
        (FaultKind.CAMERA_BLACK, Quality.DARK, 11, "has been dark for 10 s"),
        (FaultKind.CAMERA_FROZEN, Quality.FROZEN, 31, "has shown the same picture for 30 s: it is frozen"),
    ],
)
def test_a_camera_that_sees_nothing_new_is_told_once_and_closed_once(
    kind: FaultKind, mark: Quality, delay_s: int, says: str
) -> None:
    scores, said, _ = run(simulated(kind))
    assert [(one.kind, one.state) for one in said] == [
        (Kind.CAMERA_FAULT, State.OPENED),
        (Kind.CAMERA_FAULT, State.CLOSED),
    ]
    opened = said[0]
    assert says in opened.text
    assert opened.detected_ns - opened.onset_ns == delay_s * 10**9
    borne = [second for second, one in enumerate(scores) if one.quality == mark]
    assert borne == list(range(int(FAULT_S) + (mark is Quality.FROZEN), int(UNTIL_S)))


def dark(second: int) -> bytes:
    """The light is off for a while."""
    if FAULT_S <= second < UNTIL_S:
        return BLACK.scene.jpeg(BLACK.moment_at(0.0)._replace(at_s=float(second)))
    return scene_jpeg(second)


def test_a_picture_that_bears_a_mark_is_neither_judged_nor_learned() -> None:
    scores, said, states = run(dark)
    first, until = int(FAULT_S), int(UNTIL_S)
    assert {one.kind for one in said} == {Kind.CAMERA_FAULT}
    assert all(one.novelty is not None for one in scores[SAFE_FRAMES:first])
    assert {one.novelty for one in scores[first:until]} == {None}
    assert scores[-1].novelty is not None
    assert {states[second].novelty for second in range(first, until)} == {states[first - 1].novelty}


def test_light_that_is_off_between_prints_is_no_fault_and_no_past() -> None:
    def idle(second: int) -> Mark:
        return Mark.IDLE if FAULT_S <= second < UNTIL_S else Mark.NONE

    scores, said, states = run(dark, marks=idle)
    first, until = int(FAULT_S), int(UNTIL_S)
    assert said == []
    assert {one.novelty for one in scores[first:until]} == {None}
    assert states[until - 1].novelty == states[first - 1].novelty
    assert states[until - 1].quality == states[first - 1].quality


@pytest.mark.parametrize("mark", [Mark.PAUSED, Mark.FILAMENT_CHANGE])
def test_a_picture_of_a_print_that_stands_is_no_past(mark: Mark) -> None:
    """Its head is parked: the part looks as it never did while it grew."""

    def parked(second: int) -> Mark:
        return mark if FAULT_S <= second < UNTIL_S else Mark.NONE

    scores, said, states = run(scene_jpeg, marks=parked)
    first, until = int(FAULT_S), int(UNTIL_S)
    assert said == []
    assert {one.novelty for one in scores[first:until]} == {None}
    assert {states[second].clear_ns for second in range(first, until)} == {states[first - 1].clear_ns}
    assert states[until].clear_ns > states[first].clear_ns
    assert scores[-1].novelty is not None


def test_light_that_is_still_off_when_the_print_begins_is_told_after_its_time() -> None:
    _, said, _ = run(dark, marks=lambda second: Mark.IDLE if second < FAULT_S + 25 else Mark.NONE, seconds=80)
    assert said[0].kind is Kind.CAMERA_FAULT
    assert said[0].onset_ns // 10**9 % 100 == (FAULT_S + 25) % 100
    assert said[0].detected_ns - said[0].onset_ns == 11 * 10**9


def test_after_a_camera_has_moved_the_prints_past_begins_anew() -> None:
    moved_at = MATURE + 5
    told_at = moved_at + round(MOVED_S)
    seconds = told_at + SAFE_FRAMES + 10
    scores, said, states = run(lambda second: scene_jpeg(second, scene=int(second >= moved_at)), seconds)
    assert [(one.kind, one.state) for one in said] == [
        (Kind.CAMERA_FAULT, State.OPENED),
        (Kind.CAMERA_FAULT, State.CLOSED),
    ]
    assert "it has shown another scene for 30 s" in said[0].text
    assert states[told_at].novelty is None
    assert states[-1].quality.count == seconds - told_at - 1
    assert all(one.novelty is None for one in scores[moved_at + 1 : told_at + SAFE_FRAMES])
    assert scores[-1].novelty is not None


def test_another_view_is_another_camera() -> None:
    changed_at = MATURE + 5
    _, said, states = run(
        lambda second: scene_jpeg(second, scene=int(second >= changed_at)),
        changed_at + 40,
        view=lambda second: "90" if second >= changed_at else "",
    )
    assert said == []
    assert (states[changed_at].novelty.count, states[changed_at].quality.count) == (1, 1)


def test_a_state_from_before_there_were_looks_is_read() -> None:
    _, _, states = run(scene_jpeg, 3)
    fields = msgspec.msgpack.decode(encode(states[-1]))
    for name in ("quality", "view"):
        del fields[name]
    old = decode(msgspec.msgpack.encode(fields), PrinterState)
    assert (old.quality, old.view, old.novelty) == (None, "", states[-1].novelty)
