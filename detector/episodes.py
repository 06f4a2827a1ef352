"""When a kind of failure begins and ends: hysteresis over the probabilities of one printer and kind. Pure.

``advance`` folds one window into an episode. Time passes by window index: a gap, or windows for which
nobody called because there was no reason, count as windows without one. So the anomalies depend on the
windows alone, never on how they were batched or on when the process was started anew.

    quiet -> gathering -> open -> cooling -> quiet
               (evidence)        (a cooldown, that only certainty breaks)
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from detector.anomaly import Anomaly, Evidence, Kind, Reason, State, anomaly_id
from detector.policies import POLICIES, KindPolicy
from ingest.records import NS_PER_S, FrameRef, Record

GREW_BY = 0.1
"""A probability that grew by so much since it was last told is told again."""

UPDATE_EVERY_S = 5.0
"""Never more often than this: a person reads these."""

KEPT_FRAMES = 4
"""Frames kept as evidence: the first and the latest ones that made the case firmer."""


class Phase(StrEnum):
    QUIET = "quiet"  # nothing going on, but there was an episode before
    GATHERING = "gathering"
    OPEN = "open"
    COOLING = "cooling"


class Hit(NamedTuple):
    """One window of evidence."""

    window: int  # index
    since_ns: int
    probability: float


class Episode(Record, frozen=True, kw_only=True):
    """Where one kind stands at one printer. Serialisable at any point; all times are event times."""

    phase: Phase
    printer: str
    job: str
    kind: Kind
    span_ns: int
    seen_index: int  # the newest window folded in
    floor_ns: int = 0  # end of the episode before: no onset lies before it
    cool_until: int = 0  # first index after the cooldown
    hits: tuple[Hit, ...] = ()
    held_index: int = 0  # the last window that kept it open
    told_index: int = 0  # the last window that something was told of
    told: float = 0.0  # severity when it was last told
    anomaly: Anomaly | None = (
        None  # the newest revision; its severity, text and evidence run ahead until told
    )


Step = tuple[Episode | None, tuple[Anomaly, ...]]


def advance(
    episode: Episode | None,
    reason: Reason | None,
    *,
    printer: str,
    job: str,
    kind: Kind,
    window_index: int,
    span_ns: int,
    model: str,
    policy: KindPolicy,
) -> Step:
    """Fold one window into an episode; return it with what is to be said now, in order.

    There may be two anomalies in one step: an old one closes and a certain new one opens. A window that is
    not newer than the last one of the same job changes nothing. None stands for "nothing to remember".
    """
    now = _Now(printer, job, kind, window_index, span_ns, model, policy)
    if episode is not None and episode.job == job and window_index <= episode.seen_index:
        return episode, ()
    episode, closed = _catch_up(episode, now)
    episode, told = _fold(episode, reason, now)
    return _remembered(episode, now), (*closed, *told)


def finish(episode: Episode | None, *, model: str) -> Step:
    """The job has ended: close what is open at the last window that was folded in."""
    if episode is None:
        return None, ()
    quiet = _quiet(episode, (episode.seen_index + 1) * episode.span_ns)
    if episode.phase is not Phase.OPEN:
        return quiet, ()
    return quiet, (_closed(episode, episode.seen_index, model),)


class _Now(Struct, frozen=True):
    """The window that is being folded in."""

    printer: str
    job: str
    kind: Kind
    index: int
    span_ns: int
    model: str
    policy: KindPolicy

    @property
    def end_ns(self) -> int:
        return (self.index + 1) * self.span_ns

    def windows(self, seconds: float) -> int:
        return max(1, math.ceil(seconds * NS_PER_S / self.span_ns))


def _catch_up(episode: Episode | None, now: _Now) -> Step:
    """Let the time up to this window pass, without a reason; end the old job where this one is new.

    A new job knows no cooldown: another print that fails is another thing to tell.
    """
    if episode is None:
        return None, ()
    if episode.job == now.job:
        return _lapse(episode, now.index - 1, now)
    ended, closed = finish(episode, model=now.model)
    return ended and replace(ended, job=now.job), closed


def _lapse(episode: Episode, until: int, now: _Now) -> tuple[Episode, tuple[Anomaly, ...]]:
    """Close an open episode that nothing has held up to and including the window ``until``."""
    over = episode.held_index + now.windows(now.policy.close_after_s)
    if episode.phase is not Phase.OPEN or until < over:
        return episode, ()
    closed = _closed(episode, over, now.model)
    cool_until = over + 1 + math.ceil(now.policy.cooldown_s * NS_PER_S / now.span_ns)
    cooling = replace(_quiet(episode, closed.at_ns), phase=Phase.COOLING, cool_until=cool_until)
    return cooling, (closed,)


def _fold(episode: Episode | None, reason: Reason | None, now: _Now) -> Step:
    if episode is not None and episode.phase is Phase.OPEN:
        if reason is None or reason.probability < now.policy.close_below:
            return _lapse(episode, now.index, now)
        return _hold(episode, reason, now)
    if reason is None or reason.probability < now.policy.open_at:
        return episode, ()
    certain = reason.probability >= now.policy.certain_at
    if episode is not None and now.index < episode.cool_until and not certain:
        return episode, ()
    gathered = _gather(episode or _first(now), reason, now)
    if certain or reason.weighed or len(gathered.hits) >= now.policy.min_windows:
        return _open(gathered, reason, now)
    return gathered, ()


def _first(now: _Now) -> Episode:
    return Episode(
        phase=Phase.QUIET,
        printer=now.printer,
        job=now.job,
        kind=now.kind,
        span_ns=now.span_ns,
        seen_index=now.index,
    )


def _gather(episode: Episode, reason: Reason, now: _Now) -> Episode:
    """Note this window as evidence; forget what lies too far back to count together with it."""
    hits = (*_fresh(episode.hits, now), Hit(now.index, reason.since_ns, reason.probability))
    return replace(episode, phase=Phase.GATHERING, hits=hits)


def _fresh(hits: tuple[Hit, ...], now: _Now) -> tuple[Hit, ...]:
    oldest = now.index - now.windows(now.policy.within_s)
    return tuple(hit for hit in hits if hit.window > oldest)


def _open(episode: Episode, reason: Reason, now: _Now) -> Step:
    onset_ns = min(max(episode.hits[0].since_ns, episode.floor_ns), now.end_ns - 1)
    opened = Anomaly(
        id=anomaly_id(now.printer, now.job, now.kind, onset_ns // now.span_ns),
        printer=now.printer,
        job=now.job,
        kind=now.kind,
        state=State.OPENED,
        revision=1,
        severity=max(hit.probability for hit in episode.hits),
        score=reason.probability,
        onset_ns=onset_ns,
        detected_ns=now.end_ns,
        at_ns=now.end_ns,
        text=reason.text,
        evidence=Evidence(frames=_frames((), reason), channels=dict(reason.channels)),
        boxes=reason.boxes,
        model=now.model,
    )
    return _telling(episode, opened, now), (opened,)


def _telling(episode: Episode, anomaly: Anomaly, now: _Now) -> Episode:
    """The episode after this revision was told."""
    return replace(
        episode,
        phase=Phase.OPEN,
        hits=(),
        cool_until=0,
        held_index=now.index,
        told_index=now.index,
        told=anomaly.severity,
        anomaly=anomaly,
    )


def _hold(episode: Episode, reason: Reason, now: _Now) -> Step:
    """This window keeps the anomaly open; tell it again where it has become firmer."""
    firmer = _firmer(_running(episode), reason)
    held = replace(episode, held_index=now.index, anomaly=firmer)
    if not _worth_telling(held, firmer.severity, now):
        return held, ()
    updated = replace(
        firmer, state=State.UPDATED, revision=firmer.revision + 1, at_ns=now.end_ns, model=now.model
    )
    return _telling(held, updated, now), (updated,)


def _running(episode: Episode) -> Anomaly:
    if episode.anomaly is None:
        raise ValueError(f"found an open episode of {episode.kind} without its anomaly: the state is damaged")
    return episode.anomaly


def _firmer(anomaly: Anomaly, reason: Reason) -> Anomaly:
    """The anomaly with this window's score, and with its words where it is surer than all before."""
    if reason.probability <= anomaly.severity:
        return replace(anomaly, score=reason.probability)
    frames = _frames(anomaly.evidence.frames, reason)
    return replace(
        anomaly,
        score=reason.probability,
        severity=reason.probability,
        text=reason.text,
        evidence=Evidence(frames=frames, channels=dict(reason.channels)),
        boxes=reason.boxes,
    )


