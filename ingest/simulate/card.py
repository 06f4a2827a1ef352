"""The SD card of a simulated printer, read-only, and the print that is read from it. No time, no I/O.

What it says are Marlin 2.1's words (``CardReader``). Left out: folders, long names, writing (as with
SDCARD_READONLY), subroutines, and what is read ahead into the command buffer: the byte that is told is that
of the next command.
"""

from __future__ import annotations

from collections.abc import Mapping

NO_CARD = "echo:No SD card"
NOT_PRINTING = "Not SD printing"
DONE = "Done printing file"


class Card:
    """A slot with a card, or without one where ``files`` is None: names in 8.3 form and their G-code.

    ``is_printing``: commands are read from the open file. ``host_actions``: hosts are told what is done at
    the printer (HOST_ACTION_COMMANDS).
    """

    def __init__(self, files: Mapping[str, str] | None = None, *, host_actions: bool = True) -> None:
        self.is_in = files is not None
        self.is_printing = False
        self._host_actions = host_actions
        self._files = {
            name.upper(): text.encode("latin-1", "replace") for name, text in (files or {}).items()
        }
        self._name = ""  # of the open file
        self._byte = 0

    @property
    def is_open(self) -> bool:
        """Whether a file is selected; one that is open and not printing is paused or not begun."""
        return bool(self._name)

    def listing(self) -> list[str]:
        """The answer to M20."""
        if not self.is_in:
            return [NO_CARD]
        files = (f"{name} {len(data)}" for name, data in self._files.items())
        return ["Begin file list", *files, "End file list"]

    def mount(self) -> list[str]:
        """The answer to M21."""
        return ["echo:SD card ok" if self.is_in else NO_CARD]

    def select(self, name: str) -> list[str]:
        """Open a file (M23); a print that goes on ends by that."""
        if not self.is_in:
            return [NO_CARD]
        self.close()
        wanted = name.strip().lstrip("/").upper()
        fresh = f"echo:Now fresh file: {name.strip()}"
        if wanted not in self._files:
            return [fresh, f"open failed, File: {wanted}."]
        self._name = wanted
        return [fresh, f"File opened: {wanted} Size: {len(self._files[wanted])}", "File selected"]

    def start(self) -> None:
        """Read commands from the open file, or go on with it (M24)."""
        self.is_printing = self.is_open

    def pause(self) -> None:
        """Read no further for now (M25)."""
        self.is_printing = False

    def seek(self, byte: int) -> None:
        """Go on from another place of the open file (M26)."""
        if self.is_open:
            self._byte = min(max(byte, 0), len(self._files[self._name]))

    def close(self) -> None:
        """Have no file open."""
        self._name, self._byte, self.is_printing = "", 0, False

    def status(self) -> str:
        """The answer to M27. A paused print is one, too; a file that was only selected as well."""
        if not self.is_open:
            return NOT_PRINTING
        return f"SD printing byte {self._byte}/{len(self._files[self._name])}"

    def name(self) -> str:
        """The answer to M27 C."""
        return f"Current file: {self._name or '(no file)'}"

    def next_line(self) -> str | None:
        """The next line of the open file, None behind the last: the print is over when its moves are done."""
        data = self._files[self._name]
        if self._byte >= len(data):
            return None
        end = data.find(b"\n", self._byte) + 1 or len(data)
        line = data[self._byte : end].decode("latin-1").strip()
        self._byte = end
        return line

    def host_action(self, action: str) -> list[str]:
        """The line that tells hosts of it, where the firmware does."""
        return [f"//action:{action}"] if self._host_actions else []
