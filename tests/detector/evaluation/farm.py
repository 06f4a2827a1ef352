"""Prints made up for the tests: what failed when, and what was told."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace

from detector.evaluation.outcome import PrintOutcome, Told

SHARES = {"spaghetti": 0.6, "stall": 0.1, "heater_fault": 0.3}
NUMBERS = {"spaghetti": 30, "stall": 20, "heater_fault": 10}
ENDS_S = 3600.0
ONSET_S = 1200.0


def told(at_s: float, kind: str = "spaghetti", onset_s: float | None = None, score: float = 0.9) -> Told:
    return Told(at_s=at_s, kind=kind, onset_s=at_s if onset_s is None else onset_s, score=score)


def normal(name: str = "n", *alarms: Told, **what: Any) -> PrintOutcome:
    return PrintOutcome(name=name, **{"hours": 1.0, "ends_s": ENDS_S, "told": alarms} | what)


def failing(name: str = "f", *alarms: Told, **what: Any) -> PrintOutcome:
    given = {"kind": "spaghetti", "onset_s": ONSET_S, "hours": 1.0, "ends_s": ENDS_S, "told": alarms}
    return PrintOutcome(name=name, **given | what)


def farm(
    seed: int = 0, *, missed: float = 0.2, alarmed: float = 0.1, normals: int = 100
) -> list[PrintOutcome]:
    """A set in which about these shares are missed and falsely alarmed; the same prints at every seed."""
    rng = np.random.default_rng(seed)
    prints = [normal(f"n{number}") for number in range(normals)]
    prints += [failing(f"{kind}{n}", kind=kind) for kind, many in NUMBERS.items() for n in range(many)]
    return [_watched(one, rng, missed, alarmed) for one in prints]


def _watched(one: PrintOutcome, rng: np.random.Generator, missed: float, alarmed: float) -> PrintOutcome:
    alarms = [told(600.0)] if rng.random() < alarmed else []
    if one.fails and rng.random() >= missed:
        alarms.append(told(ONSET_S + float(rng.exponential(40.0)), str(one.kind), ONSET_S + 5.0))
    peaks = (float(rng.random()) * 0.5, 0.3 + 0.7 * float(rng.random()))
    return replace(one, told=tuple(alarms), peaks=peaks)
