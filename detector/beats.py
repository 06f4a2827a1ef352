"""Beats as the detector keeps them: tokens, which the network's memory is made of, and where it stands.

A token holds what the senses said of one beat, as half floats and as the network is fed with it, so that a
detector which starts anew gives the network the very same numbers as one that never stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.beyond import Looks
from detector.model.failure_map import levels, logits_of
from detector.model.past import Past
from detector.verdict import Evidence
from features.beats import BEAT_WINDOWS, beat_of, closes_beat, frame_of_beat
from features.channels import sensor_token
from features.flow import FlowState, flow
from features.sequence import History
from ingest.records import FrameRef, Mark, Record, Window


class Token(Record, frozen=True, kw_only=True):
    """What was sensed of one beat. Without a picture that can be judged, the three of it are None."""

    printer: str
    job: str
    model: str  # the weights that made it: another network cannot read its embedding
    beat: int
    end_ns: int
    embedding: bytes | None = None  # float16 [SIGHT_DIM]
    where: bytes | None = None  # uint8 [GRID, GRID], the failure map's probabilities of 255
    frame: FrameRef | None = None
    sensors: bytes  # float16 [SENSOR_DIM]
    known: bytes  # bool [SENSOR_DIM]
    heard: bool


class Because(Struct, frozen=True, kw_only=True):
    """What an alarm's explanation said when it opened."""

    kind: Kind
    text: str
    channels: dict[str, float]


class WatchState(Struct, frozen=True, kw_only=True):
    """Where the network stands at one printer; its memory is in the tokens."""

    model: str
    first_beat: int  # since when this print is watched: what lies before is no past of it
    past: Past = Past()  # of its pictures
    evidence: Evidence = Evidence()
    because: Because | None = None


def drafts(window: Window) -> bool:
    """Whether a window closes a beat of a print."""
    return closes_beat(window) and not window.marks & Mark.IDLE


def draft(history: History, model: str, clear_ns: int, balance: FlowState) -> Token:
    """What is known of the beat that the newest window closes (``drafts``), its picture yet to be looked at.

    ``clear_ns`` is when the newest picture was taken that bears no mark: a beat whose last picture is another
    one has none. ``balance`` is the print's heat balance after the beat.
    """
    window = history.newest
    frame = frame_of_beat(each for each in history.windows if each.job == window.job)
    sensed = sensor_token(history, flow(balance), BEAT_WINDOWS)
    return Token(
        printer=window.printer,
        job=window.job,
        model=model,
        beat=beat_of(window),
        end_ns=window.end_ns,
        frame=frame if frame is not None and frame.captured_ns == clear_ns else None,
        sensors=sensed.values.astype(np.float16).tobytes(),
        known=sensed.known.tobytes(),
        heard=sensed.heard,
    )


def seen_anew(state: WatchState) -> WatchState:
    """The same where the camera shows another scene from now on: its pictures have no past."""
    return replace(state, evidence=replace(state.evidence, looks=Looks()))


def belongs(token: Token, state: WatchState | None, job: str) -> bool:
    """Whether a token is of the past of a print that is being watched."""
    return (
        state is not None
        and (token.job, token.model) == (job, state.model)
        and token.beat >= state.first_beat
    )


def frames_of(tokens: Iterable[Token], beats: Iterable[int]) -> tuple[FrameRef, ...]:
    """The pictures of these beats, in the order of the tokens."""
    wanted = set(beats)
    return tuple(each.frame for each in tokens if each.beat in wanted and each.frame is not None)


def packed_map(logits: npt.NDArray[np.floating[Any]]) -> bytes:
    """A failure map's logits [rows, columns] as ``Token.where``."""
    return levels(logits).tobytes()


def unpacked_map(where: bytes) -> npt.NDArray[np.float64]:
    """``Token.where`` as logits [rows, columns] again."""
    flat = np.frombuffer(where, np.uint8)
    side = round(len(flat) ** 0.5)
    return logits_of(flat.reshape(side, side))
