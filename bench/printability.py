"""``make printability-table``: trains what the printability table is made of, and writes it.

    python -m bench.printability [--jobs N] [--tables-only]

Four to twenty core-hours, by what the cores can do in bfloat16; what is in ``out/printability`` already is
kept, and a training that was stopped goes on. A row that is not there stays what ``bench/printability.json``
says of it, with the commit that it was measured with; without that it is left out. Writes that file and the
table in ``docs/findings.md``. Data: the meshes of the data folder (``stl``), split by designer there.
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
from bench.printability_tables import Told, in_findings, page, told_of
from bench.printability_trials import NETS, OUT, PARTS, TRIALS, Row, path_of
from bench.printability_voxels import voxel_figures
from sinks.json_text import as_json

RESULTS = ROOT / "bench" / "printability.json"
FINDINGS = ROOT / "docs" / "findings.md"
COMMAND = "make printability-table"
VOXEL_FIGURES = ("voxel_seconds_100k", "voxel_agreement", "voxel_agreement_mean")


class Results(msgspec.Struct):
    """Of the file of results, what the next run reads. Voxels are compared again with each whole run."""

    rows: dict[str, Told] = {}
    voxel_seconds_100k: float | None = None
    voxel_agreement: float | None = None
    voxel_agreement_mean: float | None = None

    @property
    def voxels(self) -> dict[str, float | None]:
        """What ``voxel_figures`` told."""
        return {name: getattr(self, name) for name in VOXEL_FIGURES}


def main() -> None:
    """Run what is missing, then write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings at a time")
    parser.add_argument("--tables-only", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    console = Console()
    if not asked.tables_only and not _run(asked.jobs, console):
        sys.exit("some trainings failed: run them by hand to see why (python -m bench.printability_trials)")
    before = kept()
    known = before.rows | measured_rows()
    rows = {name: known[name] for name in TRIALS if name in known}
    voxels = before.voxels if asked.tables_only else voxel_figures(out=OUT / "voxels.json")
    told = {**origin(COMMAND), **figures(rows), **voxels, "rows": msgspec.to_builtins(rows)}
    RESULTS.write_bytes(as_json(told))
    table = page(rows, costs())
    FINDINGS.write_text(in_findings(FINDINGS.read_text(encoding="utf-8"), table), encoding="utf-8")
    console.print(table, markup=False)


def kept() -> Results:
    """What the file of results says of what was measured before."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=Results) if RESULTS.is_file() else Results()


def measured_rows() -> dict[str, Told]:
    """Those of ``out/printability``."""
    paths = {name: path_of(name) for name in TRIALS if path_of(name).is_file()}
    return {name: told_of(msgspec.json.decode(path.read_bytes(), type=Row)) for name, path in paths.items()}


def figures(rows: Mapping[str, Told]) -> dict[str, object]:
    """The figures that programs read; nets and splits that were not trained are left out."""
    told: dict[str, object] = {
        f"{how}_split": {net: _of(rows[f"{how}-{net}"]) for net in NETS if f"{how}-{net}" in rows}
        for how in ("random", "honest")
    }
    if "rotated-ours" in rows:
        told["rotated"] = {"ours": _of(rows["rotated-ours"])}
    counted = costs()
    for net, name in NETS.items():
        told[net] = counted[name]
    return told


def _of(row: Told) -> dict[str, object]:
    figures = {"accuracy": row.accuracy, "f1": row.f1, "auc": row.auc}
    return {
        **{name: figure.value for name, figure in figures.items()},
        "ci": {name: figure.ci for name, figure in figures.items()},
        "samples": row.samples,
        "parts": row.parts,
    }


def _run(jobs: int, console: Console) -> bool:
    meshes = data_dir() / "stl"
    preprocess = ["-m", "nozzlewatch", "printability", "preprocess", str(meshes), "-o", str(PARTS)]
    if subprocess.run([sys.executable, *preprocess], cwd=ROOT, check=False).returncode != 0:
        return False
    trials = [Job(name, ("bench.printability_trials", name), path_of(name)) for name in TRIALS]
    return run(trials, jobs, console)


if __name__ == "__main__":
    main()
