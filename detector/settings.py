"""The detector's tables of the farm file, ``[printers.picture]`` among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from safetensors import SafetensorError, safe_open

from detector.anomaly import Kind
from detector.episodes import POLICIES, KindPolicy
from detector.kinds import KindRules, read_kinds
from features.picture import View, check_view
from ingest.errors import UsageError
from ingest.farm import Farm, read_farm, without_mistakes
from ingest.table import check_table, shown

SURFACE_KEY = "nozzlewatch.surface"
"""As ``detector.surface.model_file`` writes it; to ask there would bring torch into every stage."""


WATCH_KEY = "nozzlewatch.watch"
"""As ``detector.model.watch_model`` writes it, likewise."""
NO_MODEL, SHIPPED_MODEL = "none", "shipped"
"""Rules and novelty alone, which is what a farm gets unasked; and the network that comes along. It makes
more mistakes than rules alone over whole simulated prints (docs/findings.md), so it is to be asked for."""


class DetectorTable(Struct, frozen=True):
    """``[detector]``: where it computes, and with what."""

    device: Annotated[str, Meta(pattern="^(auto|cpu|cuda)$", description="auto, cpu or cuda")] = "auto"
    # More than one thread pays off only for many printers on many idle cores: the batches are small, and
    # on busy cores the threads of one batch wait for each other.
    threads: Annotated[int, Meta(ge=1, le=256, description="a whole number from 1 to 256")] = 1
    model: str = NO_MODEL  # "none", "shipped", or a file relative to the farm file


class SurfaceTable(Struct, frozen=True):
    """``[surface]``: what judges the part when a print has ended."""

    model: str = ""  # a file of ``nozzlewatch surface train``, relative to the farm file; "" is off
    pictures: Annotated[int, Meta(ge=1, le=10, description="a whole number from 1 to 10")] = 3
    # Classes that are no defect; without them what the model's file says.
    sound: Annotated[list[str], Meta(description="a list of class names")] = []


class _Surface(Struct):
    """What is asked of a surface network's header."""

    classes: tuple[str, ...]


class DetectorSettings(Struct, frozen=True):
    """A farm with what the detector needs of it."""

    farm: Farm
    table: DetectorTable
    kinds: KindRules
    views: dict[str, View] = {}  # how the pictures of a printer are read, where its table says so
    surface: SurfaceTable = SurfaceTable()

    @property
    def surface_model(self) -> Path | None:
        """The file of the network that judges finished parts."""
        return self.farm.path.parent.resolve() / self.surface.model if self.surface.model else None

    @property
    def watch_model(self) -> Path | None:
        """The file of the network that is asked for; None for the one that comes along, or for none."""
        named = self.table.model not in (NO_MODEL, SHIPPED_MODEL)
        return self.farm.path.parent.resolve() / self.table.model if named else None

    def policies(self, *, with_network: bool = False) -> dict[Kind, KindPolicy]:
        """The policies of the kinds that are switched on.

        A network knows the failures by name: beside one, ``unusual`` is on only where the farm file says so.
        """
        on = set(self.kinds.on)
        tables = (self.kinds.farm, *self.kinds.printers.values())
        if with_network and not any(Kind.UNUSUAL in table for table in tables):
            on.discard(Kind.UNUSUAL)
        return {kind: policy for kind, policy in POLICIES.items() if kind in on}


def load_settings(path: Path) -> DetectorSettings:
    """Read a farm file. Raises FarmFileError with all mistakes in ingest's and the detector's tables."""
    return without_mistakes(read_settings, path)


def read_settings(path: Path, mistakes: list[str]) -> DetectorSettings | None:
    """Read a farm file and add its mistakes to ``mistakes``; None where it cannot be read at all."""
    farm = read_farm(path, mistakes)
    if farm is None:
        return None
    where = path.name
    table = check_table(farm.tables.get("detector", {}), DetectorTable, f"{where}: detector", mistakes)
    kinds = read_kinds(farm, where, mistakes)
    views, surface = _views(farm, where, mistakes), _surface(farm, where, mistakes)
    settings = DetectorSettings(farm, table or DetectorTable(), kinds, views, surface)
    _check_watch_model(settings, where, mistakes)
    return settings


def surface_classes(path: Path) -> tuple[str, ...]:
    """The classes that a surface network tells apart, by the header of its file. Raises UsageError."""
    expected = "expected a file of `nozzlewatch surface train`"
    if not path.is_file():
        raise UsageError(f"found no file {path}, {expected}: train one, or leave it out")
    try:
        with safe_open(path, framework="numpy") as file:
            about = (file.metadata() or {}).get(SURFACE_KEY, "")
        return msgspec.json.decode(about, type=_Surface).classes
    except (SafetensorError, OSError, msgspec.DecodeError) as error:
        raise UsageError(f"found {path}, which is no surface network ({error}), {expected}") from error


def _check_watch_model(settings: DetectorSettings, where: str, mistakes: list[str]) -> None:
    """Whether a network that is asked for is there; whether it fits comes to light when it is loaded."""
    path = settings.watch_model
    if path is None:
        return
    try:
        with safe_open(path, framework="numpy") as file:
            wrong = "" if WATCH_KEY in (file.metadata() or {}) else "another network"
    except (SafetensorError, OSError) as error:
        wrong = f"no network ({error})" if path.is_file() else "no such file"
    if wrong:
        expected = (
            f'a file of `nozzlewatch train`, "{SHIPPED_MODEL}" for the one that comes along, or "{NO_MODEL}"'
        )
        mistakes.append(f"{where}: detector.model: found {path}: {wrong}, expected {expected}")


def _surface(farm: Farm, where: str, mistakes: list[str]) -> SurfaceTable:
    table = check_table(farm.tables.get("surface", {}), SurfaceTable, f"{where}: surface", mistakes)
    if table is None or not table.model:
        return table or SurfaceTable()
    try:
        classes = surface_classes(farm.path.parent.resolve() / table.model)
    except UsageError as error:
        mistakes.append(f"{where}: surface.model: {error}")
        return table
    mistakes += [
        f"{where}: surface.sound: found {shown(name)}, expected classes of the model: {', '.join(classes)}"
        for name in table.sound
        if name not in classes
    ]
    return table


def _views(farm: Farm, where: str, mistakes: list[str]) -> dict[str, View]:
    """The views of printers by name. Printers are named here: of one with mistakes no number is known."""
    tables = {printer.name: printer.picture for printer in farm.printers if printer.picture}
    found = {
        name: check_view(table, f"{where}: printers[{name!r}].picture", mistakes)
        for name, table in tables.items()
    }
    return {name: view for name, view in found.items() if view is not None}
