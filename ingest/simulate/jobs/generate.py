"""A small slicer: from what is to be printed to G-code in PrusaSlicer's form."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.jobs.extras import WipeTower, brim, skirt
from ingest.simulate.jobs.paths import Layer, Path, placed
from ingest.simulate.jobs.plan import JobPlan, Placed
from ingest.simulate.jobs.polygons import Canvas, Rings, bounds, moved
from ingest.simulate.jobs.script import Script, layer_seconds, shares_done
from ingest.simulate.jobs.slicing import Slicer
from ingest.simulate.jobs.spiral import spiral
from ingest.simulate.jobs.start_end import begin_print, end_print, park_for_picture
from ingest.simulate.jobs.support import PIXEL_MM, RAFT_LAYERS, SPACING_MM, raft, supports, zigzag
from ingest.simulate.toolpath import Floats

CANVAS_MARGIN_MM = 14.0
FINE_MM = 0.2  # pixel of the canvas that skirts and brims are found on
VARIATION, VARIATION_MM = 0.35, 17.0
"""Variable layer height: by what share it changes, and over what height it comes round again."""
WIPE_MM = (18.0, 26.0)
WIPE_GAP_MM = 12.0
FULL_FAN = 255


def generate(plan: JobPlan) -> list[str]:
    """The lines of the job's G-code. The same plan gives the same lines."""
    rng = np.random.default_rng(plan.seed)
    layers = _layers(plan, rng)
    seconds = [layer_seconds(layer, plan, first=not number) for number, layer in enumerate(layers)]
    changes = {round(share * len(layers)) for share in plan.extras.colour_layers}
    script = Script(plan)
    begin_print(script, plan)
    for number, (layer, share) in enumerate(zip(layers, shares_done(seconds), strict=True)):
        script.begin_layer(layer, number, share)
        if number in changes:
            script.say(";COLOR_CHANGE,T0", "M600")
        if number == 1:
            script.say(f"M106 S{plan.material.fan * FULL_FAN:.0f}")
        _write_layer(script, plan, layer, seconds[number], first=not number)
    end_print(script, plan, layers[-1].z_mm)
    return script.lines()


def _write_layer(script: Script, plan: JobPlan, layer: Layer, seconds: float, *, first: bool) -> None:
    rises = bool(layer.paths) and layer.paths[0].points.shape[1] > 2  # noqa: PLR2004 - it goes up by itself
    if not rises:
        script.rise(layer.z_mm)
    if plan.extras.timelapse and not rises:
        park_for_picture(script, plan)
    slower = min(seconds / plan.process.least_layer_s, 1.0)
    for path in layer.paths:
        script.lay(layer, path, slower, first=first)


def layer_heights(plan: JobPlan) -> tuple[Floats, Floats]:
    """Tops and heights of the layers in mm, up to the tallest part's top."""
    process = plan.process
    tallest_mm = max(part.solid.height_mm for part in plan.parts)
    heights, z_mm = [process.first_layer_mm], process.first_layer_mm
    while z_mm + process.layer_mm / 2 < tallest_mm:
        wave = VARIATION * math.sin(math.tau * z_mm / VARIATION_MM) if plan.extras.variable_layers else 0.0
        heights.append(round(process.layer_mm * (1.0 + wave), 3))
        z_mm += heights[-1]
    return np.round(np.cumsum(heights), 3), np.array(heights)


def _layers(plan: JobPlan, rng: np.random.Generator) -> list[Layer]:
    tops_mm, heights_mm = layer_heights(plan)
    slicers: dict[int, Slicer] = {}
    for part in plan.parts:
        if id(part.solid) not in slicers:
            slicers[id(part.solid)] = Slicer(part.solid, tops_mm, heights_mm, plan.process, plan.extras, rng)
    solid_layers = plan.process.bottom_layers if plan.extras.spiral else len(tops_mm)
    layers = [
        Layer(float(tops_mm[number]), float(heights_mm[number]), _of_parts(plan, slicers, number))
        for number in range(solid_layers)
    ]
    if plan.extras.spiral:
        layers += spiral(plan.parts[0], tops_mm[solid_layers:], heights_mm[solid_layers:], plan.process)
    return _with_extras(plan, layers, slicers, rng)


