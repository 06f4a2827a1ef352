"""Coverage-guided fuzzing with atheris: ``python -m tests.fuzz --seconds 60``, shared out over all targets.

A crash ends with exit code 1; the input that made it stays in ``out/fuzz`` and runs again with
``python -m tests.fuzz TARGET FILE``. Needs the extra ``fuzz``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ingest", "features"]):
    from tests.fuzz.targets import TARGETS

FOUND = Path("out/fuzz")
LONGEST_INPUT = 4096


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("file", nargs="?", type=Path, help="run this input alone")
    parser.add_argument("--seconds", type=int, default=60)
    told = parser.parse_args()
    if told.file is not None:
        TARGETS[told.target].work(told.file.read_bytes())
        return 0
    if told.target is not None:
        _fuzz(told.target, told.seconds)
    return max(_in_a_process(name, max(1, told.seconds // len(TARGETS))) for name in TARGETS)


def _in_a_process(name: str, seconds: int) -> int:
    """libFuzzer ends its process: each target gets one of its own."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    summary = [line for line in ended.stderr.splitlines() if line.startswith(("Done", "stat::", "Test unit"))]
    print(f"{name}: {'; '.join(summary) or 'no summary'}")
    if ended.returncode:
        print(ended.stderr[-4000:])
    return int(ended.returncode != 0)


def _fuzz(name: str, seconds: int) -> None:
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(TARGETS[name].seeds()):
            (Path(corpus) / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-artifact_prefix={FOUND}/"]
        atheris.Setup([sys.argv[0], *limits, corpus], TARGETS[name].work)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
