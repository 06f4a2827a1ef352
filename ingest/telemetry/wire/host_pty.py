"""A pty under a link, where host programs come and go as at any port."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import struct
import termios
import tty
from pathlib import Path

from ingest.errors import PrinterUnreachable

DEFAULT_SPEED = termios.B115200
"""What the link says before a host sets a speed: the same as the port by default."""
_TCGETS2 = 0x802C542A
"""asm-generic/ioctls.h: a ``termios2``, which also holds speeds that have no constant of their own."""
_TERMIOS2 = struct.Struct("4IB19s2I")


class HostPty:
    """Our end of a pty (``descriptor``, non-blocking) whose other end the link names.

    Whoever may open the port may open the link, as far as this user can arrange that. Raises
    PrinterUnreachable where there can be no such link.
    """

    def __init__(self, link: Path, port: str) -> None:
        self._link = link
        self.descriptor, other = os.openpty()
        self._other = os.ttyname(other)
        _make_raw(other, DEFAULT_SPEED)
        os.close(other)
        os.set_blocking(self.descriptor, False)
        self._hangup = select.poll()
        self._hangup.register(self.descriptor, 0)  # hang-ups are always told
        try:
            _admit_users_of(port, self._other)
            _point(link, self._other)
        except OSError as error:
            os.close(self.descriptor)
            raise PrinterUnreachable(f"{link}: {_refusal(error)}") from error

    @property
    def taken(self) -> bool:
        """Whether a host has the link open."""
        return not self._hangup.poll(0)

    def baud(self) -> int:
        """The speed that was set at the link last, bits per second."""
        blank = bytes(_TERMIOS2.size)
        return int(_TERMIOS2.unpack(fcntl.ioctl(self.descriptor, _TCGETS2, blank))[-1])

    def tidy(self) -> None:
        """Make the link ready for the next host: nothing of the last one's is left in it but the speed."""
        other = os.open(self._other, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(other)
        termios.tcflush(other, termios.TCIOFLUSH)
        os.close(other)

    def close(self) -> None:
        """Hang up, and take the link away unless it is another's by now."""
        os.close(self.descriptor)
        with contextlib.suppress(OSError):
            if self._link.readlink() == Path(self._other):
                self._link.unlink()


def _make_raw(descriptor: int, speed: int) -> None:
    tty.setraw(descriptor)
    attributes = termios.tcgetattr(descriptor)
    attributes[4] = attributes[5] = speed
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _point(link: Path, target: str) -> None:
    """Make or renew the link in one step: a host finds the old one or the new one."""
    if link.exists() and not link.is_symlink():
        raise FileExistsError(errno.EEXIST, "no link")
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _admit_users_of(port: str, pty: str) -> None:
    like = Path(port).stat()
    with contextlib.suppress(PermissionError):  # not of that group: only this user may open the link
        os.chown(pty, -1, like.st_gid)
        Path(pty).chmod(stat.S_IMODE(like.st_mode) & 0o666)


def _refusal(error: OSError) -> str:
    if error.errno == errno.EEXIST:
        return "found a file, expected no file or an older link: choose another link= for the tap"
    if error.errno == errno.ENOENT:
        return "found no such folder, expected one to put the link in: make it, or choose another link="
    return f"found {error.strerror}, expected to put a link there: choose another link= for the tap"
