"""Judges one window of one printer: rules over its history, novelty of its picture, then the episodes.

No I/O, no clock, no randomness: the same windows in the same order give the same scores and anomalies,
however they were batched and however often the detector was restarted in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detector import episodes, novelty, rules
from detector.anomaly import Anomaly, Kind, Reason, Scores
from detector.episodes import Episode, KindPolicy
from detector.frames import FRAME_LOST, Embedding, Picture
from detector.novelty import Novelty, NoveltyState
from detector.state import PrinterMemory, PrinterState
from features.sequence import History
from ingest.records import Window

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
        past, seen = look(memory.state, window, picture.embedding, self.model)
        found = [*rules.judge(memory.history), *picture_reasons(seen, window)]
        reasons = strongest(with_picture(reason, memory.history) for reason in found)
        running, said = self._follow(memory.state.episodes, reasons, window)
        state = PrinterState(
            printer=window.printer,
            job=window.job,
            last_index=window.index,
            model=self.model,
            episodes=running,
            novelty=past,
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


def look(
    state: PrinterState, window: Window, embedding: Embedding | None, model: str
) -> tuple[NoveltyState | None, Novelty]:
    """How far the picture has left the print's own past; a new job or another model has a new past."""
    past = state.novelty if (state.job, state.model) == (window.job, model) else None
    if embedding is None or window.frame is None:
        return past, NOTHING
    return novelty.advance(past, embedding, window.frame.captured_ns)


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
    frames = (window.frame for window in history.windows if window.frame is not None)
    nearest = min(frames, key=lambda frame: abs(frame.captured_ns - reason.since_ns), default=None)
    return reason._replace(frame=nearest)


def strongest(reasons: Iterable[Reason]) -> dict[Kind, Reason]:
    """The most probable reason of each kind."""
    best: dict[Kind, Reason] = {}
    for reason in reasons:
        if reason.kind not in best or reason.probability > best[reason.kind].probability:
            best[reason.kind] = reason
    return best
