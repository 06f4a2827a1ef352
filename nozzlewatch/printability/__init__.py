"""``nozzlewatch printability …``: which parts can be printed, learned from meshes with holes."""

from __future__ import annotations

from nozzlewatch.lazy import lazy_app

app = lazy_app(
    "nozzlewatch.printability",
    ("check", "preprocess", "train", "tune", "evaluate"),
    told="Tell which parts can be printed: check, train, evaluate.",
)
