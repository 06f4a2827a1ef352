"""``nozzlewatch surface …``: which defect a surface has, learned from folders of pictures."""

from __future__ import annotations

from nozzlewatch.lazy import lazy_app

app = lazy_app(
    "nozzlewatch.surface",
    ("train", "tune", "finetune", "inspect", "evaluate", "demo"),
    told="Tell which defect a surface has: train on folders, inspect, evaluate.",
)
