"""What was said of a part, as an object for JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from detector.printability.check import Verdict
from detector.printability.physical.finding import Finding
from detector.printability.physical.orientation import Orientation

MM_DIGITS, SHARE_DIGITS, SECONDS_DIGITS = 3, 6, 3
"""Digits behind the point in JSON: what lies behind them is rounding."""


def to_dict(verdict: Verdict) -> dict[str, Any]:
    """Everything but the findings' faces, as an object for JSON; mm are of the file's coordinates."""
    where = verdict.network_where_mm
    asked = verdict.probability is not None
    return {
        "file": verdict.file,
        "printable": verdict.printable,
        "needs_support": verdict.needs_support,
        "headline": verdict.headline,
        "reasons": list(verdict.reasons),
        "advice": list(verdict.advice),
        "size_mm": _mm(verdict.size_mm),
        "triangles": verdict.triangles,
        "watertight": verdict.watertight,
        "process": msgspec.to_builtins(verdict.process),
        "network": {
            "probability": round(verdict.probability or 0.0, SHARE_DIGITS),
            "threshold": verdict.threshold,
            "where_mm": None if where is None else _mm(where),
        }
        if asked
        else None,
        "findings": [_finding(one) for one in verdict.findings],
        "orientations": [_orientation(way) for way in verdict.orientations],
        "notes": list(verdict.notes),
        "seconds": {name: round(taken, SECONDS_DIGITS) for name, taken in verdict.seconds.items()},
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "problem": one.problem.value,
        "severity": one.severity,
        "where_mm": _mm(one.where_mm),
        "size_mm": round(one.size_mm, MM_DIGITS),
        "angle_deg": None if one.angle_deg is None else round(one.angle_deg, 1),
        "area_mm2": round(one.area_mm2, MM_DIGITS),
        "faces": len(one.faces),
        "text": one.text,
    }


def _orientation(way: Orientation) -> dict[str, Any]:
    return {
        "text": way.text,
        "support_area_mm2": round(way.support_area_mm2, MM_DIGITS),
        "height_mm": round(way.height_mm, MM_DIGITS),
        "rotation": way.rotation.round(SHARE_DIGITS).tolist(),
    }


def _mm(point: Sequence[float]) -> list[float]:
    return [round(value, MM_DIGITS) for value in point]
