"""The kinds of failure that the network learns, in the order of its outputs."""

from __future__ import annotations

from detector.anomaly import BLIND, Kind

KINDS: tuple[Kind, ...] = tuple(kind for kind in Kind if kind not in BLIND and kind is not Kind.UNUSUAL)
"""Class 0 of the temporal network is a print that is fine, class ``1 + n`` is ``KINDS[n]``."""

VISUAL: tuple[Kind, ...] = KINDS[: KINDS.index(Kind.BLOB) + 1]
"""Those of them that a picture can show; the others are told by telemetry alone."""

FINE = 0
"""The class of a print that is fine."""
