"""One simulated print beforehand: job, machine, look, faults and confounders, drawn by split and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from ingest.simulate import confounders
from ingest.simulate.confounders import Confounder, Span, draw_confounders
from ingest.simulate.course import Course, draw_course, suits
from ingest.simulate.faults import BLINDING, TRUTH, Fault
from ingest.simulate.happenings import Happening
from ingest.simulate.jobs.sample import Job, sample_job
from ingest.simulate.look import Look
from ingest.simulate.looks.sample import sample_look
from ingest.simulate.machines import sample_machine
from ingest.simulate.onsets import draw_blindness, draw_fault, draw_kind
from ingest.simulate.printer import Start
from ingest.simulate.spec import Board, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Order

FAILING = 0.5
"""Share of the prints that fail, where nothing else is asked for."""
HOST_SHARE = 2 / 3  # of the prints: a host tells what the G-code asks for
POSITION_SHARE = 0.5  # of the boards without such a host: they report positions
STAMPING_SHARE = 0.5  # of the cameras: tell when the light fell
LONGEST_CAMERA_S = 0.3  # from the light to the watch
MOST_JITTER_S = 0.02
MOST_CONFOUNDERS = 6
PLAIN_TRAITS = frozenset({"gyroid", "several_parts", "skirt", "real"})  # nobody takes them for failures
MACHINES_TRIED = 20  # until one has the power for the job
JOBS_TRIED = 3  # until one fits the fault
COURSES_TRIED = 6
KINDS_TRIED = 20

SPARED = "-spared"
"""What the name of a counterfactual ends with."""

ASPECTS = ("job", "machine", "look", "fault", "confounders", "telling", "body")
"""Each is drawn from a generator of its own, so that a change of one leaves the others as they were."""


class Telling(StrEnum):
    """What a recording's telemetry comes from."""

    PORT = "port"  # a serial port that the firmware reports to; the job comes from elsewhere
    HOST = "host"  # beside the host that streams the job
    KLIPPY_LOG = "klippy_log"  # heaters once a second
    MOONRAKER = "moonraker"  # heaters and motion four times a second


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """How a recording hears and sees its printer. ``stamps_capture``: the camera's times are those of the
    light; otherwise those of the arrival, ``camera_late_s`` later."""

    telling: Telling
    positions: bool
    camera_late_s: float
    stamps_capture: bool
    jitter_s: float
    offset_s: float  # of the recording's begin against the full hour


class Scenario(NamedTuple):
    """All that decides a recording. ``number`` counts the prints of a split and a seed; ``spared`` marks the
    counterfactual of one that fails."""

    split: Split
    seed: int
    number: int
    seconds: float
    fps: float
    job: Job
    spec: MachineSpec
    look: Look
    course: Course
    faults: tuple[Fault, ...]
    confounders: tuple[Confounder, ...]
    wiring: Wiring
    body_seed: int
    spared: bool = False

    @property
    def name(self) -> str:
        """What the recording is called."""
        return print_name(self.split, self.seed, self.number) + (SPARED if self.spared else "")

    @property
    def fails(self) -> bool:
        """Whether something of the print itself goes wrong."""
        return any(TRUTH[fault.kind] not in BLINDING for fault in self.faults)

    @property
    def counterfactual(self) -> Scenario:
        """The very same print without its failure; what blinds the watch stays."""
        blinding = tuple(fault for fault in self.faults if TRUTH[fault.kind] in BLINDING)
        return self._replace(faults=blinding, spared=True)

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """What goes on around the printer."""
        return tuple(one for each in self.confounders for one in each.happenings)

    @property
    def orders(self) -> tuple[Order, ...]:
        """What somebody tells the printer meanwhile, by time."""
        return tuple(sorted(order for each in self.confounders for order in each.orders))

    @property
    def traits(self) -> tuple[str, ...]:
        """What of the job itself may look wrong."""
        return tuple(trait for trait in self.job.traits if trait not in PLAIN_TRAITS)[:MOST_CONFOUNDERS]


def print_name(split: Split, seed: int, number: int) -> str:
    """What a print of a set is called."""
    return f"{split}-{seed}-{number:05d}"


def draw(
    seed: int,
    split: Split,
    number: int,
    *,
    seconds: float = 900.0,
    fps: float = 1.0,
    failing: float = FAILING,
    gcode: Path | None = None,
    size: tuple[int, int] = (320, 240),
    kinds: Sequence[str] = (),
) -> Scenario:
    """The scenario of one print; the same arguments give the same one.

    ``failing``: share of the prints in which something of the print itself goes wrong; ``gcode``: a folder of
    real G-code files, of which some jobs are taken; ``size``: width and height of the picture, pixels;
    ``kinds``: kinds of failure that take turns print by print, for sets with as many of each; where there are
    none, the mechanisms' weights decide.
    """
    rngs = {aspect: _rng(seed, split, number, aspect) for aspect in ASPECTS}
    fails = bool(rngs["fault"].random() < failing)
    truth = kinds[number % len(kinds)] if kinds else None
    plan = _planned(rngs, split, gcode, seconds, fails=fails, truth=truth)
    by_lines = plan.spec.board is Board.MARLIN
    return Scenario(
        split=split,
        seed=seed,
        number=number,
        seconds=seconds,
        fps=fps,
        job=plan.job,
        spec=plan.spec,
        look=sample_look(rngs["look"], split, plan.job.path, size=size),
        course=plan.course,
        faults=(*plan.faults, *draw_blindness(rngs["fault"], seconds, by_lines=by_lines)),
        confounders=_confounders(rngs["confounders"], split, plan),
        wiring=_wiring(rngs["telling"], plan.spec),
        body_seed=int(rngs["body"].integers(2**31)),
    )


