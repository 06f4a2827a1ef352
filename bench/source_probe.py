"""Whether the frame network's embeddings know the camera: a linear probe guesses each real picture's source.

    python -m bench.source_probe [--model-path FILE]

Beside it the same of a network with ImageNet's trunk and heads at random, which has seen no printer, and how
much of the label a source alone gives away. All stated-licence and evaluation pictures are asked, each by a
probe that saw nothing of its print; a picture that names no print is one of its own. Needs NOZZLEWATCH_DATA.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.ablations import TRUNK
from bench.machine import data_dir
from detector.learning.evaluate_images import seen_in
from detector.learning.real_images import RealImage, Split, of_split, read_images, to_ship
from detector.learning.seen import FrameJudge
from detector.learning.source_probe import LabelBySource, SourceGuess, label_by_source, probe_sources
from detector.model.frame_network import FrameNetwork, build_frame_network
from detector.model.watch_model import DEFAULT, load_watch_model
from detector.model.weights import load_weights

SEED = 0


def probed(network: FrameNetwork, images: Sequence[RealImage]) -> dict[str, SourceGuess]:
    """``probe_sources`` of a network's embeddings of the images."""
    embeddings = seen_in(FrameJudge(network), images).embeddings.astype(np.float64)
    failing, sources = truth(images)
    prints = np.array([f"{one.source}/{one.print_id or one.file.name}" for one in images])
    return probe_sources(embeddings, failing, sources, prints, SEED)


def truth(images: Sequence[RealImage]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.str_]]:
    """Which images fail, and the source of each."""
    return np.array([one.failing for one in images]), np.array([one.source for one in images])


def lines(name: str, guesses: dict[str, SourceGuess]) -> list[str]:
    """What one network gives away, a line for each label."""
    return [
        f"{name}, {label} pictures ({guess.pictures} of {guess.sources} sources): source guessed right "
        f"{guess.accuracy:.2f} (most common one {guess.majority:.2f}), mean over sources "
        f"{guess.balanced:.2f} (chance {guess.chance:.2f})"
        for label, guess in guesses.items()
    ]


def of_labels(found: LabelBySource) -> str:
    """How much of the label the source alone gives away."""
    return (
        f"label by source alone: right {found.accuracy:.2f} (most common label {found.majority:.2f}), "
        f"AUC {found.auc:.2f}, {100 * found.information:.0f} % of the label's information"
    )


def main() -> None:
    """Probe both networks and print what they give away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-path", type=Path, default=DEFAULT)
    asked = parser.parse_args()
    data = data_dir()
    every = read_images(data)
    images = [*to_ship(every), *of_split(every, Split.EVAL)]
    untrained = build_frame_network(trunk=load_weights(data / TRUNK).tensors, seed=SEED)
    told = [
        *lines("trained", probed(load_watch_model(asked.model_path).frame, images)),
        *lines("of ImageNet", probed(untrained, images)),
        of_labels(label_by_source(*truth(images))),
    ]
    print("\n".join(told))


if __name__ == "__main__":
    main()
