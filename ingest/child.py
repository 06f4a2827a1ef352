"""Becomes another program that ends when its parent ends: ``child.py PARENT_PID SIGNAL PROGRAM ARG…``.

Linux's PR_SET_PDEATHSIG survives exec, so a tiny launcher sets it and becomes the program. It runs as a
script of its own (no imports of ours): nothing of it is forked from a process with threads. On systems
without the call the program simply runs; there an owner that is killed leaves its servers behind, and the
next owner finds them by their sockets.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int, number: int) -> bool:
    """Have this process get signal ``number`` when its parent ends; False where it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


if __name__ == "__main__":
    parent, number, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if not end_with(parent, number):
        sys.exit("the parent ended before its child had started")
    os.execv(program[0], program)  # noqa: S606 - the caller's own program, no shell
