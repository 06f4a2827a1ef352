"""The G-code file that simulated printers have on their card."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.simulate.printer import PLA_C
from ingest.simulate.toolpath import CENTRE_MM, E_PER_MM, LAYER_MM, PRINT_MM_S

CUBE = "CUBE.GCO"
SIDE_MM, LAYERS = 20.0, 40
_TURNS = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))


def cube(layers: int = LAYERS, targets_c: tuple[float, float] = PLA_C) -> str:
    """The walls of a cube, as a slicer writes them: heated, homed, drawn, everything off at the end."""
    hotend_c, bed_c = targets_c
    begin = ["G21", "G90", "M82", f"M140 S{bed_c:g}", f"M104 S{hotend_c:g}", "G28"]
    heat = [f"M190 S{bed_c:g}", f"M109 S{hotend_c:g}", "G92 E0", "M106 S255"]
    end = ["M104 S0", "M140 S0", "M107", "G28 X", "M84"]
    return "\n".join([*begin, *heat, *_walls(layers), *end]) + "\n"


def _walls(layers: int) -> Iterator[str]:
    e_mm, half_mm = 0.0, SIDE_MM / 2
    corners = [(CENTRE_MM[0] + half_mm * x, CENTRE_MM[1] + half_mm * y) for x, y in _TURNS]
    for layer in range(layers):
        yield f";LAYER:{layer}"
        yield f"G0 X{corners[0][0]:g} Y{corners[0][1]:g} Z{(layer + 1) * LAYER_MM:.2f} F9000"
        for x_mm, y_mm in corners[1:]:
            e_mm += SIDE_MM * E_PER_MM
            yield f"G1 X{x_mm:g} Y{y_mm:g} E{e_mm:.4f} F{PRINT_MM_S * 60:g}"