def _rng(seed: int, split: Split, number: int, aspect: str) -> np.random.Generator:
    return np.random.default_rng([seed, list(Split).index(split), number, ASPECTS.index(aspect)])


class _Plan(NamedTuple):
    """A job on a machine, the part of it that is recorded, and what fails there."""

    job: Job
    spec: MachineSpec
    course: Course
    faults: tuple[Fault, ...] = ()


def _planned(
    rngs: Mapping[str, np.random.Generator],
    split: Split,
    gcode: Path | None,
    seconds: float,
    *,
    fails: bool,
    truth: str | None,
) -> _Plan:
    """A job, and a fault that shows in it, if one is wanted.

    The fault is drawn first: other jobs are tried until one fits, then other faults with the last job. A
    print that fits none (a recording of seconds) stays sound.
    """
    rng, kind = rngs["fault"], draw_kind(rngs["fault"], split, truth)
    for _ in range(JOBS_TRIED if fails else 1):
        job = sample_job(rngs["job"], split, gcode)
        spec = _machine(rngs["machine"], split, job)
        for _ in range(COURSES_TRIED):
            course = draw_course(rng, split, job.path, seconds, spec, job.targets_c, failing=fails)
            if not fails:
                return _Plan(job, spec, course)
            if fault := draw_fault(rng, split, kind, course):
                return _Plan(job, spec, course, (fault,))
    for _ in range(KINDS_TRIED):
        course = draw_course(rng, split, job.path, seconds, spec, job.targets_c, failing=True)
        if fault := draw_fault(rng, split, draw_kind(rng, split, truth), course):
            return _Plan(job, spec, course, (fault,))
    return _Plan(job, spec, course)


def _machine(rng: np.random.Generator, split: Split, job: Job) -> MachineSpec:
    """A machine that has the power for the job, if one is found at all."""
    for _ in range(MACHINES_TRIED):
        spec = sample_machine(rng, split)
        if suits(spec, job.targets_c):
            break
    return spec


def _confounders(rng: np.random.Generator, split: Split, plan: _Plan) -> tuple[Confounder, ...]:
    """As many as the job's own traits leave room for."""
    traits = sum(trait not in PLAIN_TRAITS for trait in plan.job.traits)
    room = max(MOST_CONFOUNDERS - traits, 0)
    course = plan.course
    span = Span(course.first_s + 10.0, course.last_s - 20.0, course.seconds)
    targets = confounders.Job(*plan.job.targets_c)
    onsets_s = tuple(fault.at_s for fault in plan.faults)
    return draw_confounders(rng, split, int(rng.integers(0, min(room, 5) + 1)), span, targets, onsets_s)


def _wiring(rng: np.random.Generator, spec: MachineSpec) -> Wiring:
    by_host = rng.random() < HOST_SHARE
    klipper = spec.board is Board.KLIPPER
    with_host = Telling.MOONRAKER if klipper else Telling.HOST
    without = Telling.KLIPPY_LOG if klipper else Telling.PORT
    return Wiring(
        telling=with_host if by_host else without,
        positions=bool(rng.random() < POSITION_SHARE),
        camera_late_s=float(rng.uniform(0.0, LONGEST_CAMERA_S)),
        stamps_capture=bool(rng.random() < STAMPING_SHARE),
        jitter_s=float(rng.uniform(0.0, MOST_JITTER_S)),
        offset_s=float(rng.random()),
    )


def in_words(scenario: Scenario) -> str:
    """The scenario as JSON, for the recording's metadata: all but the G-code."""
    told = {
        "split": scenario.split,
        "seed": scenario.seed,
        "number": scenario.number,
        "seconds": scenario.seconds,
        "fps": scenario.fps,
        "job": scenario.job.name,
        "material": scenario.job.material,
        "targets_c": scenario.job.targets_c,
        "traits": scenario.job.traits,
        "start": "cold" if scenario.course.start is Start.COLD else "printing",
        "begin_s": scenario.course.begin_s,
        "job_s": scenario.course.path.duration_s,
        "machine": scenario.spec,
        "wiring": scenario.wiring,
        "faults": [_fault(fault) for fault in scenario.faults],
        "confounders": scenario.confounders,
        "look": scenario.look,
    }
    return msgspec.json.encode(told, enc_hook=_plain).decode()


def _fault(fault: Fault) -> dict[str, object]:
    return {**msgspec.structs.asdict(fault), "truth": TRUTH[fault.kind]}


def _plain(value: object) -> object:
    """numpy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"found a {type(value).__name__}, expected what JSON can hold")
