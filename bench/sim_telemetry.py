"""Simulated heaters beside those of real Klipper machines: the same figures of both, and their distance.

    python -m bench.sim_telemetry [--data DIR] [--machines N]

A machine in one state (printing, or hot and idle) is one sample: rows of one machine are no independent ones.
The simulated are N Klipper machines of the three splits in turn, ten minutes each, as often printing as the
real ones, with the flow of the data's G-code files. Constants of ``ingest.simulate.machines`` were changed to
fit half A of the real machines; half B had no say in that, though all were looked at before the first draft.
Real logs do not tell the flow (``gcodein`` is 0 for prints from the virtual SD card), so how power follows
flow is told of the simulated alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.heater_logs import (
    Floats,
    Log,
    Trace,
    WarmUp,
    describe,
    read_logs,
    read_marlin,
    stretches,
    warm_ups,
)
from bench.heaters_simulated import Simulated, simulate
from bench.machine import ROOT, data_dir
from bench.sim_recordings import write_section
from bench.two_samples import LEVEL, compare, draw
from ingest.simulate.jobs.read import read_job
from ingest.simulate.spec import Board, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.thermistor import TEN_BIT
from ingest.simulate.toolpath import Toolpath, square_rings
from ingest.simulate.version import simulator_version

PICTURES = ROOT / "docs" / "pictures"
MARLIN_LOG = Path("serial") / "Shortybw_serial_short_log.log"
PRINTING = tuple(number % 11 < 6 for number in range(11))  # 6 of 11 real samples print
AVERAGED_S = (1, 10, 30)  # over which flow and power are averaged before they are correlated
TITLES = {
    "sigma_k": "error: standard deviation, K",
    "mean_k": "error: mean, K",
    "lag_1": "error: correlation after 1 s",
    "lag_10": "error: correlation after 10 s",
    "duty_per_k": "mean duty per K of excess",
    "duty_sigma": "duty: standard deviation",
    "bed_sigma_k": "bed error: standard dev., K",
    "bed_duty_sigma": "bed duty: standard deviation",
    "rate_k_s": "warm-up 100 to 170 C, K/s",
    "overshoot_k": "overshoot after warm-up, K",
    "late_share": "share of intervals > 1.05 s",
}


class Machine(NamedTuple):
    """A real machine: its samples by state, the median of its warm-ups, and the times between its reports."""

    traces: list[Trace]
    warm_up: WarmUp | None
    intervals_s: Floats


def real_machine(logs: Sequence[Log]) -> Machine:
    """What the logs of one machine say."""
    pieces = [piece for log in logs for piece in stretches(log)]
    states = [[piece for piece in pieces if piece.is_printing is state] for state in (True, False)]
    steps_s = np.concatenate([np.diff(log.at_s) for log in logs])
    climbs = [climb for log in logs for climb in warm_ups(log)]
    return Machine(
        [describe(state) for state in states if state],
        WarmUp(*np.median(climbs, axis=0)) if climbs else None,
        steps_s[(steps_s > 0.0) & (steps_s < 10.0)],
    )


Samples = dict[str, Floats]


def samples(machines: Sequence[Machine]) -> Samples:
    """The values of every figure over machines."""
    traces = np.array([trace for machine in machines for trace in machine.traces]).reshape(-1, 8)
    climbs = np.array([machine.warm_up for machine in machines if machine.warm_up]).reshape(-1, 2)
    late = np.array([float((machine.intervals_s > 1.05).mean()) for machine in machines])
    return {
        **dict(zip(Trace._fields, traces.T, strict=True)),
        **dict(zip(WarmUp._fields, climbs.T, strict=True)),
        "late_share": late,
    }


def simulated_samples(watched: Sequence[Simulated]) -> Samples:
    """The same of simulated machines."""
    return samples([_as_machine(one) for one in watched])


def _as_machine(one: Simulated) -> Machine:
    climb = WarmUp(*np.median(one.warm_ups, axis=0)) if one.warm_ups else None
    return Machine([describe([one.holding])], climb, one.intervals_s)


def flow_and_power(watched: Sequence[Simulated]) -> dict[str, list[float]]:
    """Correlation of flow and duty over printing machines, averaged over some seconds: 10, 50 and 90 %."""
    printing = [one for one in watched if one.holding.is_printing]
    return {
        f"averaged_{seconds}_s": _spread([_correlation(one, seconds) for one in printing])
        for seconds in AVERAGED_S
    }


def marlin(log_file: Path, machines: int, printed: Sequence[Toolpath]) -> dict[str, object]:
    """One real Marlin with a converter of ten bits (36 reports) beside simulated ones of the train split."""
    real = describe([read_marlin(log_file)])
    traces = [
        describe([simulate(seed, Split.TRAIN, printed[seed % len(printed)], _is_ten_bit).holding])
        for seed in range(machines)
    ]
    return {
        "real_sigma_k": round(real.sigma_k, 3),
        "simulated_sigma_k_10_50_90": _spread([trace.sigma_k for trace in traces]),
        "real_duty_sigma": round(real.duty_sigma, 3),
        "simulated_duty_sigma_10_50_90": _spread([trace.duty_sigma for trace in traces]),
    }


def _is_ten_bit(spec: MachineSpec) -> bool:
    return spec.board is Board.MARLIN and spec.hotend_sensor == TEN_BIT


def _correlation(one: Simulated, seconds: int) -> float:
    flow, duty = (
        values[: len(values) // seconds * seconds].reshape(-1, seconds).mean(axis=1)
        for values in (one.flow_mm_s, one.holding.duty)
    )
    return float(np.corrcoef(flow, duty)[0, 1]) if flow.std() > 0.0 and duty.std() > 0.0 else 0.0


def _spread(values: Sequence[float] | Floats) -> list[float]:
    return [round(float(value), 4) for value in np.nanquantile(np.array(values), [0.1, 0.5, 0.9])]


def side_by_side(real: Samples, simulated: Samples) -> dict[str, object]:
    """Distance, chance and both middles of every figure."""
    rng = np.random.default_rng(1)
    return {name: _beside(real[name], simulated[name], rng) for name in TITLES}


def _beside(real: Floats, simulated: Floats, rng: np.random.Generator) -> dict[str, object]:
    found = compare(real, simulated, rng)
    return {
        "ks": found.distance,
        "chance": found.chance,
        "agrees": found.chance > LEVEL,
        "real_10_50_90": _spread(real),
        "simulated_10_50_90": _spread(simulated),
        "real_samples": int((~np.isnan(real)).sum()),
    }


def paths(data: Path) -> list[Toolpath]:
    """What the simulated machines print: the data's G-code files, square rings where there are none."""
    files = sorted((data / "gcode").glob("*.gcode"))
    return [_read(file) for file in files] or [square_rings()]


