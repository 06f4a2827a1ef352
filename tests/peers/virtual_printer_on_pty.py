"""OctoPrint's virtual printer at a pty, for tests: what is tapped then answers as OctoPrint expects.

Run with the Python that OctoPrint is installed for: ``virtual_printer_on_pty.py FOLDER``. Prints the pty's
path on one line and serves until its input ends. The printer is the very class that OctoPrint serves as its
port VIRTUAL, with its default settings and no simulated errors.
"""

from __future__ import annotations

import os
import pty
import sys
import threading
import tty

from octoprint.plugin import plugin_manager, plugin_settings
from octoprint.plugins.virtual_printer import VirtualPrinterPlugin
from octoprint.plugins.virtual_printer.virtual import VirtualPrinter
from octoprint.settings import settings

READ_BYTES = 4096


def virtual_printer(folder: str) -> VirtualPrinter:
    """A printer that keeps its files under ``folder``."""
    settings(init=True, basedir=folder)
    plugin_manager(init=True)
    defaults = {**VirtualPrinterPlugin().get_settings_defaults(), "simulated_errors": []}
    return VirtualPrinter(plugin_settings("virtual_printer", defaults=defaults), None, data_folder=folder)


def hear(printer: VirtualPrinter, descriptor: int) -> None:
    """Hand on what hosts write, line by line: of several in one piece the class answers the first alone."""
    rest = b""
    while data := os.read(descriptor, READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            piece = line + b"\n"
            while piece:  # what its receive buffer cannot hold it does not take
                piece = piece[printer.write(piece) :]


def speak(printer: VirtualPrinter, descriptor: int) -> None:
    """Write the printer's lines, each with its end, which the class leaves to its reader."""
    while True:
        line = printer.readline()
        if line:
            os.write(descriptor, line.rstrip(b"\r\n") + b"\n")


def main() -> None:
    descriptor, other = pty.openpty()
    tty.setraw(other)
    printer = virtual_printer(sys.argv[1])
    for work in (hear, speak):
        threading.Thread(target=work, args=(printer, descriptor), daemon=True).start()
    print(os.ttyname(other), flush=True)
    sys.stdin.read()
    os._exit(0)  # the printer's own threads are no daemons


main()
