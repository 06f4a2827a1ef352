"""What each G-code for the SD card does and answers, as Marlin 2.1 does.

While the printer's own job runs, M25, M24 and M524 pause, continue and end that one: it is as good as a file
on the card. The park of PARK_HEAD_ON_PAUSE is made for such a job alone.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest.simulate import replies
from ingest.simulate.card import DONE, NO_CARD
from ingest.simulate.machine import Machine
from ingest.simulate.wire import Command

LONG_PRINT_S = 60.0  # whose time is told at its end


def _list(machine: Machine, _command: Command) -> list[str]:
    return machine.card.listing()


def _mount(machine: Machine, _command: Command) -> list[str]:
    return machine.card.mount()


def _select(machine: Machine, command: Command) -> list[str]:
    return machine.card.select(command.text)


def _start(machine: Machine, _command: Command) -> list[str]:
    if machine.printer.printing:
        machine.job_paused = False
        machine.timer.start(machine.printer.now_s)
        return machine.card.host_action("resume")
    if not machine.card.is_in:
        return [NO_CARD]
    _read_on(machine)
    return machine.card.host_action("resume")


def _read_on(machine: Machine) -> None:
    machine.card.start()
    if machine.card.is_printing:
        machine.timer.start(machine.printer.now_s)


def _pause(machine: Machine, _command: Command) -> list[str]:
    """What is planned already is still done."""
    machine.job_paused = machine.printer.printing
    machine.card.pause()
    machine.timer.pause(machine.printer.now_s)
    return machine.card.host_action("pause")


def _seek(machine: Machine, command: Command) -> list[str]:
    machine.card.seek(int(command.number("S", 0.0)))
    return []


def _status(machine: Machine, command: Command) -> list[str]:
    if "C" in command.words:
        return [machine.card.name()]
    if "S" in command.words:
        machine.card_reports.every(command.number("S", 0.0), machine.printer.now_s)
        return []
    return [machine.card.status()]


def _refuse_writing(machine: Machine, command: Command) -> list[str]:
    machine.card.close()
    return [f"open failed, File: {command.text}."]


def _refuse_deleting(_machine: Machine, command: Command) -> list[str]:
    return [f"Deletion failed, File: {command.text}."]


def _select_and_start(machine: Machine, command: Command) -> list[str]:
    """``M32 CUBE.GCO`` or ``M32 S60 !CUBE.GCO#``."""
    before, bang, name = command.text.partition("!")
    said = machine.card.select(name.partition("#")[0] if bang else before)
    if bang:
        _seek(machine, command)
    _read_on(machine)
    return said


def _abort(machine: Machine, _command: Command) -> list[str]:
    """End a print: moves dropped, heaters and fan off, x and y homed. A paused one is only closed."""
    printer, was_printing = machine.printer, machine.card.is_printing
    machine.card.close()
    machine.job_paused = False
    if printer.printing:
        machine.timer.stop(printer.now_s)
        printer.stop()
        machine.cool_down()
        printer.fan = 0.0
    elif was_printing:
        machine.timer.stop(printer.now_s)
        machine.cool_down()
        printer.fan = 0.0
        printer.planner.stop_at(printer.planner.position())
        printer.planner.take("G28 X Y")  # EVENT_GCODE_SD_ABORT
        printer.planner.home()
    return []


def _finish(machine: Machine, _command: Command) -> list[str]:
    """M1001, which Marlin gives itself at the end of a card's print, when the moves are done."""
    now_s = machine.printer.now_s
    machine.card.close()
    machine.timer.stop(now_s)
    spent_s = machine.timer.seconds(now_s)
    return [*([replies.print_time(spent_s)] if spent_s > LONG_PRINT_S else []), DONE]


HANDLERS: dict[str, Callable[[Machine, Command], list[str]]] = {
    "M20": _list,
    "M21": _mount,
    "M23": _select,
    "M24": _start,
    "M25": _pause,
    "M26": _seek,
    "M27": _status,
    "M28": _refuse_writing,
    "M30": _refuse_deleting,
    "M32": _select_and_start,
    "M524": _abort,
    "M1001": _finish,
}
