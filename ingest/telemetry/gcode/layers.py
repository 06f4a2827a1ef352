"""Which layer a print is at and what it draws there, from slicers' comments, else from the height.

A host that streams a file often strips its comments, so both must do.
"""

from __future__ import annotations

import re

LEAST_RISE_MM = 0.02
"""Extruding so much higher begins a new layer; slicers go down to layers of 0.04 mm."""
SPIRAL_RISE_MM = 0.2
"""… and where the head rises while it extrudes (vase mode): the usual height of a layer."""
LONGEST_FEATURE = 64
"""Characters."""

_LAYER = re.compile(
    r"LAYER:(?P<cura>-?[0-9]{1,6})"
    r"|<layer (?P<icesl>[0-9]{1,6})>"
    r"|layer (?P<simplify3d>[0-9]{1,6}), Z = .*"
    r"|(?P<prusa>LAYER_CHANGE|CHANGE_LAYER)"
    r"|(?P<slic3r>BEFORE_LAYER_CHANGE)"
)
"""Cura and ideaMaker; IceSL; Simplify3D; PrusaSlicer and Orca, Bambu; Prusa's profiles for Slic3r PE."""
_FIRST_NUMBER = {"cura": 0, "icesl": 0, "simplify3d": 1}
"""What the first layer is called by the slicers that number them."""
_HEIGHT = re.compile(r"(?:Z|Z_HEIGHT):\s*([0-9]{1,5}(?:\.[0-9]*)?)")
_FEATURE = re.compile(r"(?:TYPE:|FEATURE:|feature )\s*(\S.*)")
"""Cura, PrusaSlicer, Orca and ideaMaker; Bambu; Simplify3D. IceSL and Slic3r PE tell none."""


class Layers:
    """``number`` from 0 (Cura counts rafts below 0), ``z_mm``, ``feature`` in the slicer's words.

    Each is None until known; ``z_mm`` is what a comment says, else where the layer's first path ends.
    ``told`` is True from the first comment that begins a layer on; until then layers are counted by height, a
    purge line as part of the first. Only the first kind of such comments counts: some files hold several for
    the same layer. ``begun`` is how many layers have begun so far.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.z_mm: float | None = None
        self.feature: str | None = None
        self.told = False
        self.begun = 0
        self._kind = ""

    def comment(self, text: str) -> None:
        """Take the text of a comment line, without its ``;``."""
        if found := _LAYER.fullmatch(text):
            kind = str(found.lastgroup)
            self._mark(kind, found[kind])
        elif found := _HEIGHT.fullmatch(text):
            self.z_mm = float(found[1])
        elif found := _FEATURE.fullmatch(text):
            self.feature = found[1][:LONGEST_FEATURE]

    def extruded(self, z_mm: float, *, rising: bool) -> None:
        """Filament was laid along a path that ends at this height, the head ``rising`` perhaps the while."""
        if self.number is None:
            self._begin(0, z_mm)
        elif self.z_mm is None:
            self.z_mm = z_mm
        elif self.told:
            return
        elif z_mm >= self.z_mm + (SPIRAL_RISE_MM if rising else LEAST_RISE_MM):
            self._begin(self.number + 1, z_mm)
        elif self.number == 0:
            self.z_mm = min(self.z_mm, z_mm)  # the purge line was higher

    def _mark(self, kind: str, said: str) -> None:
        """A comment that begins a layer: it says the number, or is one of words that only count."""
        self._kind = self._kind or kind
        if kind != self._kind:
            return
        if kind in _FIRST_NUMBER:
            number = int(said) - _FIRST_NUMBER[kind]
        else:
            number = self.number + 1 if self.told and self.number is not None else 0
        self.told = True
        self._begin(number, None)

    def _begin(self, number: int, z_mm: float | None) -> None:
        self.number, self.z_mm = number, z_mm
        self.begun += 1
