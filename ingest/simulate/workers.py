"""What a process that makes recordings for another one is: stopped and ended by its parent."""

from __future__ import annotations

import os
import signal
from multiprocessing.synchronize import Event

import cv2

from ingest.child import end_with

_stop: Event | None = None


def begin(stop: Event, parent: int) -> None:
    """Called once in each worker. ``stop`` is set when all are to end; Ctrl-C is the parent's to hear."""
    global _stop  # noqa: PLW0603 - a worker process has one parent, and the pool passes nothing else along
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    if not end_with(parent, signal.SIGKILL):
        os._exit(1)


def is_stopped() -> bool:
    """Whether the parent wants no more."""
    return _stop is not None and _stop.is_set()
