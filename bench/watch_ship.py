"""Ships a training of the watch: its weights, and some prints that it learned from, to be replayed.

    python -m bench.watch_ship TRAINING PRINTS...

TRAINING is the folder of ``nozzlewatch train``, PRINTS are those that it learned from. Afterwards ``make
evaluate`` measures what ships, and ``python -m bench.watch_card`` writes the cards.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from detector.files import replacing
from detector.learning.replay_file import REPLAY, keep_some
from detector.model.watch_model import DEFAULT, load_watch_model


def main() -> None:
    """Copy the weights, and keep some prints as these very weights see them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("training", type=Path)
    parser.add_argument("prints", type=Path, nargs="+")
    asked = parser.parse_args()
    ship(asked.training, asked.prints, DEFAULT, REPLAY)
    print(f"written: {DEFAULT}, {REPLAY}; next: make evaluate, python -m bench.watch_card")


def ship(training: Path, prints: list[Path], weights: Path, replay: Path) -> None:
    """Write both files. Raises UsageError for a training that is not finished."""
    model = load_watch_model(training / "watch.safetensors")
    keep_some(replay, model.frame, prints, training / "seen")
    with replacing(weights) as fresh:
        shutil.copyfile(training / "watch.safetensors", fresh)


if __name__ == "__main__":
    main()
