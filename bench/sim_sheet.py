"""A sheet of the simulator's pictures: each fault as it grows, each confounder, six farms, real ones beside.

    python -m bench.sim_sheet [-o out/sim-sheet.png] [--data DIR] [--seed 1] [--split train]
    python -m bench.sim_sheet --pages docs/pictures

For eyes: does it pass for a cheap webcam? Real frames are put beside it where the data is there; a sheet with
real frames on it stays outside of the project. ``--pages`` writes the simulated ones alone, as small JPEGs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bench.machine import data_dir
from ingest.simulate.faults import SEEN_ONLY, TRUTH, Fault, FaultKind
from ingest.simulate.happenings import Happening, HappeningKind, scenery
from ingest.simulate.jobs.draw import draw_plan, traits_of
from ingest.simulate.jobs.plan import JobPlan
from ingest.simulate.jobs.sample import job_of
from ingest.simulate.looks.sample import sample_look
from ingest.simulate.machines import sample_machine
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Order

Picture = npt.NDArray[np.uint8]

WIDE, HIGH, CAPTION = 320, 240, 18
UNSEEN = frozenset({FaultKind.CAMERA_SILENT, FaultKind.CAMERA_FROZEN})
SHOWN = [
    kind
    for kind in FaultKind
    if kind not in UNSEEN and (TRUTH[kind] in SEEN_ONLY | {"camera_fault"} or kind is FaultKind.STARVATION)
]
"""Faults that a camera sees: the others show by the head that stands still, or not at all."""
ONSET_S, GROWTH_S = 60.0, 120.0
STAGES_S = (-5.0, 40.0, 150.0, 420.0)
"""When the pictures are taken, from the onset on."""
BEGUN = 0.4  # share of the job
LEAST_HEIGHT_MM, CROWD = 16.0, 4
TRAITS = (
    "support", "fuzzy_skin", "ironing", "wipe_tower", "brim", "raft", "vase", "timelapse", "colour_change"
)  # fmt: skip
GAPS, GAPPY = "gaps", frozenset({"towers", "comb", "stairs", "lattice"})
PAGE_SCALE, PAGE_QUALITY = 0.62, 72
FARMS = 6
REAL = ("emptydeck", "hiltes", "mysticaldawn_fixedcam", "22yeets22")
REAL_COUNT = 12


class Farm:
    """Printers and cameras of one farm."""

    def __init__(self, seed: int, split: Split) -> None:
        self.seed, self.split = seed, split

    def printer(
        self,
        turn: int,
        faults: Sequence[Fault] = (),
        happenings: Sequence[Happening] = (),
        orders: Sequence[Order] = (),
        trait: str = "",
    ) -> SimulatedPrinter:
        """A printer in the middle of a job; with ``trait`` of one that has it."""
        rng = np.random.default_rng([self.seed, turn])
        plan = _plan(rng, self.split, trait)
        job = job_of(plan)
        path = job.path
        look = sample_look(np.random.default_rng([self.seed, 0, turn // FARMS]), self.split, path)
        return SimulatedPrinter(
            "sheet",
            self.seed,
            faults,
            orders=orders,
            path=path,
            look=look,
            spec=sample_machine(rng, self.split),
            targets_c=job.targets_c,
            begin_s=BEGUN * path.duration_s,
            scenery=partial(scenery, happenings),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("out/sim-sheet.png"))
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--pages", type=Path, help="a folder for pages without real frames")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", type=Split, default=Split.TRAIN)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    farms = [Farm(options.seed * 100 + number, options.split) for number in range(FARMS)]
    faults, looks = list(fault_rows(farms)), list(farm_rows(farms))
    confounders = [*happening_rows(farms), *trait_rows(farms), changed_row(farms[0])]
    if options.pages:
        for name, rows in (("faults", faults), ("confounders", confounders), ("farms", looks)):
            _write_page(options.pages / f"sim-{name}.jpg", rows)
        return
    left, right = [*faults, *confounders], [*looks, *real_rows(options.data / "images")]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    high = max(len(left), len(right))
    cv2.imwrite(str(options.out), np.hstack([_column(left, high), _column(right, high)]))
    print(f"{options.out}: {len(left)} rows of faults and confounders, farms and real frames beside")


def fault_rows(farms: Sequence[Farm]) -> Iterator[Picture]:
    """Four stages of each fault that a camera sees, each on another farm."""
    for turn, kind in enumerate(SHOWN):
        fault = Fault(kind=kind, at_s=ONSET_S, growth_s=GROWTH_S, seed=turn)
        trait = GAPS if kind is FaultKind.STRINGING else ""
        yield staged(farms[turn % FARMS].printer(turn, [fault], trait=trait), kind.value)


def happening_rows(farms: Sequence[Farm]) -> Iterator[Picture]:
    """Four stages of each confounder around the printer."""
    for turn, kind in enumerate(HappeningKind):
        happening = Happening(
            kind=kind, at_s=ONSET_S, until_s=ONSET_S + STAGES_S[-1], strength=1.0, seed=turn
        )
        yield staged(farms[turn % FARMS].printer(turn, happenings=[happening]), f"({kind.value})")


def trait_rows(farms: Sequence[Farm]) -> Iterator[Picture]:
    """What of a sound job itself may look like a failure."""
    for turn, trait in enumerate(TRAITS, len(HappeningKind)):
        yield staged(farms[turn % FARMS].printer(turn, trait=trait), f"({trait})")


def changed_row(farm: Farm) -> Picture:
    """A filament change: the head parks, somebody comes, another colour goes on."""
    return staged(farm.printer(1, orders=[Order(ONSET_S, "M600")]), "(M600)")


def staged(printer: SimulatedPrinter, name: str) -> Picture:
    """The printer's pictures at the stages, in a row."""
    return np.hstack(
        [picture(printer, ONSET_S + stage_s, f"{name} {stage_s:+.0f} s") for stage_s in STAGES_S]
    )


