"""Whether an alarm's reason names what fails: the truth of each kind, and what is counted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from detector.evaluation.figures import measured
from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.reasons import BY_MECHANISM, reasons, shows_in
from detector.evaluation.table import table
from detector.evaluation.weighing import Weighing
from detector.model.kinds import KINDS, VISUAL
from detector.senses import CAMERA
from features.channels import BALANCE, SOURCES
from ingest.simulate.faults import TRUTH
from tests.detector.evaluation.farm import ONSET_S, SHARES, failing, normal, told


def found(name: str, rests_on: str | None, kind: str = "spaghetti", **what: object) -> PrintOutcome:
    alarm = replace(told(ONSET_S + 5.0, kind), rests_on=rests_on)
    return failing(name, alarm, kind=kind, **what)


def test_every_kind_shows_in_something_that_an_alarm_can_name() -> None:
    for kind in KINDS:
        assert shows_in(kind, None)
        assert shows_in(kind, None) <= {CAMERA, *SOURCES}
    for mechanism in BY_MECHANISM:
        assert shows_in(TRUTH[mechanism], mechanism) <= {CAMERA, *SOURCES}


@pytest.mark.parametrize(
    ("kind", "mechanism", "right", "wrong"),
    [
        ("heater_fault", "open_heater", "hotend_power", "bed_power"),
        ("heater_fault", "open_bed", "bed_c", "hotend_c"),
        ("heater_fault", None, "bed_c", CAMERA),
        ("sensor_fault", "loose_thermistor", "hotend_c", CAMERA),
        ("under_extrusion", "clog", BALANCE, "hotend_c"),
        ("no_extrusion", "run_out", CAMERA, "fan"),
        ("stall", "line_errors", "resends", "hotend_c"),
        ("stall", "reset", "hotend_target_c", CAMERA),
        *((kind, None, CAMERA, "layer") for kind in VISUAL if "extrusion" not in kind),
    ],
)
def test_a_reason_is_right_where_it_names_what_the_failure_shows_in(
    kind: str, mechanism: str | None, right: str, wrong: str
) -> None:
    assert right in shows_in(kind, mechanism)
    assert wrong not in shows_in(kind, mechanism)
    assert "" not in shows_in(kind, mechanism)


def test_found_failures_with_a_known_reason_are_counted_by_kind() -> None:
    prints = [
        normal(),
        found("a", CAMERA),
        found("b", "fan"),
        found("c", ""),  # it named nothing
        found("d", None),  # nobody asked
        failing("missed"),
        failing("false", told(1.0)),
        found("e", "bed_power", "heater_fault", mechanism="open_bed"),
    ]
    told_of = reasons(Weighing(prints, SHARES))
    assert (told_of.prints, told_of.right) == (4, 2)
    kinds = {name: (one.prints, one.right, one.share) for name, one in told_of.kinds.items()}
    assert kinds == {"spaghetti": (3, 1, pytest.approx(1 / 3)), "heater_fault": (1, 1, 1.0)}
    low, high = told_of.kinds["spaghetti"].share_ci
    assert (low, high) == pytest.approx((0.061, 0.792), abs=0.001)  # Wilson, 1 of 3
    spaghetti, heater = 0.6 / 6, 0.3  # of a print of each kind, beside the other
    assert told_of.share == pytest.approx((spaghetti + heater) / (3 * spaghetti + heater))


def test_the_figures_and_their_table_tell_it() -> None:
    figures = measured([normal(), found("a", CAMERA), found("b", "fan")], SHARES)
    assert figures.reasons.share == pytest.approx(0.5)
    lines = table(figures).splitlines()
    assert any(line.startswith("spaghetti") and "1 of 2: 50 % [9, 91]" in line for line in lines)
    assert any("reasons that name first what fails: 50 %" in line and "(1 of 2" in line for line in lines)


def test_where_no_reason_is_known_there_is_no_share() -> None:
    told_of = measured([normal(), failing()], SHARES).reasons
    assert (told_of.prints, told_of.share, told_of.share_ci, told_of.kinds) == (0, None, None, {})
