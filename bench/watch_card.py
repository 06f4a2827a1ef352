"""Writes the cards of the watch's weights, with what ``make evaluate`` measured, and of the prints to replay.

python -m bench.watch_card [FIGURES.json]        (default: bench/accuracy.json)
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.machine import ROOT
from detector.evaluation.outcome import S_PER_H
from detector.learning.replay_file import REPLAY, read_replay
from detector.learning.seen import version_of
from detector.model.watch_model import DEFAULT, WatchModel, load_watch_model

TEMPLATE = Path(__file__).with_name("watch.card.md")
REPLAY_TEMPLATE = Path(__file__).with_name("replay.card.md")
FIGURES = ROOT / "bench" / "accuracy.json"


def main() -> None:
    """Fill the templates."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES
    model = load_watch_model(DEFAULT)
    about, shape = model.about, model.about.temporal
    card = TEMPLATE.read_text(encoding="utf-8").format(
        version=about.version, backbone=about.backbone, layers=shape.layers, heads=shape.heads,
        width=shape.width, band=shape.band, data=", ".join(about.data), simulator=about.simulator,
        sha256=about.sha256,
        frame_parameters=sum(each.numel() for each in model.frame.parameters()),
        temporal_parameters=sum(each.numel() for each in model.temporal.parameters()),
        min_beats=about.min_beats, within_beats=about.within_beats, threshold=about.threshold,
        beyond=about.beyond or 0.0,
        temperature=about.temperatures[0], bias=about.biases[0] if about.biases else 0.0,
        measured="\n".join(measured(json.loads(file.read_text()))),
    )  # fmt: skip
    DEFAULT.with_suffix(".md").write_text(card, encoding="utf-8")
    REPLAY.with_suffix(".md").write_text(replay_card(model), encoding="utf-8")


def replay_card(model: WatchModel) -> str:
    """What the prints to replay are. Raises UsageError where they are of another frame network."""
    version = version_of(model.frame)
    facts = [one.facts for one in read_replay(REPLAY, version)]
    kinds = Counter(one.kind for one in facts if one.kind is not None)
    return REPLAY_TEMPLATE.read_text(encoding="utf-8").format(
        prints=len(facts),
        hours=sum(one.ends_s for one in facts) / S_PER_H,
        kinds=", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds)),
        simulator=", ".join(sorted({one.simulator for one in facts})),
        frame_version=version,
        sha256=hashlib.sha256(REPLAY.read_bytes()).hexdigest(),
    )


def measured(figures: dict[str, Any]) -> Iterator[str]:
    """The headline figures in lines: simulated prints by event, then real pictures by source."""
    told = (
        "**Simulated**, {prints} prints of the test split ({failing} failing, {hours:.0f} h), a tenth failing"
    )
    yield told.format(**figures) + f" by weight; 95 % intervals. Command: `{figures['command']}`."
    yield ""
    yield "| figure | value |"
    yield "|---|---|"
    yield f"| mistakes per 100 prints | {_with(figures, 'mistakes_per_100', 'mistakes_ci')} |"
    false = _with(figures, "false_alarms_per_print_hour", "false_alarms_ci", 4)
    yield f"| false alarms per print-hour | {false} |"
    yield "| precision, recall, F1 | {precision:.2f}, {recall:.2f}, {f1:.2f} |".format(**figures)
    yield "| delay, median and 90 % | {delay_median_s:.0f} s, {delay_p90_s:.0f} s |".format(**figures)
    kinds = (f"{kind} {each['recall']:.2f} of {each['prints']}" for kind, each in figures["kinds"].items())
    yield f"| recall by kind | {', '.join(kinds)} |"
    best = min(figures["baselines"].items(), key=lambda item: item[1]["mistakes_per_100"])
    yield f"| best of the baselines | {best[0]}: {best[1]['mistakes_per_100']:.2f} |"
    images = figures.get("images")
    if images:
        yield ""
        yield "**Real pictures** never trained on (split `eval`), by frame:"
        yield ""
        yield "| source | AUC | normal frames called failing | the same if careful | found then | mAP50 |"
        yield "|---|---|---|---|---|---|"
        for source, each in images.items():
            if isinstance(each, dict) and "frames" in each:
                careful = images["careful"][source]
                yield (
                    f"| {source} ({each['frames']} frames) | {_with(each, 'auc', 'auc_ci')} | "
                    f"{_share(each.get('false_frames'))} | {_share(careful.get('false_frames'))} | "
                    f"{_share(careful.get('recall'))} | {_share(each.get('map50'))} |"
                )
        yield f"| mean of the both-label sources | {_with(images, 'mean_auc', 'mean_auc_ci')} | | | | |"
        yield ""
        yield (
            f"Called failing from a logit of {images['threshold']:.1f} on; if careful from "
            f"{images['careful']['threshold']:.1f}, which one in a hundred held-out normal pictures reaches."
        )


def _with(figures: dict[str, Any], name: str, interval: str, digits: int = 2) -> str:
    value, ends = figures.get(name), figures.get(interval)
    if value is None:
        return ""
    return f"{value:.{digits}f}" + (f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if ends else "")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    main()
