"""A serial port that is a pty: a host opens the link like any port, the simulated board sits behind it.

Left out: the baud rate (a pty has none) and DTR; what a board does when its port is opened is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import tty
from collections.abc import Callable, Iterable
from pathlib import Path

READ_BYTES = 4_096
MAX_WAITING_BYTES = 65_536  # what is kept for a host that does not read; more is lost, as on a real wire


class PtyPort:
    """One pty under a symlink. Lives in a running event loop; ``on_line`` gets each line of the host."""

    def __init__(self, link: Path, on_line: Callable[[str], None]) -> None:
        self.connected = False
        self._link = link
        self._on_line = on_line
        self._in = bytearray()
        self._out = bytearray()
        self._master = _open_pty(link)
        self._hangup = select.poll()
        self._hangup.register(self._master, select.POLLHUP)

    def poll(self) -> bool:
        """Look whether somebody has the port open; True when a host has just come. Call it often."""
        if self.connected or self._hangup.poll(0):
            self._flush()
            return False
        self.connected = True
        asyncio.get_running_loop().add_reader(self._master, self._readable)
        return True

    def send(self, lines: Iterable[str]) -> None:
        """Send lines, each with its line end. With nobody at the port they are lost."""
        data = "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")
        if self.connected and len(self._out) + len(data) <= MAX_WAITING_BYTES:
            self._out += data
            self._flush()

    def close(self) -> None:
        """Hang up and remove the link."""
        self._leave()
        os.close(self._master)
        self._link.unlink(missing_ok=True)

    def _readable(self) -> None:
        try:
            self._in += os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last one has closed the port
            self._leave()
            return
        *lines, rest = self._in.split(b"\n")
        self._in = rest[-READ_BYTES:]
        for line in lines:
            self._on_line(line.decode("latin-1").strip("\r"))

    def _leave(self) -> None:
        if self.connected:
            asyncio.get_running_loop().remove_reader(self._master)
        self.connected = False
        self._in.clear()
        self._out.clear()

    def _flush(self) -> None:
        if self.connected and self._out:
            with contextlib.suppress(BlockingIOError):
                del self._out[: os.write(self._master, self._out)]


def _open_pty(link: Path) -> int:
    """A raw pty whose other end the link names; the descriptor of our end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    link.unlink(missing_ok=True)
    link.symlink_to(os.ttyname(slave))
    os.close(slave)
    return master