def farm_rows(farms: Sequence[Farm]) -> Iterator[Picture]:
    """What the farms look like: two sound prints of each."""
    for farm in farms:
        shots = [picture(farm.printer(turn), 90.0, f"farm {farm.seed}") for turn in (40, 41, 48, 49)]
        yield np.hstack(shots)


def picture(printer: SimulatedPrinter, at_s: float, caption: str) -> Picture:
    """What the camera shows at a time, with a caption."""
    jpeg = printer.jpeg_at(at_s)
    seen = np.zeros((HIGH, WIDE, 3), np.uint8) if jpeg is None else _decoded(jpeg)
    return _captioned(seen, caption)


def real_rows(images: Path) -> Iterator[Picture]:
    """Real frames from several cameras, where there are any."""
    manifest = images / "manifest.csv"
    if not manifest.is_file():
        return
    with manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] in REAL]
    rng = np.random.default_rng(0)
    for source in REAL:
        own = [row for row in rows if row["source"] == source]
        chosen = rng.choice(len(own), min(REAL_COUNT, len(own)), replace=False)
        shots = [_real(images / own[int(i)]["file"], f"REAL {source} {own[int(i)]['label']}") for i in chosen]
        for first in range(0, len(shots), 4):
            yield np.hstack(shots[first : first + 4])


def _plan(rng: np.random.Generator, split: Split, trait: str) -> JobPlan:
    """A job whose part is high enough to be seen and that goes on for long enough."""
    while True:
        plan = draw_plan(rng, split)
        solids = [part.solid for part in plan.parts]
        has_it = trait in traits_of(plan) or (not trait and len(solids) < CROWD) or _has_gaps(plan, trait)
        if has_it and min(solid.height_mm for solid in solids) >= LEAST_HEIGHT_MM:
            return plan


def _has_gaps(plan: JobPlan, trait: str) -> bool:
    return trait == GAPS and plan.parts[0].solid.family in GAPPY


def _real(path: Path, caption: str) -> Picture:
    seen = cv2.imread(str(path))
    assert seen is not None, path
    high, wide = seen.shape[:2]
    scale = max(HIGH / high, WIDE / wide)
    seen = cv2.resize(seen, (round(wide * scale) + 1, round(high * scale) + 1), interpolation=cv2.INTER_AREA)
    return _captioned(np.asarray(seen[:HIGH, :WIDE], np.uint8), caption)


def _decoded(jpeg: bytes) -> Picture:
    seen = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    return np.asarray(cv2.resize(seen, (WIDE, HIGH)), np.uint8)


def _captioned(seen: Picture, caption: str) -> Picture:
    strip = np.zeros((CAPTION, WIDE, 3), np.uint8)
    cv2.putText(strip, caption, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([seen, strip])


def _column(rows: Sequence[Picture], count: int) -> Picture:
    """Rows of four pictures under one another, filled up to ``count`` with black ones."""
    empty = np.zeros((HIGH + CAPTION, 4 * WIDE, 3), np.uint8)
    return np.vstack([*rows, *[empty] * (count - len(rows))])


def _write_page(path: Path, rows: Sequence[Picture]) -> None:
    small = cv2.resize(np.vstack(rows), None, fx=PAGE_SCALE, fy=PAGE_SCALE, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, PAGE_QUALITY])
    print(path)


if __name__ == "__main__":
    main()
