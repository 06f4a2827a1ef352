"""The farm file (``farm.toml``): which printers there are, and where the data and the stores are.

Each stage owns its own tables and checks them beside their owner; this module owns ``[farm]`` and
``[[printers]]``, and knows of the others only that they exist. All mistakes are reported at once, each with
its key, the value found and the value expected.
"""

from __future__ import annotations

import re
import tomllib
from collections import ChainMap, Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct

from ingest.align import Timing
from ingest.cameras.registry import CAMERAS
from ingest.errors import FarmFileError, SourceError
from ingest.records import NS_PER_S
from ingest.sources import Source, parse_address
from ingest.table import check_table, shown, unknown_key
from ingest.telemetry import TELEMETRY

SECTIONS = ("farm", "printers", "kinds", "detector", "surface", "log", "alerts")
"""All tables of a farm file; those after ``printers`` belong to the later stages."""

SOURCES: Mapping[str, type[Source]] = ChainMap[str, type[Source]](CAMERAS, TELEMETRY)  # type: ignore[arg-type]
"""Every kind of source that an address can name."""

NAME = re.compile(r"[\w .+#()-]{1,64}")
KAFKA_SCHEMES = ("kafka://", "kafka+ssl://")
REDIS_SCHEMES = ("redis://", "rediss://", "redis+sentinel://", "unix://")

T = TypeVar("T")
Lateness = Annotated[float, Meta(ge=0, le=60, description="seconds from 0 to 60")]
Delay = Annotated[float, Meta(ge=-10, le=10, description="seconds from -10 to 10")]
Name = Annotated[str, Meta(description="a name of 1 to 64 letters, digits, spaces and _-.+#()")]


class FarmTable(Struct, frozen=True, forbid_unknown_fields=True):
    """``[farm]``: where things are and how time is cut."""

    name: Name = "farm"
    data: str = "data"  # folder of the embedded stores and the log, relative to the farm file
    redis: str = "embedded"  # or the address of one's own server: redis://…
    redis_frames: str = ""  # another server for the frames; without it both share one
    events: str = ""  # kafka://HOST:PORT: scores, anomalies and statuses go there as well
    shards: Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")] = 8
    span_s: Annotated[float, Meta(ge=0.1, le=60, description="seconds from 0.1 to 60")] = 1.0
    lateness_s: Lateness = 2.0


class PrinterTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[printers]]``: a camera, a telemetry source, or both."""

    name: Name
    camera: str = ""
    telemetry: str = ""
    camera_delay_s: Delay = 0.0  # how long a picture is under way before anything can stamp it
    telemetry_delay_s: Delay = 0.0
    lateness_s: Lateness | None = None  # instead of the farm's
    surface_camera: str = ""  # a live one that looks at the part when a print has ended
    picture: dict[str, Any] = {}  # how the picture is to be read: ``features`` checks it
    kinds: dict[str, Any] = {}  # what is done about failures, instead of the farm's: ``detector`` checks it

    @property
    def recorded(self) -> bool:
        """Whether its sources carry times of the past and end; then both do."""
        return any(SOURCES[text.partition(":")[0]].recorded for text in (self.camera, self.telemetry) if text)


class Farm(Struct, frozen=True):
    """A checked farm file, as ingest sees it. ``tables`` holds what the later stages check."""

    path: Path
    table: FarmTable
    printers: tuple[PrinterTable, ...]
    tables: dict[str, Any]

    @property
    def data(self) -> Path:
        return self.path.parent.resolve() / self.table.data

    @property
    def span_ns(self) -> int:
        return round(self.table.span_s * NS_PER_S)

    def timing(self, printer: PrinterTable) -> Timing:
        """How a printer's windows are cut."""
        lateness_s = self.table.lateness_s if printer.lateness_s is None else printer.lateness_s
        return Timing(
            span_ns=self.span_ns,
            lateness_ns=round(lateness_s * NS_PER_S),
            camera_delay_ns=round(printer.camera_delay_s * NS_PER_S),
            telemetry_delay_ns=round(printer.telemetry_delay_s * NS_PER_S),
        )


def load_farm(path: Path) -> Farm:
    """Read a farm file. Raises FarmFileError with all mistakes in the tables that ingest owns."""
    return without_mistakes(read_farm, path)


def without_mistakes(read: Callable[[Path, list[str]], T | None], path: Path) -> T:
    """What ``read`` makes of a farm file. Raises FarmFileError with all mistakes that it notes."""
    mistakes: list[str] = []
    found = read(path, mistakes)
    if found is None or mistakes:
        raise FarmFileError(mistakes)
    return found