def _read(file: Path) -> Toolpath:
    with file.open(errors="replace") as lines:
        return read_job(lines)


def watch(machines: int, printed: Sequence[Toolpath]) -> list[Simulated]:
    """Simulated machines of the splits in turn."""
    states = islice(cycle(PRINTING), machines)
    splits = list(Split)
    return [
        simulate(number, splits[number % len(splits)], printed[number % len(printed)] if prints else None)
        for number, prints in enumerate(states)
    ]


def halves(data: Path) -> tuple[list[Machine], list[Machine]]:
    """Real machines, every second one in the order of their names."""
    logs = read_logs(data / "telemetry" / "klippy_stats.csv")
    machines = [real_machine(logs[repo]) for repo in sorted(logs)]
    usable = [machine for machine in machines if machine.traces]
    return usable[0::2], usable[1::2]


def measure(data: Path, machines: int) -> dict[str, object]:
    """Everything, with the pictures drawn."""
    tuned, untouched = (samples(half) for half in halves(data))
    printed = paths(data)
    watched = watch(machines, printed)
    simulated = simulated_samples(watched)
    both = {name: np.concatenate([tuned[name], untouched[name]]) for name in TITLES}
    curves = {"simulated": simulated, "real, half A": tuned, "real, half B": untouched}
    for file, names in _sheets().items():
        panels = {TITLES[name]: {who: values[name] for who, values in curves.items()} for name in names}
        draw(panels, PICTURES / file)
    return {
        "machines": machines,
        "half_a_tuned_on": side_by_side(tuned, simulated),
        "half_b_untouched": side_by_side(untouched, simulated),
        "all": side_by_side(both, simulated),
        "all_by_split": {split.value: _of_split(both, watched, split) for split in Split},
        "flow_and_power_10_50_90": flow_and_power(watched),
        "marlin_one_log": marlin(data / "telemetry" / MARLIN_LOG, machines // 6, printed),
    }


def _of_split(real: Samples, watched: Sequence[Simulated], split: Split) -> dict[str, float]:
    """Distance of one split's machines alone."""
    simulated = simulated_samples([one for one in watched if one.split is split])
    rng = np.random.default_rng(1)
    return {name: compare(real[name], simulated[name], rng).distance for name in TITLES}


def _sheets() -> dict[str, list[str]]:
    names = list(TITLES)
    return {"sim-telemetry-hold.png": names[:6], "sim-telemetry-more.png": names[6:]}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--machines", type=int, default=198)
    asked = parser.parse_args()
    command = f"python -m bench.sim_telemetry --machines {asked.machines}"
    figures = measure(asked.data, asked.machines)
    print(json.dumps(figures, indent=1))
    write_section("telemetry", command, {"simulator": simulator_version(), **figures})


if __name__ == "__main__":
    main()
