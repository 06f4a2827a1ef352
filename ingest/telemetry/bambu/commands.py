"""What a Bambu Lab printer is told, and how it confirms or refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ingest.errors import CommandFailed, SourceError
from ingest.records import Action
from ingest.telemetry.bambu.report import ACTIVE, UNVERIFIED, Fields, error_codes, gcode_state, hex_code

_WORDS = {Action.PAUSE: "pause", Action.RESUME: "resume", Action.CANCEL: "stop"}
_SENSIBLE_IN = {
    Action.PAUSE: ACTIVE - {"PAUSE"},
    Action.RESUME: frozenset({"PAUSE"}),
    Action.CANCEL: ACTIVE,
}
_DEVELOPER_MODE = (
    "found that its firmware takes no commands from other programs, expected it to: turn on LAN Only and "
    "Developer Mode on its screen"
)
_VERIFICATION_FAILED = "0502_4007"
"""``err_code`` of the answer to a command that is not signed by the maker's own programs."""


def refuse_senseless(action: Action, state: Fields, host: str) -> None:
    """Raise CommandFailed where the action makes no sense in the printer's present state."""
    now, sensible = gcode_state(state), _SENSIBLE_IN[action]
    if now not in sensible:
        expected = ", ".join(sorted(sensible))
        raise CommandFailed(f"{host}: found gcode_state {now or 'unknown'}, expected one of: {expected}")


class Asked:
    """One command on its way: ``answer`` is the printer's confirmation, or what went wrong."""

    def __init__(self, action: Action, sequence_id: str, state: Fields, host: str) -> None:
        self.answer: asyncio.Future[str | SourceError] = asyncio.get_running_loop().create_future()
        self._action, self._id, self._host = action, sequence_id, host
        self._errors_before = error_codes(state)

    def request(self) -> Mapping[str, str]:
        """The command as it goes out, under "print"."""
        return {"sequence_id": self._id, "command": _WORDS[self._action], "param": ""}

    def judge(self, report: Fields, state: Fields) -> None:
        """Look into a report that came after the question, with all that is known since."""
        now = gcode_state(state)
        if refusal := self._refusal(report, state):
            self.settle(CommandFailed(f"{self._host}: {refusal}"))
        elif "gcode_state" in report and self._is_done(now):
            self.settle(f"gcode_state {now}")

    def settle(self, answer: str | SourceError) -> None:
        """Answer once; what comes later is no news."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def _is_done(self, now: str) -> bool:
        match self._action:
            case Action.PAUSE:
                return now == "PAUSE"
            case Action.RESUME:
                return now == "RUNNING"
            case Action.CANCEL:
                return now not in ACTIVE

    def _refusal(self, report: Fields, state: Fields) -> str:
        """Why the printer refuses, "" where it does not."""
        if UNVERIFIED in error_codes(state) and UNVERIFIED not in self._errors_before:
            return _DEVELOPER_MODE
        if report.get("command") != _WORDS[self._action]:
            return ""
        code = hex_code(report.get("err_code"))
        if code == _VERIFICATION_FAILED:
            return _DEVELOPER_MODE
        result = str(report.get("result", "success")).lower()
        if result != "success" or code:
            told = f"{report.get('reason') or result} {code}".strip()
            return f"found that it refuses to {_WORDS[self._action]} ({told}), expected it to: see its screen"
        return ""
