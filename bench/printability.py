"""``make printability-table``: trains what the printability table is made of, and writes it.

    python -m bench.printability [--jobs N] [--tables-only]

Half a day on two cores; what is in ``out/printability`` already is kept, and a training that was stopped goes
on. Rows that are missing are left out of the table. Writes ``bench/printability.json`` and the table in
``docs/findings.md``. Data: the meshes of the data folder (``stl``), split by designer there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping

import msgspec
from rich.console import Console

from bench.jobs import Job, run
from bench.machine import ROOT, data_dir, origin
from bench.printability_networks import costs
from bench.printability_tables import in_findings, page
from bench.printability_trials import NETS, OUT, PARTS, TRIALS, Row, path_of
from bench.printability_voxels import voxel_figures
from detector.printability.evaluate import Evaluated
from sinks.json_text import as_json

RESULTS = ROOT / "bench" / "printability.json"
FINDINGS = ROOT / "docs" / "findings.md"
COMMAND = "make printability-table"


def main() -> None:
    """Run what is missing, then write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time")
    parser.add_argument("--tables-only", action="store_true", help="train nothing")
    asked = parser.parse_args()
    console = Console()
    if not asked.tables_only and not _run(asked.jobs, console):
        sys.exit("some trainings failed: run them by hand to see why (python -m bench.printability_trials)")
    rows = {name: msgspec.json.decode(path_of(name).read_bytes(), type=Row) for name in _there()}
    told = {**origin(COMMAND), **figures(rows)}
    RESULTS.write_bytes(as_json(told))
    table = page(rows, costs())
    FINDINGS.write_text(in_findings(FINDINGS.read_text(encoding="utf-8"), table), encoding="utf-8")
    console.print(table, markup=False)


def figures(rows: Mapping[str, Row]) -> dict[str, object]:
    """The figures that programs read; nets and splits that were not trained are left out."""
    told: dict[str, object] = {
        f"{how}_split": {net: _of(rows[f"{how}-{net}"].test) for net in NETS if f"{how}-{net}" in rows}
        for how in ("random", "honest")
    }
    if "rotated-ours" in rows:
        told["rotated"] = {"ours": _of(rows["rotated-ours"].test)}
    counted = costs()
    for net, name in NETS.items():
        told[net] = counted[name]
    return told | voxel_figures(out=OUT / "voxels.json")


def _of(test: Evaluated) -> dict[str, object]:
    figures = {name: getattr(test, name) for name in ("accuracy", "f1", "auc")}
    return {
        **{name: figure.value for name, figure in figures.items()},
        "ci": {name: figure.ci for name, figure in figures.items()},
        "samples": test.samples,
        "parts": test.parts,
    }


def _there() -> list[str]:
    return [name for name in TRIALS if path_of(name).is_file()]


def _run(jobs: int, console: Console) -> bool:
    meshes = data_dir() / "stl"
    command = [sys.executable, "-m", "nozzlewatch", "printability", "preprocess", meshes, "-o", PARTS]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        return False
    trials = [Job(name, ("bench.printability_trials", name), path_of(name)) for name in TRIALS]
    return run(trials, jobs, console)


if __name__ == "__main__":
    main()
