"""Ships the printability network: ``python -m bench.printability_ship`` writes it into ``detector/weights``.

The network is the row ``honest-ours`` of the printability table; the card says what it learned from.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import msgspec

from bench.machine import data_dir
from bench.printability_trials import OUT, PARTS, Row, path_of
from detector.printability.asking import SHIPPED
from detector.printability.dataset import Parts, load, split
from detector.printability.evaluate import THRESHOLD
from detector.printability.model_file import load_model, save_model

NAME = "honest-ours"
CARD = Path(__file__).with_suffix(".card.md")


def main() -> None:
    """Copy the network, and write its card."""
    row = msgspec.json.decode(path_of(NAME).read_bytes(), type=Row)
    model = load_model(OUT / f"{NAME}.safetensors")
    save_model(SHIPPED, model)
    about, test = model.about, row.test
    parts = load(PARTS, about.holes, balanced=about.balanced)
    learned = _families(parts)
    SHIPPED.with_suffix(".md").write_text(
        CARD.read_text(encoding="utf-8").format(
            parameters=row.trained.parameters,
            size=about.size,
            samples=row.trained.samples["train"],
            parts=row.trained.parts["train"],
            families=len(learned),
            validation=row.trained.parts["validation"],
            large=about.rules.radius_large,
            small=about.rules.radius_small,
            near=about.rules.border_near,
            tested=test.samples,
            tested_parts=test.parts,
            accuracy=test.accuracy.value,
            low=test.accuracy.ci[0],
            high=test.accuracy.ci[1],
            f1=test.f1.value,
            f1_low=test.f1.ci[0],
            f1_high=test.f1.ci[1],
            auc=test.auc.value,
            auc_low=test.auc.ci[0],
            auc_high=test.auc.ci[1],
            by_defect=", ".join(
                f"{kind} {one.accuracy.value:.1%} of {one.samples}" for kind, one in test.defects.items()
            ),
            threshold=about.figures.get("threshold", THRESHOLD),
            sha256=hashlib.sha256(SHIPPED.read_bytes()).hexdigest(),
            notices="\n".join(_notices(learned)),
        ),
        encoding="utf-8",
    )


def _families(parts: Parts) -> Counter[str]:
    """How many meshes of each designer it has learned from."""
    learned = {int(parts.groups[index]) for index in split(parts, "honest").train}
    return Counter(parts.parts[group].facts.family for group in learned)


def _notices(learned: Counter[str]) -> list[str]:
    with (data_dir() / "stl" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        told = {row["family"]: row for row in csv.DictReader(file)}
    return [
        f"- {count} of github.com/{told[family]['repo']} at {told[family]['commit'][:12]}: "
        f"{told[family]['licence']}"
        for family, count in sorted(learned.items())
    ]


if __name__ == "__main__":
    main()
