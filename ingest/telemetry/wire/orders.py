"""Pausing, resuming and cancelling a print over a serial line, and how one sees that it was done.

A print from the card is told to the firmware (M25, M24, M524), and what M27 answers shows that it obeys. A
print that a host streams is told to the host (``//action:pause``, …), and its own commands show it. Marlin's
M27: "SD printing byte 123/4567", or "Not SD printing" (older ones say that of a paused print too).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, EventKind
from ingest.telemetry.gcode.words import read_command
from ingest.telemetry.wire.dialogue import Dialogue, Overheard, Understood

CARD_COMMANDS = {Action.PAUSE: "M25", Action.RESUME: "M24", Action.CANCEL: "M524"}
ASK_CARD = "M27"
HOST_ACTIONS = {action: f"//action:{action.value}" for action in Action}
"""OctoPrint and Pronterface act on pause, resume and cancel alike."""

ASK_EVERY_S = 1.0
"""Between two looks at how far the card's print is: a print that goes on has read a sector in that time."""
LOOKS_AT_REST = 2
"""So many looks without a byte read mean that it stands."""
FREE_EVERY_S = 0.02
"""How often it is looked whether the line is free for a command."""
STREAM_RESTS_S = 1.5
"""A host that prints sends the next move as soon as the last one has its "ok": within milliseconds."""

_BYTE = re.compile(r"SD printing byte (\d+)/\d+", re.ASCII)
_NOT_PRINTING = "Not SD printing"
_REFUSED = re.compile(r"Unknown command|No SD card|No media|Error:|open failed", re.ASCII)
_MOVES = frozenset({"G0", "G1", "G2", "G3", "G5"})
_LOOKS = frozenset({"M27", "M105", "M110", "M113", "M114", "M115", "M154", "M155", "M400"})
"""What hosts ask by the way, whatever they are doing."""
_CONFIRMING = {
    Action.PAUSE: EventKind.PAUSED,
    Action.RESUME: EventKind.RESUMED,
    Action.CANCEL: EventKind.CANCELLED,
}


class Wire(Protocol):
    """A line on which a printer can be told something."""

    dialogue: Dialogue

    def is_free(self) -> bool:
        """Whether a command can be said now, so that the next "ok" is its own."""
        ...

    def say(self, command: str) -> None:
        """Say a command to the printer. Raises CommandFailed where the port does not take it."""
        ...


async def order_card(action: Action, wire: Wire) -> str:
    """Have the firmware do it; its own words once it has. Raises CommandFailed, PrinterUnreachable."""
    found = _state_of(await _exchange(wire, ASK_CARD))
    paused = wire.dialogue.jobs.is_paused and action is not Action.PAUSE
    if _NOT_PRINTING in found and not paused:
        raise CommandFailed(f"found {found!r}, expected a print from the card: there is nothing to {action}")
    answers = await _exchange(wire, CARD_COMMANDS[action])
    before = found if action is Action.RESUME else ""
    return _in_words(action, answers) or await _seen(action, wire, before)


async def order_host(
    action: Action, dialogue: Dialogue, tell: Callable[[bytes], None], now_ns: Callable[[], int]
) -> str:
    """Have the host that streams the print do it; what it then did. Raises PrinterUnreachable."""
    said = HOST_ACTIONS[action]
    rested = dialogue.jobs.is_paused
    with dialogue.overheard() as lines:
        tell(said.encode() + b"\n")
        if action is Action.RESUME:
            return f"{said}: the host sent {await _next_of(lines, _is_move)}"
        if action is Action.CANCEL and rested:  # there is no stream that could stop
            return f"{said}: the host sent {await _next_of(lines, _does_something)}"
        while await _moves_within(lines, STREAM_RESTS_S) or dialogue.pairing.unanswered(now_ns()):
            continue
    return f"{said}: the host has stopped sending moves"


async def _exchange(wire: Wire, command: str) -> list[Understood]:
    """Say a command and collect the answer up to its "ok". Raises CommandFailed where it is refused."""
    while not wire.is_free():
        await asyncio.sleep(FREE_EVERY_S)
    answers: list[Understood] = []
    with wire.dialogue.overheard() as lines:
        wire.say(command)
        while not answers or not answers[-1].parsed.acknowledges:
            line = await _next(lines)
            if not line.sent:
                answers.append(line)
    for answer in answers:
        if _REFUSED.search(answer.text):
            raise CommandFailed(f"found {answer.text!r} in answer to {command}, expected that it is done")
    return answers


def _state_of(answers: list[Understood]) -> str:
    """What M27 answered."""
    for answer in answers:
        if _BYTE.search(answer.text) or _NOT_PRINTING in answer.text:
            return answer.text
    raise CommandFailed(
        f"found no word on the card in answer to {ASK_CARD}, expected a print from it: "
        "a print that a host streams is paused by that host, which a tap: source can ask"
    )


def _in_words(action: Action, answers: list[Understood]) -> str:
    """The firmware's own word that it is done, "" where it says none."""
    for answer in answers:
        if answer.parsed.event is not None and answer.parsed.event[0] is _CONFIRMING[action]:
            return answer.text
    return ""


async def _seen(action: Action, wire: Wire, before: str) -> str:
    """Look at the card's print until it does what it was told; the words that show it."""
    rests = 0
    while True:
        now = _state_of(await _exchange(wire, ASK_CARD))
        if _NOT_PRINTING in now and action is not Action.RESUME:
            return now
        rests = rests + 1 if now == before else 0
        if action is Action.RESUME and _BYTE.search(before) and _BYTE.search(now) and not rests:
            return now
        if action is Action.PAUSE and rests >= LOOKS_AT_REST:
            return f"{now}, and no further"
        before = now
        await asyncio.sleep(ASK_EVERY_S)


async def _next(lines: Overheard) -> Understood:
    line = await lines.get()
    if line is None:
        raise PrinterUnreachable("found that the line is gone, expected an answer: check cable and power")
    return line


async def _next_of(lines: Overheard, wanted: Callable[[str], bool]) -> str:
    """The next line of a host's that is wanted."""
    while True:
        line = await _next(lines)
        if line.sent and wanted(line.text):
            return line.text


async def _moves_within(lines: Overheard, limit_s: float) -> bool:
    """Whether the host sends a move within this time."""
    try:
        async with asyncio.timeout(limit_s):
            await _next_of(lines, _is_move)
    except TimeoutError:
        return False
    return True


def _is_move(line: str) -> bool:
    command = read_command(line)
    return command is not None and command.code in _MOVES


def _does_something(line: str) -> bool:
    command = read_command(line)
    return command is not None and command.code not in _LOOKS
