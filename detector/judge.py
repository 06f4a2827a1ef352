"""Judges one window of one printer: rules, quality and novelty of its picture, then the episodes.

No I/O, no clock, no randomness: the same windows in the same order give the same scores and anomalies,
however they were batched and however often the detector was restarted in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detector import episodes, novelty, rules
from detector.anomaly import Anomaly, Kind, Reason, Scores
from detector.episodes import Episode, KindPolicy
from detector.frames import FRAME_LOST, Picture
from detector.novelty import Novelty, NoveltyState
from detector.rules.pictures import picture_fault
from detector.state import PrinterMemory, PrinterState
from features import quality
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


class Judge:
    """Holds what does not change from window to window: the model's version and each kind's policy.

    A kind without a policy is switched off: it is scored, but opens no anomaly.
    """

    def __init__(self, model: str, policies: Mapping[Kind, KindPolicy] = episodes.POLICIES) -> None:
        self.model = model
        self._policies = policies

    def judge(self, memory: PrinterMemory, window: Window, picture: Picture) -> Judgement:
        """Judge the window that ``memory.history`` took in last; ``memory`` itself stays as it is."""
        camera, marks = look(memory.state, window, picture)
        past, seen = compare(memory.state, window, picture, marks, self.model)
        if camera is not None and camera.moved_for_good:
            past = None
        found = [*rules.judge(memory.history), *picture_reasons(seen, window)]
        if fault := picture_fault(camera, memory.history):
            found.insert(0, fault)  # where it is as sure as a rule: it says more of what is wrong
        reasons = strongest(with_picture(reason, memory.history) for reason in found)
        running, said = self._follow(memory.state.episodes, reasons, window)
        state = PrinterState(
            printer=window.printer,
            job=window.job,
            last_index=window.index,
            model=self.model,
            episodes=running,
            novelty=past,
            quality=camera,
            view=picture.view,
        )
        scores = Scores(
            printer=window.printer,
            job=window.job,
            index=window.index,
            span_ns=window.span_ns,
            probabilities={kind: reasons[kind].probability for kind in sorted(reasons)},
            novelty=seen.z,
            frame=window.frame,
            frame_lost=picture.trouble == FRAME_LOST,
            marks=int(window.marks),
            model=self.model,
            quality=int(marks),
        )
        return Judgement(scores, said, state)

    def _follow(
        self, running: Mapping[Kind, Episode], reasons: Mapping[Kind, Reason], window: Window
    ) -> tuple[dict[Kind, Episode], list[Anomaly]]:
        """Fold the reasons into the episodes, kind by kind, in a fixed order."""
        after: dict[Kind, Episode] = {}
        said: list[Anomaly] = []
        for kind in sorted(set(running) - set(self._policies)):  # switched off since: it ends here
            said += episodes.finish(running[kind], model=self.model)[1]
        for kind in sorted({*running, *reasons} & set(self._policies)):
            episode, told = episodes.advance(
                running.get(kind),
                reasons.get(kind),
                printer=window.printer,
                job=window.job,
                kind=kind,
                window_index=window.index,
                span_ns=window.span_ns,
                model=self.model,
                policy=self._policies[kind],
            )
            if episode is not None:
                after[kind] = episode
            said += told
        return after, said


def look(state: PrinterState, window: Window, picture: Picture) -> tuple[QualityState | None, Quality]:
    """What is known of the camera, and what its picture bears; while no print runs nobody looks.

    Another view is another camera. What was known stays where there is no picture.
    """
    known = state.quality if state.view == picture.view else None
    if picture.look is None or window.frame is None or window.marks & Mark.IDLE:
        return known, Quality.NONE
    return quality.advance(known, picture.look, window.frame.captured_ns)


def compare(
    state: PrinterState, window: Window, picture: Picture, marks: Quality, model: str
) -> tuple[NoveltyState | None, Novelty]:
    """How far the picture has left the print's own past; a new job, model or view has a new past.

    A picture that bears a mark, and any while no print runs, is neither judged nor becomes past.
    """
    same = (state.job, state.model, state.view) == (window.job, model, picture.view)
    past = state.novelty if same else None
    if picture.embedding is None or window.frame is None or marks or window.marks & Mark.IDLE:
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


def strongest(reasons: Iterable[Reason]) -> dict[Kind, Reason]:
    """The most probable reason of each kind."""
    best: dict[Kind, Reason] = {}
    for reason in reasons:
        if reason.kind not in best or reason.probability > best[reason.kind].probability:
            best[reason.kind] = reason
    return best
