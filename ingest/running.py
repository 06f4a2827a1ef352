"""How every command runs and ends: logging, signals that stop it, errors in their own words, exit codes.

Imports nothing but the error tree: a command that only says what is wrong need not wait for the cameras.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from ingest.errors import NozzlewatchError, UsageError

FINE, FAILED, WRONG_USE = 0, 1, 2
"""Exit codes: all was well; what was asked for failed; wrong usage or configuration."""


def run_stage(main: Callable[[threading.Event], int], *, debug: bool = False, quiet: bool = False) -> int:
    """Run a stage until it ends or a signal stops it; returns its exit code.

    ``main`` gets an event that SIGINT and SIGTERM set: it ends in order when it sees it. Errors of our own
    are told in their own words; a traceback appears with ``debug`` alone. ``quiet`` logs warnings only.
    """
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return report_errors(lambda: main(stop), debug=debug)


def report_errors(work: Callable[[], int], *, debug: bool = False) -> int:
    """Run ``work`` and turn its errors into a message on standard error and an exit code."""
    try:
        return work()
    except UsageError as error:
        return _told(error, WRONG_USE, debug)
    except NozzlewatchError as error:
        return _told(error, FAILED, debug)
    except BrokenPipeError:
        # Whoever read our output has gone (``| head``): there is nobody to tell. Python would complain at
        # its own exit when it flushes standard output, so that goes nowhere from here on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _told(error: NozzlewatchError, code: int, debug: bool) -> int:
    if debug:
        raise error
    sys.stderr.write(f"{error}\n")
    return code
