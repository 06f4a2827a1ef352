"""Judges one window of one printer: rules, quality and novelty of its picture, then the episodes.

In between the network is asked, of the beats of several printers at once: see ``detector.watch``.

No I/O, no clock, no randomness: the same windows in the same order give the same scores and anomalies,
however they were batched and however often the detector was restarted in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from detector import episodes, novelty, rules
from detector.alarms import Place, follow, strongest
from detector.anomaly import Anomaly, Kind, Reason, Scores
from detector.beats import Token, WatchState, seen_anew
from detector.episodes import Episode, KindPolicy
from detector.frames import FRAME_LOST, Picture
from detector.novelty import Novelty, NoveltyState
from detector.rules.pictures import picture_fault
from detector.state import PrinterMemory, PrinterState
from features import quality
from features.beats import STANDS
from features.quality import Quality, QualityState
from features.sequence import History
from ingest.records import Mark, Window

NOTHING = Novelty(z=None, probability=0.0)
TOLD_FROM = 0.01
"""Probabilities below this say nothing and are left out of the scores."""


class Judgement(NamedTuple):
    """What came of a window: its scores, what is to be said now, and the printer's state after it."""

    scores: Scores
    anomalies: list[Anomaly]
    state: PrinterState


class Sensed(NamedTuple):
    """What a window says by itself, before the network is asked and the episodes follow."""

    window: Window
    picture: Picture
    camera: QualityState | None
    marks: Quality
    past: NoveltyState | None
    seen: Novelty
    reasons: list[Reason]
    clear_ns: int  # when the newest picture of a running print was taken that bears no mark
    heat: rules.HotendPast

    @property
    def elsewhere(self) -> bool:
        """Whether the camera shows another scene from now on."""
        return self.camera is not None and self.camera.moved_for_good

    @property
    def idle(self) -> bool:
        return bool(self.window.marks & Mark.IDLE)


class BeatSaid(NamedTuple):
    """What the network says of the beat that a window closes."""

    tokens: tuple[Token, ...]  # of the print, as far back as it looks; the newest is this beat's
    probabilities: dict[Kind, float]  # calibrated, of every kind that it knows
    reason: Reason | None
    state: WatchState
    trouble: str = ""  # what was wrong with the beat's picture


class Judge:
    """Holds what does not change from window to window: the model's version and each kind's policy.

    A kind without a policy is switched off: it is scored, but opens no anomaly.
    """

    def __init__(self, model: str, policies: Mapping[Kind, KindPolicy] = episodes.POLICIES) -> None:
        self.model = model
        self._policies = policies

    def judge(self, memory: PrinterMemory, window: Window, picture: Picture) -> Judgement:
        """Judge the window that ``memory.history`` took in last; ``memory`` itself stays as it is."""
        return self.conclude(memory, self.sense(memory, window, picture))

    def sense(self, memory: PrinterMemory, window: Window, picture: Picture) -> Sensed:
        """The first half of ``judge``: what rules, quality and novelty say."""
        camera, marks = look(memory.state, window, picture)
        past, seen = compare(memory.state, window, picture, marks, self.model)
        if camera is not None and camera.moved_for_good:
            past = None
        past_heat, ruled = rules.judge_on(memory.state.heat, memory.history)
        found = [*ruled, *picture_reasons(seen, window)]
        if fault := picture_fault(camera, memory.history):
            found.insert(0, fault)  # where it is as sure as a rule: it says more of what is wrong
        clear_ns = newest_clear_ns(memory.state, window, picture, marks)
        return Sensed(window, picture, camera, marks, past, seen, found, clear_ns, past_heat)

    def conclude(self, memory: PrinterMemory, sensed: Sensed, said: BeatSaid | None = None) -> Judgement:
        """The second half: with what the network says of the beat that the window closes, if it does.

        It comes before the next window of the same printer.
        """
        window = sensed.window
        own = strongest(with_picture(reason, memory.history) for reason in sensed.reasons)
        heard = [said.reason] if said is not None and said.reason is not None else []
        reasons = strongest([*own.values(), *(with_picture(reason, memory.history) for reason in heard)])
        place = Place(window.printer, window.job, window.index, window.span_ns)
        running, told = follow(memory.state.episodes, reasons, place, self.model, self._policies)
        watch = self._watched_on(memory.state, sensed) if said is None else said.state
        return Judgement(self._scores(sensed, own, said), told, self._state(sensed, running, watch))

    def _watched_on(self, state: PrinterState, sensed: Sensed) -> WatchState | None:
        """Where the network stands within a beat; another print, none, or another model ends it."""
        same = (state.job, state.model) == (sensed.window.job, self.model)
        if state.watch is None or not same or sensed.idle:
            return None
        return seen_anew(state.watch) if sensed.elsewhere else state.watch

    def _state(self, sensed: Sensed, running: dict[Kind, Episode], watch: WatchState | None) -> PrinterState:
        window = sensed.window
        return PrinterState(
            printer=window.printer,
            job=window.job,
            last_index=window.index,
            model=self.model,
            episodes=running,
            novelty=sensed.past,
            quality=sensed.camera,
            view=sensed.picture.view,
            clear_ns=sensed.clear_ns,
            heat=sensed.heat,
            watch=watch,
        )

    def _scores(self, sensed: Sensed, own: Mapping[Kind, Reason], said: BeatSaid | None) -> Scores:
        window = sensed.window
        return Scores(
            printer=window.printer,
            job=window.job,
            index=window.index,
            span_ns=window.span_ns,
            probabilities=told_probabilities(own, said),
            novelty=sensed.seen.z,
            frame=window.frame,
            frame_lost=sensed.picture.trouble == FRAME_LOST,
            marks=int(window.marks),
            model=self.model,
            quality=int(sensed.marks),
        )


