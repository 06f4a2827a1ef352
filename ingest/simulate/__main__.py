"""``python -m ingest.simulate``: a simulated farm on this machine, with faults that come by themselves."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from ingest.errors import NozzlewatchError
from ingest.simulate.demo import demo_printers, idle_printers
from ingest.simulate.farm import FPS, run_farm


def main(arguments: list[str] | None = None) -> int:
    """Run the farm; the exit code: 0 fine, 1 the farm could not run, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except (NozzlewatchError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if options.idle:
        printers = idle_printers(options.printers, options.seed)
    else:
        printers = demo_printers(options.printers, options.seconds, options.seed)
    await run_farm(options.dir, printers, options.seconds + options.linger, stop, options.fps)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ingest.simulate", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="folder for ports, sockets and truth.jsonl")
    parser.add_argument("--printers", type=_count, default=4)
    parser.add_argument("--seconds", type=_positive, default=90.0)
    parser.add_argument("--linger", type=float, default=0.0, help="s to go on after the last fault's script")
    parser.add_argument("--seed", type=_seed, default=1)
    parser.add_argument("--fps", type=_positive, default=FPS, help="pictures per second and camera")
    parser.add_argument(
        "--idle", action="store_true", help="cold printers with a card that wait for a host, no faults"
    )
    return parser


def _count(text: str) -> int:
    return _at_least(int(text), 1)


def _seed(text: str) -> int:
    return _at_least(int(text), 0)


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text}, expected a number above 0")
    return value


def _at_least(value: int, low: int) -> int:
    if value < low:
        raise argparse.ArgumentTypeError(f"found {value}, expected at least {low}")
    return value


if __name__ == "__main__":
    sys.exit(main())
