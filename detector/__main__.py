"""``python -m detector FARM.toml [--shard I/N]``: the detector stage as a process of its own."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Collection
from pathlib import Path

import torch

from detector.anomaly import Kind
from detector.frames import FrameLoader
from detector.inspection import open_inspector
from detector.judge import Judge
from detector.model.build import VERSION, build_encoder
from detector.model.watch_model import DEFAULT, WatchModel, default_watch_model, load_watch_model
from detector.network import Watcher
from detector.settings import NO_MODEL, DetectorSettings, load_settings
from detector.watch import Watch
from detector.worker import DetectorWorker
from ingest.errors import UsageError
from ingest.records import NS_PER_S
from ingest.running import FINE, run_stage
from ingest.stage import StoreSource, data_folder


def build_worker(settings: DetectorSettings, source: StoreSource, part: tuple[int, int]) -> DetectorWorker:
    """A detector for part ``(I, N)`` of the farm's shards: those whose number leaves I when divided by N.

    Raises UsageError for a network that cannot be read.
    """
    torch.set_num_threads(settings.table.threads)
    encoder = build_encoder(settings.table.device)
    device = encoder.device.type
    trouble = [] if settings.table.device in ("auto", device) else [f"asked for {settings.table.device}"]
    shards = settings.farm.table.shards
    mine = [shard for shard in range(shards) if shard % part[1] == part[0]]
    frames = FrameLoader(encoder, shards, settings.views)
    model = watch_model(settings)
    if model is not None and settings.farm.span_ns != NS_PER_S:
        trouble.append(
            f"without {model.about.version}: it is for span_s = 1, not {settings.farm.table.span_s:g}"
        )
        model = None
    policies = settings.policies(with_network=model is not None)
    judge = Judge(VERSION if model is None else f"{model.about.version}+{VERSION}", policies)
    watch = None if model is None else _watch(model, settings, frames, policies)
    return DetectorWorker(source, mine, judge, frames, ", ".join(trouble), open_inspector(settings), watch)


def watch_model(settings: DetectorSettings) -> WatchModel | None:
    """The network that the farm file asks for, None for none.

    Raises UsageError for a file that is no such network, and where none comes along.
    """
    if settings.table.model == NO_MODEL:
        return None
    if settings.watch_model is not None:
        return load_watch_model(settings.watch_model)
    shipped = default_watch_model()
    if shipped is None:
        raise UsageError(
            f"detector.model: found no {DEFAULT}, expected it to come along: install anew, or name a file"
        )
    return shipped


def _watch(
    model: WatchModel, settings: DetectorSettings, frames: FrameLoader, kinds: Collection[Kind]
) -> Watch:
    return Watch(Watcher(model, frames.device, threads=settings.table.threads), frames, kinds)


def detect(path: Path, stop: threading.Event, part: tuple[int, int] = (0, 1)) -> int:
    """Judge the farm's windows until ``stop`` is set."""
    settings = load_settings(path)
    data_folder(settings.farm)
    with StoreSource(settings.farm) as source:
        build_worker(settings, source, part).run(stop)
    return FINE


def part_of_shards(text: str) -> tuple[int, int]:
    """Read ``I/N``: part I (from 0) of N. Raises UsageError."""
    number, _, total = text.partition("/")
    if not (number.isdigit() and total.isdigit() and int(number) < int(total)):
        raise UsageError(f"--shard: found {text!r}, expected I/N with I from 0 to N-1, such as 0/2")
    return int(number), int(total)


def main() -> int:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="detector", description="Judge windows and tell what is failing.")
    parser.add_argument("farm", type=Path, help="the farm file (farm.toml)")
    parser.add_argument("--shard", default="0/1", help="part I/N of the shards")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    options = parser.parse_args()
    return run_stage(
        lambda stop: detect(options.farm, stop, part_of_shards(options.shard)), debug=options.debug
    )


if __name__ == "__main__":
    sys.exit(main())