def read_farm(path: Path, mistakes: list[str]) -> Farm | None:
    """Read a farm file and add its mistakes to ``mistakes``; None where it cannot be read at all."""
    content = _parse(path, mistakes)
    if content is None:
        return None
    where = path.name
    for name in content:
        if name not in SECTIONS:
            mistakes.append(unknown_key(f"{where}: {name}", name, list(SECTIONS), content[name]))
    table = check_table(content.get("farm", {}), FarmTable, f"{where}: farm", mistakes) or FarmTable()
    _check_redis(content.get("farm"), where, mistakes)
    printers = _printers(content.get("printers", []), where, mistakes)
    return Farm(path, table, printers, {name: content[name] for name in SECTIONS[2:] if name in content})


def _parse(path: Path, mistakes: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        mistakes.append(
            f"{path}: found no such file, expected a farm file; farm.example.toml shows what stands in one"
        )
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: found a file that cannot be read ({error}), expected a farm file in UTF-8")
    except tomllib.TOMLDecodeError as error:
        mistakes.append(f"{path}: found text that is not TOML ({error}), expected a farm file")
    return None


def _check_redis(found: object, where: str, mistakes: list[str]) -> None:
    for name, default in (("redis", "embedded"), ("redis_frames", "")):
        url = _text(found, name) or default
        if url != default and not url.startswith(REDIS_SCHEMES):
            expected = "embedded or an address that begins with " + ", ".join(REDIS_SCHEMES)
            mistakes.append(f"{where}: farm.{name}: found {shown(url)}, expected {expected}")
    events = _text(found, "events")
    if events and not events.startswith(KAFKA_SCHEMES):
        expected = "nothing or an address such as kafka://HOST:9092"
        scheme = events.partition(":")[0]  # the rest may hold a password
        mistakes.append(f"{where}: farm.events: found {shown(scheme)}:…, expected {expected}")


def _printers(found: object, where: str, mistakes: list[str]) -> tuple[PrinterTable, ...]:
    if not isinstance(found, list) or not found:
        mistakes.append(f"{where}: printers: found {shown(found)}, expected at least one [[printers]] table")
        return ()
    printers = []
    for number, row in enumerate(found):
        printer = check_table(row, PrinterTable, f"{where}: printers[{number}]", mistakes)
        sources = _check_sources(row, f"{where}: printers[{number}]", mistakes)
        _check_surface_camera(row, sources, f"{where}: printers[{number}]", mistakes)
        if printer is not None:
            _check_printer(printer, sources, f"{where}: printers[{number}]", mistakes)
            printers.append(printer)
    names = Counter(name for row in found if (name := _text(row, "name")))
    mistakes += [
        f"{where}: printers: found {count} printers named {name!r}, expected each name once"
        for name, count in names.items()
        if count > 1
    ]
    return tuple(printers)


def _check_sources(row: object, where: str, mistakes: list[str]) -> list[Source]:
    """The sources that a printer's table names, whatever else is wrong with it."""
    tables: tuple[tuple[str, Mapping[str, type[Source]]], ...] = (
        ("camera", CAMERAS),
        ("telemetry", TELEMETRY),
    )
    found = [_source(row, key, kinds, where, mistakes) for key, kinds in tables]
    return [source for source in found if source is not None]


def _source(
    row: object, key: str, kinds: Mapping[str, type[Source]], where: str, mistakes: list[str]
) -> Source | None:
    """The source under a key of a printer's table, None where there is none that makes sense."""
    text = _text(row, key)
    if not text:
        return None
    try:
        address = parse_address(text, kinds)
        return kinds[address.kind](address, _text(row, "name"))
    except SourceError as error:
        mistakes.append(f"{where}.{key}: {error}")
        return None


def _check_surface_camera(row: object, sources: list[Source], where: str, mistakes: list[str]) -> None:
    """It is opened when a print ends, so both it and the printer have to be live."""
    camera = _source(row, "surface_camera", CAMERAS, where, mistakes)
    if camera is None:
        return
    if camera.recorded:
        found = f"found {shown(_text(row, 'surface_camera'))}"
        mistakes.append(
            f"{where}.surface_camera: {found}, expected a live camera: it is opened when a print ends"
        )
    if any(source.recorded for source in sources):
        mistakes.append(
            f"{where}.surface_camera: found a camera for the finished part of a recorded print, "
            "expected none: its last pictures are judged"
        )


def _check_printer(printer: PrinterTable, sources: list[Source], where: str, mistakes: list[str]) -> None:
    if not NAME.fullmatch(printer.name):
        mistakes.append(
            f"{where}.name: found {shown(printer.name)}, expected 1 to 64 letters, digits, spaces and _-.+#()"
        )
    if not printer.camera and not printer.telemetry:
        mistakes.append(f"{where}: found neither camera nor telemetry, expected at least one of them")
    if len({source.recorded for source in sources}) > 1:
        mistakes.append(
            f"{where}: found camera {shown(printer.camera)} with telemetry {shown(printer.telemetry)}, "
            "expected both live or both recorded: they have no time in common"
        )


def _text(found: object, key: str) -> str:
    """What stands under a key of a table, "" where that is no text (which check_table tells)."""
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else ""
