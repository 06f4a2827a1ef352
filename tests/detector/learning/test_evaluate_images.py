"""Real images by source, and series of them by event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.learning.evaluate_images import evaluate_images, frame_scores, sequence_figures
from detector.learning.real_images import RealImage, Split, read_images
from detector.learning.seen import FrameJudge, SeenFrames, nothing
from detector.model.frame_network import EMBEDDING_DIM
from features.stills import as_jpeg
from ingest.errors import UsageError
from tests.detector.learning.made_up import NORMAL, folder, image
from tests.detector.small_watch import CLASSES, small_model

EVAL = {"split": "eval"}


def learned(count: int = 5) -> list[dict[str, str]]:
    """Images of the split train with both labels, none like another."""
    hashes = np.random.default_rng(3).integers(1 << 63, size=2 * count)
    own = ({"dhash": f"{int(one):016x}"} for one in hashes)
    return [({} if number % 2 else NORMAL) | one for number, one in enumerate(own)]


def measured() -> list[dict[str, str]]:
    return [
        EVAL | NORMAL | {"source": "web", "print_id": "a"},
        EVAL | {"source": "web", "print_id": "b"},
        *(EVAL | NORMAL | {"source": "emptydeck", "print_id": "c", "frame": str(n)} for n in range(3)),
    ]


def test_each_source_stands_by_itself(tmp_path: Path) -> None:
    found = evaluate_images(small_model(), folder(tmp_path, *learned(), *measured()))
    assert set(found) == {"web", "emptydeck", "threshold", "careful", "sequences"}
    assert found["careful"].keys() == {"threshold", "web", "emptydeck"}
    assert found["careful"]["emptydeck"].keys() == {"false_frames"}  # one print: no interval
    assert (found["web"]["frames"], found["web"]["failing"]) == (2, 1)
    assert found["web"]["auc"] in (0.0, 0.5, 1.0)
    assert "auc" not in found["emptydeck"]
    assert found["sequences"]["series"].keys() == {"emptydeck/c"}
    assert found["sequences"]["normal"] == 1


def test_nothing_to_measure_or_to_choose_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="split eval"):
        evaluate_images(small_model(), folder(tmp_path / "a", *learned()))
    with pytest.raises(UsageError, match="both labels"):
        evaluate_images(small_model(), folder(tmp_path / "b", *measured()))


def test_images_can_be_judged_without_their_colours(tmp_path: Path) -> None:
    images = read_images(folder(tmp_path, *learned(1)))
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 200
    for one in images:
        one.file.write_bytes(as_jpeg(red))
    judge = FrameJudge(small_model().frame, engine="torch")
    coloured, grey = (frame_scores(judge, images, grey=lost) for lost in (False, True))
    assert coloured.shape == (2,)
    assert np.abs(coloured - grey).max() > 0.0
    for one in images:
        one.file.write_bytes(as_jpeg(np.full_like(red, 90)))
    assert frame_scores(judge, images) == pytest.approx(frame_scores(judge, images, grey=True), abs=1e-2)


def series(labels: list[bool], name: str = "p", *, numbered: bool = True) -> list[RealImage]:
    return [
        image("hiltes", name, failing=failing, frame=at if numbered else None, split=Split.EVAL)
        for at, failing in enumerate(labels)
    ]


def seen(count: int) -> SeenFrames:
    embeddings = np.random.default_rng(1).normal(0, 1, (count, EMBEDDING_DIM)).astype(np.float16)
    return nothing(count)._replace(embeddings=embeddings)


def test_an_alarm_before_the_first_failing_frame_is_false_and_finds_nothing() -> None:
    always = small_model(threshold=0.001, temperatures=(1.0,) * CLASSES)
    images = [*series([False] * 4 + [True] * 4), *series([True] * 4, "q"), *series([False] * 4, "r")]
    found = sequence_figures(always, images, seen(16))
    late, at_once, never = (found["series"][f"hiltes/{name}"] for name in "pqr")
    assert (late["onset"], late["alarm"], late["found"], late["false_alarms"]) == (5, 2, False, 1)
    assert (at_once["onset"], at_once["found"], at_once["false_alarms"]) == (1, True, 0)
    assert (never["onset"], never["found"]) == (None, False)
    assert (found["failing"], found["found"], found["normal"], found["falsely_alarmed"]) == (2, 1, 1, 2)


def test_frames_whose_order_nobody_knows_are_no_series() -> None:
    assert sequence_figures(small_model(), series([False] * 3, numbered=False), seen(3))["series"] == {}


def test_a_series_is_judged_in_the_order_of_its_frames() -> None:
    images, shown = series([False, False, True]), seen(3)
    turned = SeenFrames(shown.embeddings[::-1], shown.where[::-1], shown.failing[::-1])
    one, other = (
        sequence_figures(small_model(), those, frames)
        for those, frames in ((images, shown), (images[::-1], turned))
    )
    assert one == other
