"""How failure maps are best read as boxes: mAP50 on held-out real pictures of the training sources.

    python -m bench.real_boxes [--model-path FILE]

``detector/model/failure_map.py`` is set by this, and never by pictures of the split ``eval``. A network that
sees better may want other settings: run it again. Needs the data folder (NOZZLEWATCH_DATA).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.machine import data_dir
from detector.anomaly import Box
from detector.learning.box_precision import box_average_precision
from detector.learning.image_parts import learn_and_held_out
from detector.learning.image_thresholds import SEED
from detector.learning.real_images import RealImage, pictures, read_images, to_ship
from detector.learning.seen import FrameJudge
from detector.model.failure_map import SHARES, SIZE_POWER, found_boxes, logits_of
from detector.model.watch_model import DEFAULT, load_watch_model

SHARES_TRIED = (SHARES, (0.5,), (0.8,), (0.9,), (0.5, 0.9), (0.4, 0.8), (0.2, 0.5, 0.8), (0.3, 0.5, 0.7, 0.9))
POWERS_TRIED = (0.0, 0.1, SIZE_POWER, 0.25, 0.5)


class Boxed(NamedTuple):
    """Pictures of a source with boxes: their failure maps [n, rows, columns] as logits, and the boxes."""

    maps: npt.NDArray[np.float64]
    true: Sequence[Sequence[Box]]


def held_out(data: Path) -> list[RealImage]:
    """The pictures with boxes that no network learns from but that choices are made on."""
    images = to_ship(read_images(data))
    return [images[int(at)] for at in learn_and_held_out(images, SEED).held_out if images[int(at)].boxes]


def by_source(judge: FrameJudge, images: Sequence[RealImage]) -> dict[str, Boxed]:
    """What the network sees in them, source by source."""
    found = {}
    for source in sorted({image.source for image in images}):
        own = [image for image in images if image.source == source]
        seen = judge.judge(list(pictures(own)))
        found[source] = Boxed(logits_of(seen.where), [image.boxes for image in own])
    return found


def precision(boxed: Boxed, shares: Sequence[float] = SHARES, size_power: float = SIZE_POWER) -> float:
    """mAP50 of one source."""
    return box_average_precision([found_boxes(each, shares, size_power) for each in boxed.maps], boxed.true)


def lines(sources: Mapping[str, Boxed]) -> list[str]:
    """A line for each setting, the best mean over the sources first; the one in use is marked."""
    tried = {
        (shares, power): [precision(boxed, shares, power) for boxed in sources.values()]
        for shares in SHARES_TRIED
        for power in POWERS_TRIED
    }
    ranked = sorted(tried.items(), key=lambda one: -float(np.mean(one[1])))
    head = f"shares / size power: mean, {', '.join(f'{name} ({len(b.true)})' for name, b in sources.items())}"
    return [head, *(_line(shares, power, values) for (shares, power), values in ranked)]


def _line(shares: Sequence[float], power: float, values: Sequence[float]) -> str:
    told = ", ".join(f"{value:.3f}" for value in (float(np.mean(values)), *values))
    used = "  <- in use" if (shares, power) == (SHARES, SIZE_POWER) else ""
    return f"{' '.join(f'{share:g}' for share in shares)} / {power:g}: {told}{used}"


def main() -> None:
    """Measure all settings and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-path", type=Path, default=DEFAULT, help="the network")
    model = load_watch_model(parser.parse_args().model_path)
    print("\n".join(lines(by_source(FrameJudge(model.frame), held_out(data_dir())))))


if __name__ == "__main__":
    main()