def _of_parts(plan: JobPlan, slicers: dict[int, Slicer], number: int) -> list[Path]:
    return [
        placed(path, part.x_mm, part.y_mm, part.turn)
        for part in plan.parts
        for path in slicers[id(part.solid)].paths(number)
    ]


def _with_extras(
    plan: JobPlan, layers: list[Layer], slicers: dict[int, Slicer], rng: np.random.Generator
) -> list[Layer]:
    """The layers with what comes before and under the parts."""
    extras, line_mm = plan.extras, plan.process.line_mm
    tower = _wipe_tower(plan) if extras.wipe_tower else None
    canvas = _canvas(plan)
    if extras.support:
        _add_supports(
            canvas, [_sections(plan, slicers, number) for number in range(len(layers))], layers, rng
        )
    if tower:
        for number, layer in enumerate(layers):
            layer.paths[:0] = tower.paths(number, line_mm)
    ground = _sections(plan, slicers, 0) + (tower.footprint if tower else [])
    fine = Canvas(canvas.low, canvas.low + np.array(canvas.shape[::-1]) * canvas.mm, FINE_MM)
    if extras.brim_mm:
        layers[0].paths[:0] = brim(fine, fine.fill(ground), extras.brim_mm, line_mm)
    if extras.skirt_loops:
        layers[0].paths[:0] = skirt(fine, fine.fill(ground), extras.skirt_loops, line_mm)
    if not extras.raft:
        return layers
    return _on_raft(
        plan, layers, [raft(canvas, canvas.fill(ground), number, rng) for number in range(RAFT_LAYERS)]
    )


def _add_supports(
    canvas: Canvas, sections: list[Rings], layers: list[Layer], rng: np.random.Generator
) -> None:
    standing = supports([canvas.fill(rings) for rings in sections])
    for layer, mask in zip(layers, standing, strict=True):
        layer.paths[:0] = zigzag(canvas, mask, False, SPACING_MM, rng)


def _on_raft(plan: JobPlan, layers: list[Layer], rafts: list[list[Path]]) -> list[Layer]:
    height_mm = plan.process.first_layer_mm
    under = [Layer(height_mm * (number + 1), height_mm, paths) for number, paths in enumerate(rafts)]
    up_mm = under[-1].z_mm
    return under + [layer._replace(z_mm=layer.z_mm + up_mm) for layer in layers]


def _sections(plan: JobPlan, slicers: dict[int, Slicer], number: int) -> Rings:
    """All parts' sections on a layer, on the bed."""
    rings: Rings = []
    for part in plan.parts:
        sections = slicers[id(part.solid)].sections
        if number < len(sections):
            rings += [moved(ring, part.x_mm, part.y_mm, part.turn) for ring in sections[number]]
    return rings


def _canvas(plan: JobPlan) -> Canvas:
    centres = np.array([[part.x_mm, part.y_mm] for part in plan.parts])
    reach = np.array([[part.solid.radius_mm] for part in plan.parts])
    margin_mm = CANVAS_MARGIN_MM + (sum(WIPE_MM) + WIPE_GAP_MM if plan.extras.wipe_tower else 0.0)
    low, high = bounds([centres - reach - margin_mm, centres + reach + margin_mm])
    return Canvas(low, high, PIXEL_MM)


def _wipe_tower(plan: JobPlan) -> WipeTower:
    """Beside the parts, to the right where there is room, else behind them."""
    right_mm = max(_edge(part, 0) for part in plan.parts) + WIPE_GAP_MM + WIPE_MM[0] / 2
    y_mm = float(np.mean([part.y_mm for part in plan.parts]))
    if right_mm + WIPE_MM[0] / 2 < plan.bed_mm[0] - 5.0:
        return WipeTower(right_mm, y_mm, *WIPE_MM)
    left_mm = min(2 * part.x_mm - _edge(part, 0) for part in plan.parts) - WIPE_GAP_MM - WIPE_MM[0] / 2
    return WipeTower(max(left_mm, WIPE_MM[0] / 2 + 12.0), y_mm, *WIPE_MM)


def _edge(part: Placed, axis: int) -> float:
    return (part.x_mm, part.y_mm)[axis] + part.solid.radius_mm
