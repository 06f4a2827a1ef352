"""Camera faults: how the picture of a camera that was knocked, lost its focus or was covered differs."""

from __future__ import annotations

from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.moment import View
from ingest.simulate.ranges import between

MOVED_DEG = (6.0, 40.0)  # at severity 0 and 1, mean
ROLLED_DEG = 12.0  # standard deviation at severity 1
UPWARD = 0.35  # of the turn, standard deviation of the part that goes up or down
FALLS_S = 0.6  # how long the camera takes to its new place
LEAST_BLUR = 0.3


def blinded(plan: FaultPlan, at_s: float, view: View) -> View:
    """The view with what the camera's faults add at a time."""
    for fault in plan.faults:
        if fault.at_s <= at_s < fault.until_s:
            view = _added(view, fault, at_s)
    return view


def _added(view: View, fault: Fault, at_s: float) -> View:
    if fault.kind is FaultKind.CAMERA_BLACK:
        return view._replace(covered=True)
    if fault.kind is FaultKind.CAMERA_BLURRED:
        return _blurred(view, fault, at_s)
    return _moved(view, fault, at_s) if fault.kind is FaultKind.CAMERA_MOVED else view


def _moved(view: View, fault: Fault, at_s: float) -> View:
    """Turned once and for all, as the fault's seed draws it."""
    rng = fault.rng()
    turn_deg = between(MOVED_DEG, fault.severity) * float(rng.uniform(0.7, 1.3))
    sign, up, roll = float(rng.choice((-1.0, 1.0))), float(rng.normal()), float(rng.normal())
    share = min((at_s - fault.at_s) / FALLS_S, 1.0)
    return view._replace(
        pan_deg=view.pan_deg + share * sign * turn_deg,
        tilt_deg=view.tilt_deg + share * UPWARD * up * turn_deg,
        roll_deg=view.roll_deg + share * ROLLED_DEG * fault.severity * roll,
    )


def _blurred(view: View, fault: Fault, at_s: float) -> View:
    """Out of focus or greasy, as the fault's seed draws it."""
    rng = fault.rng()
    amount = max(fault.severity_at(at_s), LEAST_BLUR)
    greasy = float(rng.uniform())
    dirt, blur = max(view.dirt, amount * greasy), max(view.blur, amount * max(1.0 - greasy, 0.5))
    return view._replace(blur=blur, dirt=dirt)
