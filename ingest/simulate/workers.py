"""What a process that makes recordings for another one is: stopped and ended by its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from multiprocessing.synchronize import Event

import cv2

PR_SET_PDEATHSIG = 1

_stop: Event | None = None


def begin(stop: Event, parent: int) -> None:
    """Called once in each worker. ``stop`` is set when all are to end; Ctrl-C is the parent's to hear."""
    global _stop  # noqa: PLW0603 - a worker process has one parent, and the pool passes nothing else along
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it has gone already


def is_stopped() -> bool:
    """Whether the parent wants no more."""
    return _stop is not None and _stop.is_set()
