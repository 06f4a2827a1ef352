"""The trained network's part of judging: at the window that closes a beat, what it sees and what follows.

It brings together the frame store's pictures, the networks (``network``), the evidence (``verdict``) and the
explanation (``explain``); what it must remember is in the printers' memories and is committed with the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import redis
from msgspec.structs import replace

from detector.alarms import Place, open_kinds, opens, since_ns
from detector.anomaly import Box, Kind, Reason
from detector.beats import (
    Because,
    Token,
    WatchState,
    belongs,
    draft,
    drafts,
    frames_of,
    seen_anew,
    unpacked_map,
)
from detector.beyond import peak_of
from detector.explain import Scores, explain
from detector.frames import FrameLoader, Wanted
from detector.judge import BeatSaid, Sensed
from detector.model.failure_map import found_boxes
from detector.model.kinds import KINDS, VISUAL
from detector.model.past import beside_past
from detector.model.temporal import Tokens
from detector.network import Asked, Said, Shown, Watcher
from detector.senses import CAMERA
from detector.state import PrinterMemory
from detector.verdict import Limits, Verdict, by_kind, weigh
from features.beats import BEAT_WINDOWS, beat_of
from ingest.records import Window

WORDS: Mapping[Kind, str] = {
    Kind.SPAGHETTI: "filament hangs loose instead of lying on the part",
    Kind.DETACHMENT: "the part has come off the bed",
    Kind.WARPING: "a corner of the part lifts off the bed",
    Kind.LAYER_SHIFT: "layers are shifted sideways",
    Kind.UNDER_EXTRUSION: "less filament comes out than is asked for",
    Kind.NO_EXTRUSION: "no filament comes out",
    Kind.STRINGING: "threads hang where nothing should be",
    Kind.BLOB: "a blob of filament sticks to the part or the nozzle",
    Kind.HEATER_FAULT: "a heater does not do what it is told",
    Kind.SENSOR_FAULT: "a temperature sensor reads wrong",
    Kind.STALL: "the print does not go on as it should",
}
"""What each kind looks like to a person."""
BEYOND = "the pictures of the last minute show more of a failure than this print's did before"
"""What an alarm rests on that no network over time has told."""


class Closing(NamedTuple):
    """A window that closes a beat, with its printer."""

    memory: PrinterMemory
    sensed: Sensed
    before: WatchState  # where the network stands at this print, but for what it says of the beat
    token: Token  # its picture is yet to be looked at


class Watch:
    """The network at work on the printers of a process. One thread at a time."""

    def __init__(self, watcher: Watcher, loader: FrameLoader, kinds: Collection[Kind]) -> None:
        """``kinds`` are switched on; others of the network count for nothing."""
        about = watcher.about
        self._watcher, self._loader = watcher, loader
        self._limits = Limits(
            threshold=about.threshold,
            thresholds=about.thresholds,
            min_beats=about.min_beats,
            within_beats=about.within_beats,
            beyond=about.beyond,
            kinds=tuple(kind for kind in KINDS if kind in kinds),
        )
        self.model = about.sha256

    def closing(self, memory: PrinterMemory, sensed: Sensed) -> Closing | None:
        """What the newest window closes, if it does; frees the printer's place where no print runs."""
        if sensed.idle:
            self._watcher.forget(sensed.window.printer)
        if not drafts(sensed.window):
            return None
        before = _before(memory, self.model, sensed.window)
        token = draft(memory.history, self.model, sensed.clear_ns, sensed.heat.flow)
        return Closing(memory, sensed, seen_anew(before) if sensed.elsewhere else before, token)

    def judge(self, frames: redis.Redis, closing: Sequence[Closing]) -> list[BeatSaid]:
        """Judge the beats of different printers side by side; what is said of each, in order."""
        if not closing:
            return []
        seen, troubles = self._seen(frames, closing)
        asked = [Asked(self._past(one.memory, one.token), one.token) for one in seen]
        said = self._watcher.step(asked)
        return [
            self._judged(one, of, told)._replace(trouble=trouble)
            for one, of, told, trouble in zip(seen, asked, said, troubles, strict=True)
        ]

    def _seen(self, frames: redis.Redis, closing: Sequence[Closing]) -> tuple[list[Closing], list[str]]:
        """The same with what their pictures show, and what was wrong with a picture."""
        read = self._loader.pictures(frames, [_wanted(one) for one in closing])
        shown = iter(self._watcher.see([each.pixels for each in read if each.pixels is not None]))
        seen = [
            _looked_at(one, None if each.pixels is None else next(shown))
            for one, each in zip(closing, read, strict=True)
        ]
        return seen, [each.trouble for each in read]

    def _past(self, memory: PrinterMemory, token: Token) -> list[Token]:
        """The tokens of this print before a beat, as far back as the network looks."""
        oldest, state = token.beat - self._watcher.horizon, memory.state.watch
        mine = (
            each for each in memory.tokens if belongs(each, state, token.job) and each.model == token.model
        )
        return [each for each in mine if oldest < each.beat < token.beat]

    def _judged(self, one: Closing, asked: Asked, said: Said) -> BeatSaid:
        token, running = asked.token, one.memory.state.episodes
        place = Place(token.printer, token.job, one.sensed.window.index, one.sensed.window.span_ns)
        state = one.before
        taken = open_kinds(running, token.job)
        peak = None if token.where is None else peak_of(np.frombuffer(token.where, np.uint8))
        evidence, verdict = weigh(state.evidence, token.beat, said.probabilities, self._limits, taken, peak)
        tokens = (*asked.past, token)
        if verdict is not None and opens(verdict, running, place):
            state = replace(state, because=self._because(verdict, tokens))
        state = replace(state, evidence=evidence)
        beat_ns = BEAT_WINDOWS * place.span_ns
        began_ns = since_ns(said.onset_s, token.end_ns, beat_ns, state.first_beat * beat_ns)
        reason = None if verdict is None else reason_of(verdict, state.because, tokens, began_ns)
        return BeatSaid(tokens, by_kind(said.probabilities), reason, state)

    def _because(self, verdict: Verdict, tokens: Sequence[Token]) -> Because:
        kind = verdict.kind
        if verdict.beyond:
            return Because(kind=kind, text=BEYOND, channels={CAMERA: 1.0})
        explained = explain(tokens, self._scores)
        return Because(kind=kind, text=explained.text, channels=explained.channels)

    def _scores(self, tokens: Tokens) -> Scores:
        """The alarm score at the last beat of each of n prints."""
        columns = [1 + KINDS.index(kind) for kind in self._limits.kinds]
        scores: Scores = self._watcher.judge(tokens)[:, columns].sum(1)
        return scores


