"""The texts that Marlin 2.1 sends, letter for letter as hosts look for them. No state, no I/O."""

from __future__ import annotations

from ingest.simulate.heater import Heater
from ingest.simulate.printer import Printer
from ingest.simulate.stopwatch import in_words
from ingest.simulate.toolpath import Position

OK = "ok"
BOOTED = "start"
HALTED = "Error:Printer halted. kill() called!"
STEPS_MM = (80, 80, 400)  # x, y, z

CAPABILITIES: dict[str, int] = {
    "SERIAL_XON_XOFF": 0,
    "BINARY_FILE_TRANSFER": 0,
    "EEPROM": 0,
    "VOLUMETRIC": 1,
    "AUTOREPORT_POS": 1,
    "AUTOREPORT_TEMP": 1,
    "PROGRESS": 0,
    "PRINT_JOB": 1,
    "AUTOLEVEL": 0,
    "RUNOUT": 0,
    "Z_PROBE": 0,
    "LEVELING_DATA": 0,
    "BUILD_PERCENT": 0,
    "SOFTWARE_POWER": 0,
    "TOGGLE_LIGHTS": 0,
    "CASE_LIGHT_BRIGHTNESS": 0,
    "EMERGENCY_PARSER": 1,
    "PROMPT_SUPPORT": 0,
    "SDCARD": 1,
    "REPEAT": 0,
    "SD_WRITE": 0,
    "AUTOREPORT_SD_STATUS": 1,
    "LONG_FILENAME": 0,
    "THERMAL_PROTECTION": 1,
    "MOTION_MODES": 0,
    "ARCS": 1,
    "BABYSTEPPING": 0,
    "CHAMBER_TEMPERATURE": 0,
    "COOLER_TEMPERATURE": 0,
    "MEATPACK": 0,
}


def banner(cause: str) -> list[str]:
    """What a board says when it boots; ``cause`` is ``PowerUp``, ``External Reset``, …"""
    return [
        BOOTED,
        cause,
        "Marlin 2.1.2",
        "echo: Last Updated: 2022-12-17 | Author: (Nozzlewatch, simulated)",
        "echo:Compiled: Dec 17 2022",
        "echo: Free Memory: 3206  PlannerBufferBytes: 1232",
    ]


def firmware_info() -> list[str]:
    """The answer to M115, before its ok."""
    return [
        "FIRMWARE_NAME:Marlin 2.1.2 (Dec 17 2022 12:00:00) SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin "
        "PROTOCOL_VERSION:1.0 MACHINE_TYPE:Nozzlewatch Simulated EXTRUDER_COUNT:1 "
        "UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff",
        *(f"Cap:{name}:{value}" for name, value in CAPABILITIES.items()),
    ]


def ok(number: int | None, moves_free: int, commands_free: int) -> str:
    """An ok with ADVANCED_OK: the line's number where it had one, and what room there is."""
    line = "" if number is None else f" N{number}"
    return f"{OK}{line} P{moves_free} B{commands_free}"


def busy(what: str) -> str:
    """What a board says that is busy with something."""
    return f"echo:busy: {what}"


def temperatures(printer: Printer) -> str:
    """The report's body: `` T:… /… B:… /… @:… B@:…`` with its leading blank, °C and power 0..127."""
    hotend, bed = printer.hotend, printer.bed
    return f" T:{_pair(hotend)} B:{_pair(bed)} @:{hotend.power} B@:{bed.power}"


def _pair(heater: Heater) -> str:
    return f"{heater.reading_c:.2f} /{heater.target_c:.2f}"


def position(at: Position) -> str:
    """The answer to M114: mm, then steps."""
    mm = f"X:{at.x_mm:.2f} Y:{at.y_mm:.2f} Z:{at.z_mm:.2f} E:{at.e_mm:.2f}"
    x, y, z = (round(value * steps) for value, steps in zip(at[:3], STEPS_MM, strict=True))
    return f"{mm} Count X:{x} Y:{y} Z:{z}"


def line_error(what: str, last_line: int) -> list[str]:
    """The dialogue for a line that cannot be used: the error, the request to send again, the ok."""
    return [f"Error:{what}, Last Line: {last_line}", f"Resend: {last_line + 1}", OK]


def stopped(reason: str, heater: str) -> list[str]:
    """What a thermal protection says as it halts the printer."""
    return [f"Error:{reason}, system stopped! Heater_ID: {heater}", HALTED]


def print_time(seconds: float) -> str:
    """The answer to M31."""
    return f"echo:Print time: {in_words(seconds)}"


def unknown(command: str) -> str:
    """What Marlin says to a command that it does not know."""
    return f'echo:Unknown command: "{command}"'
