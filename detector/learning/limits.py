"""From when on a trained watch alarms: all that is chosen on held-out prints, at once."""

from __future__ import annotations

from msgspec.structs import replace

from detector.learning.methods import WHOLE, PrintSet, chosen, natural_shares
from detector.learning.own_past import choose_beyond
from detector.model.watch_model import WatchModel


def with_limits(prints: PrintSet) -> WatchModel:
    """The model that judged these held-out prints, calibrated, with the limits of fewest mistakes on them."""
    calibration, limits = chosen(prints, WHOLE)
    beside = prints.told(WHOLE, calibration, limits)
    model, classes = prints.model, prints.model.temporal.classes
    about = replace(
        model.about,
        temperatures=calibration.temperatures(classes),
        biases=calibration.biases(classes),
        threshold=limits.threshold,
        thresholds={},
        min_beats=limits.min_beats,
        within_beats=limits.within_beats,
        beyond=choose_beyond(beside, prints.outlines, natural_shares()),
    )
    return model._replace(about=about)