def reason_of(verdict: Verdict, because: Because | None, tokens: Sequence[Token], began_ns: int) -> Reason:
    """What is told of a verdict. ``because`` is what an explanation said last, ``tokens`` the print's."""
    if because is not None and because.kind is not verdict.kind:
        because = None
    frames = frames_of(tokens, verdict.beats)
    return Reason(
        kind=verdict.kind,
        probability=verdict.probability,
        since_ns=began_ns,
        text=text_of(verdict, because),
        channels=because.channels if because is not None else {},
        frame=frames[-1] if frames else None,
        earlier=frames[:-1],
        boxes=_boxes(verdict, tokens),
        weighed=verdict.enough,
    )


def text_of(verdict: Verdict, because: Because | None) -> str:
    """In words: what it looks like, how sure that is, and what it rests on."""
    sure = f"{verdict.own * 100:.0f} %; that anything fails {verdict.score * 100:.0f} %"
    return f"it looks as if {WORDS[verdict.kind]} ({sure})" + (f": {because.text}" if because else "")


def _boxes(verdict: Verdict, tokens: Sequence[Token]) -> tuple[Box, ...]:
    """Where it shows in the newest picture that stands behind it; of what no picture can show, nowhere."""
    maps = [each.where for each in tokens if each.beat in verdict.beats and each.where is not None]
    if verdict.kind not in VISUAL or not maps:
        return ()
    return tuple(found.box for found in found_boxes(unpacked_map(maps[-1])))


def _before(memory: PrinterMemory, model: str, window: Window) -> WatchState:
    """Where the network stands before a beat: at nothing where it is the first one of its print."""
    state = memory.state.watch
    if state is None or (state.model, memory.state.job) != (model, window.job):
        return WatchState(model=model, first_beat=beat_of(window))
    return state


def _wanted(one: Closing) -> Wanted:
    at_hand = one.token.frame is not None and one.token.frame == one.sensed.window.frame
    return Wanted(one.token.printer, one.token.frame, one.sensed.picture.jpeg if at_hand else None)


def _looked_at(one: Closing, shown: Shown | None) -> Closing:
    if shown is None:
        return one._replace(token=replace(one.token, frame=None))
    sight, past = beside_past(one.before.past, np.frombuffer(shown.embedding, np.float16))
    token = replace(one.token, embedding=sight.tobytes(), where=shown.where)
    return one._replace(token=token, before=replace(one.before, past=past))
