"""What colours filaments have: black, white, grey and clear in every split, the others in one each."""

from __future__ import annotations

import numpy as np

from ingest.simulate.look import Filament
from ingest.simulate.looks.colours import one_of
from ingest.simulate.looks.noise import chance
from ingest.simulate.splits import Split

PLAIN: dict[str, tuple[str, ...]] = {
    "black": ("#26262a", "#303033", "#222326"),
    "white": ("#e8e8e4", "#dcd9d0", "#eeece2"),
    "grey": ("#8b8d90", "#6a6c70", "#a6a8ab"),
}
HUES: dict[Split, tuple[str, ...]] = {
    Split.TRAIN: (
        "#c8201c",  # red
        "#ee6a12",  # orange
        "#f2d420",  # yellow
        "#1f8a3a",  # green
        "#1c4fc0",  # blue
        "#5a2ca0",  # purple
        "#d8489a",  # pink
        "#9fa3a8",  # silver
        "#19a0b8",  # turquoise
        "#7a4a2a",  # brown
    ),
    Split.VAL: ("#a01630", "#f09a28", "#58b030", "#2c7ad8", "#8a5cc8", "#c9a86a", "#0f6a68"),
    Split.TEST: (
        "#e8382c",
        "#f4b400",
        "#a8d818",
        "#0c2c78",
        "#b81c80",
        "#caa23c",
        "#48c8e8",
        "#d8a888",
        "#4c5a2c",
    ),
}
CLEAR: dict[Split, tuple[str, ...]] = {
    Split.TRAIN: ("#d8d4c4", "#c8d0d0"),
    Split.VAL: ("#cfd8cc",),
    Split.TEST: ("#d8c8b0", "#b8c8dc"),
}
# Shares of black, white, grey and clear among prints; the rest has a hue.
SHARES = {"black": 0.13, "white": 0.13, "grey": 0.13, "clear": 0.06}
SILK_SHARE = 0.15


def draw_filaments(rng: np.random.Generator, split: Split) -> tuple[Filament, ...]:
    """The filament of a print and the one that a change brings: another colour mostly."""
    return (draw_filament(rng, split), draw_filament(rng, split))


def draw_filament(rng: np.random.Generator, split: Split) -> Filament:
    """One filament of a split's palette."""
    kind = str(rng.choice([*SHARES, "hue"], p=[*SHARES.values(), 1.0 - sum(SHARES.values())]))
    silk = chance(rng, SILK_SHARE)
    codes = {**PLAIN, "clear": CLEAR[split], "hue": HUES[split]}[kind]
    return Filament(
        colour=one_of(rng, codes, 0.06),
        gloss=float(rng.uniform(0.55, 0.9) if silk else rng.uniform(0.1, 0.45)),
        unevenness=float(rng.uniform(0.02, 0.08)),
        clear=float(rng.uniform(0.3, 0.6)) if kind == "clear" else 0.0,
    )
