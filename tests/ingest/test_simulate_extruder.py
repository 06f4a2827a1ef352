"""What comes out of the simulated nozzle of what is asked, healthy and with each fault of the flow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ingest.simulate.extruder import MECHANISMS, TUBE_MM, Extruder
from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.spec import STEP_S

ASKED_MM_S = 3.0
HOT_C = 210.0
ONSET_S = 60.0


def shares(
    *faults: Fault,
    seconds: float = 600.0,
    asked_mm_s: float = ASKED_MM_S,
    hotend_c: float = HOT_C,
    seed: int = 1,
) -> npt.NDArray[np.float64]:
    """What comes out in each control step of what is asked, [steps]."""
    extruder, plan, rng = Extruder(), FaultPlan(faults), np.random.default_rng(seed)
    times_s = (np.arange(round(seconds / STEP_S)) + 1) * STEP_S
    given = [extruder.step(STEP_S, asked_mm_s, hotend_c, plan, at_s, rng) for at_s in times_s]
    return np.array(given) / asked_mm_s


def fault(kind: FaultKind, severity: float = 1.0, seed: int = 5, growth_s: float = 0.0) -> Fault:
    return Fault(kind=kind, at_s=ONSET_S, severity=severity, seed=seed, growth_s=growth_s)


def after(share: npt.NDArray[np.float64], onset_s: float = ONSET_S) -> npt.NDArray[np.float64]:
    return share[round(onset_s / STEP_S) :]


def test_a_healthy_extruder_gives_what_is_asked_but_for_the_filaments_thickness() -> None:
    share = shares(seconds=3600.0)
    assert share.mean() == pytest.approx(1.0, abs=0.01)
    assert 0.005 < share.std() < 0.02
    assert np.abs(np.diff(share)).max() < 0.01, "it changes slowly"


def test_nothing_asked_is_nothing_given() -> None:
    extruder, rng = Extruder(), np.random.default_rng(1)
    plan = FaultPlan(fault(kind) for kind in MECHANISMS)
    assert all(extruder.step(STEP_S, 0.0, HOT_C, plan, at_s, rng) == 0.0 for at_s in (1.0, 100.0, 200.0))


@pytest.mark.parametrize("kind", MECHANISMS)
def test_no_fault_acts_before_its_onset_and_all_after_it(kind: FaultKind) -> None:
    sound, ailing = shares(), shares(fault(kind))
    before = round(ONSET_S / STEP_S) - 1
    assert np.array_equal(sound[:before], ailing[:before])
    assert after(ailing, 300.0).mean() < 0.85 * after(sound, 300.0).mean()


@pytest.mark.parametrize("kind", MECHANISMS)
def test_a_fault_goes_by_its_own_seed(kind: FaultKind) -> None:
    assert np.array_equal(shares(fault(kind)), shares(fault(kind)))
    assert not np.array_equal(shares(fault(kind)), shares(fault(kind, seed=6)))


def test_a_clog_leaves_a_quarter_and_wanders() -> None:
    share = after(shares(fault(FaultKind.CLOG)))
    assert share.mean() == pytest.approx(0.25, abs=0.04)
    assert share.std() > 0.05
    steps = np.abs(np.diff(share))
    assert steps.max() < 0.15, "slow noise"
    assert after(shares(fault(FaultKind.CLOG, severity=0.3))).mean() > 0.7


def test_a_clog_is_worse_the_more_is_asked() -> None:
    slow, fast = (after(shares(fault(FaultKind.CLOG), asked_mm_s=mm_s)).mean() for mm_s in (1.0, 6.0))
    assert slow > 0.33
    assert fast < 0.18


def test_a_growing_clog_grows() -> None:
    share = after(shares(fault(FaultKind.CLOG, growth_s=400.0)))
    early, late = share[:400].mean(), share[-400:].mean()
    assert early > 0.85
    assert late < 0.35


def test_heat_creep_comes_and_goes_and_dwindles() -> None:
    share = after(shares(fault(FaultKind.HEAT_CREEP), seconds=2460.0))
    minutes = share[: 2400 * 5].reshape(-1, 75).mean(axis=1)  # of 15 s
    assert np.sum(np.diff(np.sign(minutes - minutes.mean())) != 0) > 20, "up and down again"
    assert share[: 600 * 5].mean() > share[-600 * 5 :].mean() + 0.05


def test_a_blocked_nozzle_lets_next_to_nothing_through_within_seconds() -> None:
    for seed in range(5):
        share = after(shares(fault(FaultKind.FULL_CLOG, seed=seed), seconds=120.0))
        assert share[20 * 5 :].max() <= 0.035


def test_the_filament_in_the_tube_still_comes_and_then_nothing() -> None:
    rest_mm = []
    for seed in range(8):
        share = after(shares(fault(FaultKind.RUN_OUT, seed=seed)), ONSET_S)
        rest_mm.append(share.sum() * STEP_S * ASKED_MM_S)
        assert share[-1] == 0.0
        ran_out = int(np.argmin(share > 0.0))
        assert not share[ran_out:].any()
        assert share[: max(ran_out - 1, 0)].min(initial=1.0) > 0.9
    assert max(rest_mm) - min(rest_mm) > 100.0
    assert max(rest_mm) < TUBE_MM[1] * 1.05


def test_a_grinding_gear_slips_longer_and_longer_and_then_turns_for_nothing() -> None:
    share = after(shares(fault(FaultKind.GRINDING)))
    over = int(np.argmin(share > 0.0))
    slips = share[:over] < 0.5
    assert 10 < np.count_nonzero(np.diff(slips.astype(int)) == 1) < 60
    assert slips[: over // 2].mean() < 0.6 * slips[over // 2 :].mean()
    assert not share[over:].any()


def test_cold_filament_does_not_flow() -> None:
    assert not shares(hotend_c=129.0, seconds=10.0).any()
    assert 0.3 < shares(hotend_c=140.0, seconds=10.0).mean() < 0.7
    assert shares(hotend_c=151.0, seconds=10.0).mean() > 0.95


def test_a_fault_that_ends_leaves_a_sound_extruder() -> None:
    short = Fault(kind=FaultKind.CLOG, at_s=10.0, until_s=20.0)
    assert shares(short)[round(20.0 / STEP_S) :].min() > 0.9


def test_the_healthy_part_of_the_noise_is_the_same_with_and_without_a_fault() -> None:
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    for rng, plan in zip(rngs, (FaultPlan(), FaultPlan([fault(FaultKind.GRINDING)])), strict=True):
        extruder = Extruder()
        for step in range(1000):
            extruder.step(STEP_S, ASKED_MM_S, HOT_C, plan, step * STEP_S, rng)
    assert rngs[0].random() == rngs[1].random()