def told_probabilities(own: Mapping[Kind, Reason], said: BeatSaid | None) -> dict[Kind, float]:
    """Of each kind the higher probability of rules and network."""
    probabilities = {kind: reason.probability for kind, reason in own.items()}
    network = said.probabilities if said is not None else {}
    for kind, probability in network.items():
        if probability >= max(TOLD_FROM, probabilities.get(kind, 0.0)):
            probabilities[kind] = probability
    return {kind: probabilities[kind] for kind in sorted(probabilities)}


def look(state: PrinterState, window: Window, picture: Picture) -> tuple[QualityState | None, Quality]:
    """What is known of the camera, and what its picture bears; while no print runs nobody looks.

    Another view is another camera. What was known stays where there is no picture.
    """
    known = state.quality if state.view == picture.view else None
    if picture.look is None or window.frame is None or window.marks & Mark.IDLE:
        return known, Quality.NONE
    return quality.advance(known, picture.look, window.frame.captured_ns)


def newest_clear_ns(state: PrinterState, window: Window, picture: Picture, marks: Quality) -> int:
    """When the newest picture was taken that a network may judge, ns; while a print stands none is."""
    if picture.look is None or window.frame is None or marks or window.marks & STANDS:
        return state.clear_ns
    return window.frame.captured_ns


def compare(
    state: PrinterState, window: Window, picture: Picture, marks: Quality, model: str
) -> tuple[NoveltyState | None, Novelty]:
    """How far the picture has left the print's own past; a new job, model or view has a new past.

    A picture that bears a mark, and any while a print stands, is neither judged nor becomes past.
    """
    same = (state.job, state.model, state.view) == (window.job, model, picture.view)
    past = state.novelty if same else None
    if picture.embedding is None or window.frame is None or marks or window.marks & STANDS:
        return past, NOTHING
    return novelty.advance(past, picture.embedding, window.frame.captured_ns)


def picture_reasons(seen: Novelty, window: Window) -> list[Reason]:
    """What a novel picture says: something is unusual, and the frame shows what."""
    if seen.z is None or seen.probability < TOLD_FROM:
        return []
    text = f"the picture left this print's own past ({seen.z:.1f} standard deviations from it)"
    return [Reason(Kind.UNUSUAL, seen.probability, window.start_ns, text, {}, window.frame)]


def with_picture(reason: Reason, history: History) -> Reason:
    """The reason with the frame nearest to its beginning, where it brings none of its own."""
    if reason.frame is not None:
        return reason
    found = (window.frame for window in history.windows)
    frames = (frame for frame in found if frame is not None and not frame.of_surface)
    nearest = min(frames, key=lambda frame: abs(frame.captured_ns - reason.since_ns), default=None)
    return reason._replace(frame=nearest)
