"""What the network's alarms rest on: explained print by print, as when they are told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from msgspec.structs import replace

from detector.evaluation.outcome import PrintOutcome, Told
from detector.explain import Scores, weights_of
from detector.learning.methods import PrintSet, of_model
from detector.learning.sequences import Filed, batch_of, read_sequence
from detector.learning.shards import BEAT_NS
from detector.model.kinds import FINE
from detector.model.temporal import Tokens
from detector.model.watch_model import WatchModel
from detector.senses import leading
from ingest.records import NS_PER_S


def explained(prints: PrintSet, outcomes: Sequence[PrintOutcome]) -> list[PrintOutcome]:
    """The outcomes of the prints, in their order; the alarm by which the network found a failure says what it
    rests on ("" where nothing counts by itself)."""
    return [_explained(prints.model, filed, one) for filed, one in zip(prints.filed, outcomes, strict=True)]


def _explained(model: WatchModel, filed: Filed, one: PrintOutcome) -> PrintOutcome:
    if one.found is None or one.found.by_rule or one.found.rests_on:
        return one
    found = replace(one.found, rests_on=rests_on(model, tokens_before(model, filed, one.found)))
    return replace(one, told=tuple(found if each is one.found else each for each in one.told))


def tokens_before(model: WatchModel, filed: Filed, alarm: Told) -> Tokens:
    """The tokens on which an alarm was told: those of its beat, and of as many before as the network sees."""
    whole = read_sequence(filed)
    begin_ns = whole.facts.begin_ns or int(whole.beats[0]) * BEAT_NS
    beat = round((begin_ns + alarm.at_s * NS_PER_S) / BEAT_NS) - 1
    first, last = np.searchsorted(whole.beats, (beat - model.about.temporal.horizon + 1, beat + 1))
    return batch_of([whole.part(int(first), int(last))]).tokens


def rests_on(model: WatchModel, tokens: Tokens) -> str:
    """The channel that is told first of why the last beat is scored as it is."""
    calibration, _ = of_model(model)

    @torch.inference_mode()
    def score(variants: Tokens) -> Scores:
        logits = model.temporal(variants).logits[:, -1].numpy()
        return np.asarray(1 - calibration.probabilities(logits)[:, FINE], np.float64)

    return leading(weights_of(tokens, score))