def _worth_telling(episode: Episode, severity: float, now: _Now) -> bool:
    """Grown noticeably, or firm now (certain, or beyond doubt) and not when last told."""
    if now.index - episode.told_index < now.windows(UPDATE_EVERY_S):
        return False
    grew = severity >= episode.told + GREW_BY
    return grew or any(episode.told < firm <= severity for firm in (now.policy.certain_at, 1.0))


def _closed(episode: Episode, index: int, model: str) -> Anomaly:
    running = _running(episode)
    at_ns = (index + 1) * episode.span_ns
    return replace(running, state=State.CLOSED, revision=running.revision + 1, at_ns=at_ns, model=model)


def _quiet(episode: Episode, floor_ns: int) -> Episode:
    """What is left of an episode: where it stood and that none may reach back before its end."""
    return replace(
        episode, phase=Phase.QUIET, floor_ns=floor_ns, cool_until=0, hits=(), told=0.0, anomaly=None
    )


def _remembered(episode: Episode | None, now: _Now) -> Episode | None:
    """The episode as it stands after this window; None where there is nothing to remember."""
    if episode is None:
        return None
    hits, phase = _fresh(episode.hits, now), episode.phase
    gave_up = phase is Phase.GATHERING and not hits
    cooled = phase is Phase.COOLING and now.index + 1 >= episode.cool_until
    if gave_up or cooled:
        phase = Phase.COOLING if now.index + 1 < episode.cool_until else Phase.QUIET
    if phase is Phase.QUIET and not episode.floor_ns:
        return None
    return replace(episode, phase=phase, hits=hits, seen_index=now.index)


def _frames(frames: tuple[FrameRef, ...], reason: Reason) -> tuple[FrameRef, ...]:
    for frame in (*reason.earlier, reason.frame):
        if frame is not None and frame not in frames:
            frames = (*frames[:1], *frames[1:][-(KEPT_FRAMES - 2) :], frame)
    return frames


__all__ = ["POLICIES", "Episode", "Hit", "KindPolicy", "Phase", "Step", "advance", "finish"]
