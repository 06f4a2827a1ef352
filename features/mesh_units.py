"""From a file's unit to millimetres, and files whose unit cannot be what was taken."""

from __future__ import annotations

from collections.abc import Mapping

from features.mesh_records import MeshError, Soup, Unit

MM_PER: Mapping[Unit, float] = {
    "mm": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "inch": 25.4,
    "foot": 304.8,
    "micron": 0.001,
}

SMALLEST_MM, LARGEST_MM = 1.0, 2000.0
"""Longest side of what is printed. Beyond it the unit is taken to be another one, until it is said."""

TINIEST_MM, HUGEST_MM = 1e-3, 1e6
"""Longest side beyond which no unit makes sense, said or not."""


def in_mm(soup: Soup, told: Unit | None) -> Soup:
    """The same triangles in mm: their unit is the one that was ``told``, else the file's, else mm.

    Raises MeshError for a longest side that makes no sense, and says in which unit it would.
    """
    points, held, unit = soup.points, soup.unit, told or soup.unit or "mm"
    longest = max(float(points[:, axis].max()) - float(points[:, axis].min()) for axis in range(3))
    mm = longest * MM_PER[unit]
    likely = SMALLEST_MM <= mm <= LARGEST_MM
    if not TINIEST_MM <= mm <= HUGEST_MM or not (likely or told):
        raise MeshError(_doubt(longest, unit, held))
    notes: tuple[str, ...] = ()
    if told and held and told != held:
        notes = (f"The file says {held}; it was taken to be in {told}, as asked.",)
    elif unit != "mm":
        notes = (f"The file is in {unit}: its longest side is {mm:.4g} mm.",)
    return soup._replace(
        points=points if unit == "mm" else points * MM_PER[unit], unit="mm", notes=(*soup.notes, *notes)
    )


def _doubt(longest: float, unit: Unit, held: Unit | None) -> str:
    """What a side of this length would be in other units, where that makes sense."""
    others = {
        other: longest * mm
        for other, mm in MM_PER.items()
        if other != unit and SMALLEST_MM <= longest * mm <= LARGEST_MM
    }
    said = " or ".join(f"{other} ({mm:.4g} mm)" for other, mm in others.items())
    source = f"in {unit}, as the file says" if held == unit else f"in {unit}"
    return (
        f"found a longest side of {longest:.4g} {source}, expected {SMALLEST_MM:g} mm to {LARGEST_MM:g} mm: "
        + (f"the unit may be {said}, say which" if said else "scale the mesh and export it anew")
    )
