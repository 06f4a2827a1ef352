"""``make surface-table``: trains what the surface table is made of, and writes it.

    python -m bench.surface [--jobs N] [--tables-only]

Hours on two cores, seconds where the rows are there already (``out/surface``). Writes ``bench/surface.json``
and the table in ``docs/findings.md``. Data: NEU, 200 + 40 + 60 pictures of each class, five seeds.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import torch
from rich.console import Console

from bench.figure import ms_side_by_side
from bench.jobs import run
from bench.machine import ROOT, origin
from bench.surface_jobs import SEEDS, jobs
from bench.surface_tables import CLASSES, Rows, in_findings, tables
from bench.surface_trials import MSA, TEST
from detector.model.engine import compiled
from detector.surface.networks import build
from detector.training.intervals import mean_over_seeds, wilson
from sinks.json_text import as_json

RESULTS = ROOT / "bench" / "surface.json"
FINDINGS = ROOT / "docs" / "findings.md"
COMMAND = "make surface-table"
NAMES = {"full": "200", "n100": "100", "n50": "50", "n10": "10"}


def main() -> None:
    """Run what is missing, then write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time")
    parser.add_argument("--tables-only", action="store_true", help="train nothing")
    asked = parser.parse_args()
    console = Console()
    if not asked.tables_only and not run(jobs(), asked.jobs, console):
        sys.exit(
            "some trainings failed: run them by hand to see why, for instance python -m bench.surface_trials"
        )
    rows = Rows.read(SEEDS)
    speed = ms_per_image()
    told = {**origin(COMMAND), **figures(rows), "ms_per_image": speed["fast"], "ms": speed}
    RESULTS.write_bytes(as_json(told))
    page = tables(rows, speed)
    FINDINGS.write_text(in_findings(FINDINGS.read_text(encoding="utf-8"), page), encoding="utf-8")
    console.print(page, markup=False)


def figures(rows: Rows) -> dict[str, object]:
    """Mean accuracies over seeds, each with its interval, for programs."""
    clear = {name: [row.test.accuracy for row in rows.of(f"msa-{count}")] for name, count in NAMES.items()}
    plain = {name: [row.test.accuracy for row in rows.of(f"plain-{count}")] for name, count in NAMES.items()}
    for of, kind in ((clear, "msa"), (plain, "plain")):
        of["noise_20db"] = [row.test.noise["20"] for row in rows.of(f"{kind}-200")]
    few, unlike = rows.few, rows.unlike
    return {
        **_means(clear),
        "plain": _means(plain),
        "modern": _means({"full": [row.test.accuracy for row in rows.of("modern-200")]}),
        "published": _means(
            {
                "full": [row.test.accuracy for row in rows.of("published-200")],
                "noise_20db": [row.test.noise["20"] for row in rows.of("published-200")],
            }
        ),
        "reject": min(mean(row.prints for row in unlike), mean(row.grey_prints for row in unlike)),
        "rejected": {
            name: mean(getattr(row, name) for row in unlike) for name in ("prints", "grey_prints", "textures")
        },
        "lost": mean(row.test.none_of_these for row in rows.of("msa-200")),
        "fewshot": mean(row.new for row in few),
        "fewshot_lost": mean(row.old_before - row.old_after for row in few),
        "fewshot_seconds": max(row.seconds for row in few),
        "other": msgspec.to_builtins(rows.other),
        "seconds": rows.seconds(),
    }


def _means(of: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """The mean of each list over seeds, and two intervals: ``ci`` is Wilson's over all that was judged,
    ``ci_seeds`` Student's over the trainings."""
    judged, of = TEST * CLASSES, {name: values for name, values in of.items() if values}
    right = {name: round(sum(values) * judged) for name, values in of.items()}
    return {
        **{name: mean(values) for name, values in of.items()},
        "ci": {name: wilson(right[name], judged * len(of[name]))[1:] for name in of},
        "ci_seeds": {name: mean_over_seeds(values)[1:] for name, values in of.items() if len(values) > 1},
    }


def mean(values: Iterable[float]) -> float:
    """The plain mean."""
    return float(np.mean(list(values)))


def ms_per_image() -> dict[str, float]:
    """What one picture takes on one core, ms: the fast engine beside plain torch, in turns."""
    torch.set_num_threads(1)
    network = build(MSA, CLASSES).eval()
    pictures = np.random.default_rng(1).normal(0, 60, (1, 3, 224, 224)).astype(np.float32)
    tensor, run = torch.from_numpy(pictures), compiled(network, ("logits", "cells", "embedding"), 224)

    @torch.inference_mode()
    def plainly() -> None:
        network.judge(tensor)

    fast, plain = ms_side_by_side(lambda: run(pictures), plainly, each=1, baseline_each=1)
    return {"fast": fast, "torch": plain}


if __name__ == "__main__":
    main()
