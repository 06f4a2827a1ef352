"""Where and of what something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
CPUINFO = Path("/proc/cpuinfo")


def data_dir() -> Path:
    """The folder of real data: what NOZZLEWATCH_DATA names, else ``shared/data`` beside the project's own."""
    return Path(os.environ.get("NOZZLEWATCH_DATA", ROOT.parent / "shared" / "data"))


def origin(command: str) -> dict[str, object]:
    """Commit, machine, date and command, as every file of figures bears them."""
    return {
        "commit": commit(),
        "machine": {
            "cpu": cpu_model(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "python": platform.python_version(),
            "torch": str(torch.__version__),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
    }


def commit() -> str:
    """The commit of the working tree, "-dirty" where it was changed since; "unknown" outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu_model() -> str:
    """The processor's name, as far as the system tells it."""
    if CPUINFO.is_file():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
