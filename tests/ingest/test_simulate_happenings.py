"""What happens around a simulated printer: it shows while it lasts, and then it is over."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.simulate import confounders
from ingest.simulate.confounders import Span, draw_confounders
from ingest.simulate.happenings import PUT_BACK, Happening, HappeningKind, scenery
from ingest.simulate.moment import Light, Passing, View
from ingest.simulate.splits import Split

USUAL = (Light(), View(), ())
TARGETS = confounders.Job(210.0, 60.0)


def happening(kind: HappeningKind, *, strength: float = 1.0, seed: int = 3) -> Happening:
    return Happening(kind=kind, at_s=100.0, until_s=140.0, strength=strength, seed=seed)


def test_where_nothing_happens_all_is_as_usual() -> None:
    assert scenery((), 50.0) == USUAL


@pytest.mark.parametrize("kind", HappeningKind)
def test_a_happening_changes_what_is_seen_only_while_it_lasts(kind: HappeningKind) -> None:
    one = happening(kind)
    assert scenery([one], 99.0) == USUAL
    assert any(scenery([one], at_s) != USUAL for at_s in (105.0, 110.5, 120.0, 130.0))
    if kind is not HappeningKind.NUDGE:
        assert scenery([one], 140.0) == USUAL


def test_a_room_without_light_is_dark_but_not_black() -> None:
    light, _, _ = scenery([happening(HappeningKind.LIGHTS_OFF)], 120.0)
    assert 0.0 < light.room < 0.1
    assert light.lamp == 1.0


def test_a_knocked_camera_is_put_back_but_for_a_little() -> None:
    one = happening(HappeningKind.NUDGE)
    knocked = scenery([one], 120.0)[1]
    left = scenery([one], 200.0)[1]
    assert abs(knocked.pan_deg) > 0.1
    assert left.pan_deg == pytest.approx(PUT_BACK * knocked.pan_deg)
    assert left.tilt_deg == pytest.approx(PUT_BACK * knocked.tilt_deg)


def test_a_hand_comes_in_and_goes_again() -> None:
    seen = [scenery([happening(HappeningKind.HAND)], at_s)[2] for at_s in (100.0, 120.0, 139.9)]
    assert [visitors[0].kind for visitors in seen] == [Passing.HAND] * 3
    assert [round(visitors[0].phase, 1) for visitors in seen] == [0.0, 0.5, 1.0]


def test_only_the_night_turns_the_infrared_lamp_on() -> None:
    lit = {kind: scenery([happening(kind)], 120.0)[0].infrared for kind in HappeningKind}
    assert [kind for kind, infrared in lit.items() if infrared] == [HappeningKind.NIGHT]


def test_a_flicker_is_the_same_whenever_one_asks_and_never_steady() -> None:
    one = happening(HappeningKind.LAMP_FLICKER)
    times = [100.0 + step / 3 for step in range(60)]
    forwards = [scenery([one], at_s) for at_s in times]
    backwards = [scenery([one], at_s) for at_s in reversed(times)]
    assert forwards == backwards[::-1]
    assert len({light.lamp for light, _, _ in forwards}) > 30


def test_two_happenings_add_up() -> None:
    dark, flicker = happening(HappeningKind.LIGHTS_OFF), happening(HappeningKind.LAMP_FLICKER)
    light, _, visitors = scenery([dark, flicker, happening(HappeningKind.PERSON)], 120.0)
    assert light.room < 0.1
    assert light.lamp < 1.0
    assert len(visitors) == 1


def drawn(seed: int, onsets_s: tuple[float, ...] = ()) -> tuple[confounders.Confounder, ...]:
    rng = np.random.default_rng(seed)
    return draw_confounders(rng, Split.TRAIN, 6, Span(10.0, 800.0, 900.0), TARGETS, onsets_s)


def test_what_is_overridden_is_set_back_in_the_end() -> None:
    for one in (one for seed in range(60) for one in drawn(seed)):
        codes = [order.command.split()[0] for order in one.orders]
        if one.name in ("speed_override", "flow_override"):
            assert codes[0] == codes[1]
            assert one.orders[1].command.endswith("S100")
        if one.name == "hotend_override":
            assert one.orders[1].command == "M104 S210"
        if one.name == "pause":
            assert codes == ["M25", "M24"]
        assert all(one.from_s <= order.at_s <= one.until_s for order in one.orders)


def test_the_job_is_not_paused_when_a_fault_is_about_to_show() -> None:
    for one in (one for seed in range(200) for one in drawn(seed, (400.0,))):
        if one.name in ("pause", "filament_change"):
            assert one.until_s < 400.0 or one.from_s > 400.0 + confounders.AFTER_ONSET_S


def test_every_kind_of_confounder_comes_and_none_twice_in_one_print() -> None:
    sets = [[one.name for one in drawn(seed)] for seed in range(120)]
    assert all(len(names) == len(set(names)) for names in sets)
    assert {name for names in sets for name in names} >= {kind.value for kind in HappeningKind}
    assert {"pause", "filament_change", "power_flicker", "fan_override"} <= {
        n for names in sets for n in names
    }
