"""Finished parts on real stores: each judged once, by its own pictures, whatever befalls the detector."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from detector import worker
from detector.anomaly import Inspection, Scores
from detector.inspection import FAILED, NO_PICTURE, PICTURES_GONE, PartInspector, Plan, summed_up
from detector.surface.inspect import NONE_OF_THESE, Finding
from features.picture import View
from ingest.records import SURFACE_CAMERA, Mark, Window
from ingest.store import Stores
from ingest.stream import DETECTOR, Reader, frame_key, key, shard_of
from tests.detector.at_work import SHARDS, Loader, feed, scene_jpeg, session, told, unfinished
from tests.detector.windows import FIRST, printing

PRINT = "benchy 2023-11-14T22:13:20Z"
END_S, SECONDS = 30, 50
HEAT = np.zeros((1, 1), np.float32)


def finding(label: str | None, **probabilities: float) -> Finding:
    nearest = max(probabilities, key=probabilities.__getitem__)
    return Finding(
        label=label,
        nearest=nearest,
        probability=probabilities[nearest],
        probabilities=probabilities,
        unlikeness=0.5 if label else 1.5,
        sound=False,
        heat=HEAT,
    )


class Network:
    """Says the same of every picture, and keeps the shapes of what it was shown."""

    def __init__(self, says: Finding | Exception | None = None) -> None:
        self.says = says or finding("stringing", good=0.25, stringing=0.75)
        self.shapes: list[tuple[int, ...]] = []

    def inspect(self, pictures: Sequence[Any]) -> list[Finding]:
        if isinstance(self.says, Exception):
            raise self.says
        self.shapes += [picture.shape for picture in pictures]
        return [self.says] * len(pictures)


def parts(network: Network | None = None, **plan: Any) -> PartInspector:
    usual = {"model": "net 1", "shards": SHARDS, "pictures": 3, "sound": ("good",)}
    return PartInspector(network or Network(), Plan(**usual | plan))


def a_print(*, surface_at: int = -1) -> list[Window]:
    made = printing(
        SECONDS,
        frame=lambda _: True,
        marks=lambda second: Mark.IDLE if second >= END_S else Mark.NONE,
    )
    cameras = {FIRST + surface_at: SURFACE_CAMERA}
    return [
        replace(one, job=PRINT, frame=replace(one.frame, camera=cameras.get(one.index, "c"))) for one in made
    ]


def inspected(stores: Stores) -> list[Inspection]:
    return told(stores, "inspections", Inspection)


def work_off(stores: Stores, inspector: PartInspector | None) -> None:
    judging = session(stores, parts=inspector)
    while judging.step(1):
        pass


def test_a_finished_part_is_judged_by_its_last_pictures_and_told(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nozzlewatch.detector")
    feed(stores, a_print(), scene_jpeg)
    work_off(stores, parts())
    (one,) = inspected(stores)
    assert (one.printer, one.job, one.at_ns) == ("p", PRINT, (FIRST + END_S + 1) * 10**9)
    assert (one.verdict, one.sound, one.probability) == ("stringing", False, 0.75)
    assert [picture.frame.captured_ns // 10**9 - FIRST for picture in one.pictures] == [15, 20, 25]
    assert {picture.label for picture in one.pictures} == {"stringing"}
    assert (one.text, one.model) == ("surface: stringing 75 % (3 of 3 pictures)", "net 1")
    assert [record.getMessage() for record in caplog.records] == [f"p: {PRINT}: {one.text}"]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_finished_part_is_inspected_once_however_often_the_detector_dies(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(worker, "BATCH", size)
    session(stores)
    feed(stores, a_print(), scene_jpeg)
    while unfinished(stores):
        Reader(stores.events, [key("windows", shard_of("p", SHARDS))], DETECTOR).read(size, 1)  # and dies
        heir = session(stores, parts=parts())
        heir.recover()
        heir.step(1)
    (one,) = inspected(stores)
    assert [picture.frame.captured_ns // 10**9 - FIRST for picture in one.pictures] == [15, 20, 25]


def test_where_nothing_inspects_nothing_is_kept_and_told(stores: Stores) -> None:
    feed(stores, a_print(), scene_jpeg)
    work_off(stores, None)
    assert inspected(stores) == []
    assert session(stores)._memories[shard_of("p", SHARDS)]["p"].state.finish is None


def test_the_surface_cameras_picture_is_judged_whole_and_by_nothing_else(stores: Stores) -> None:
    network, loader = Network(), Loader()
    inspector = parts(network, awaited={"p"}, views={"p": View(crop=(0, 0, 0.5, 1))})
    feed(stores, a_print(surface_at=END_S + 5), scene_jpeg)
    session(stores, loader=loader, parts=inspector).step(1)
    assert network.shapes == [(96, 128, 3)]
    (one,) = inspected(stores)
    assert [picture.frame.camera for picture in one.pictures] == [SURFACE_CAMERA]
    assert one.text == "surface: stringing 75 % (1 of 1 picture)"


def test_a_picture_of_the_surface_camera_is_never_judged_as_one_of_the_print(stores: Stores) -> None:
    windows = a_print(surface_at=7)
    feed(stores, windows, scene_jpeg)
    pictures = Loader().load(stores.frames, windows)
    looked_at = [place for place, picture in enumerate(pictures) if picture.look and picture.as_bytes()]
    assert looked_at == [second for second in range(SECONDS) if second != 7]
    assert pictures[7].trouble == ""


def test_the_prints_own_pictures_are_judged_as_its_view_cuts_them(stores: Stores) -> None:
    network = Network()
    feed(stores, a_print(), scene_jpeg)
    work_off(stores, parts(network, pictures=2, views={"p": View(rotate=90, crop=(0, 0, 1, 0.5))}))
    assert network.shapes == [(64, 96, 3)] * 2


def test_a_print_whose_pictures_have_gone_has_a_row_that_says_so(stores: Stores) -> None:
    windows = a_print()
    feed(stores, windows[:END_S], scene_jpeg)
    judging = session(stores, parts=parts())
    judging.step(1)
    shard = shard_of("p", SHARDS)
    stores.frames.delete(*(frame_key(shard, "p", one.frame.captured_ns) for one in windows))
    feed(stores, windows[END_S:], scene_jpeg)
    judging.step(1)
    (one,) = inspected(stores)
    assert (one.verdict, one.probability, one.pictures, one.text) == ("", None, (), PICTURES_GONE)


def test_a_print_without_a_clear_picture_has_a_row_that_says_so(stores: Stores) -> None:
    feed(stores, [replace(window, frame=None) for window in a_print()])
    work_off(stores, parts())
    (one,) = inspected(stores)
    assert (one.verdict, one.pictures, one.text) == ("", (), NO_PICTURE)


def test_a_network_that_fails_stops_nothing(stores: Stores) -> None:
    feed(stores, a_print(), scene_jpeg)
    work_off(stores, parts(Network(RuntimeError("no memory"))))
    (one,) = inspected(stores)
    assert (one.verdict, one.pictures, one.text) == ("", (), FAILED)
    assert len(told(stores, "scores", Scores)) == SECONDS


def test_several_pictures_make_the_verdict_of_their_mean() -> None:
    verdict = summed_up(
        [
            finding("good", good=0.6, stringing=0.4),
            finding("good", good=0.55, stringing=0.45),
            finding("stringing", good=0.1, stringing=0.9),
        ]
    )
    assert (verdict.label, verdict.agreeing) == ("stringing", 1)
    assert verdict.probability == pytest.approx((0.4 + 0.45 + 0.9) / 3)
    assert verdict.text == "surface: stringing 58 % (1 of 3 pictures)"


def test_most_pictures_decide_that_a_part_is_none_of_the_classes_and_the_others_that_it_is_one() -> None:
    odd, good = finding(None, good=0.9, stringing=0.1), finding("good", good=0.7, stringing=0.3)
    none = summed_up([odd, odd, good])
    assert (none.label, none.probability) == (NONE_OF_THESE, None)
    assert none.text == "surface: none of these (2 of 3 pictures)"
    assert summed_up([odd, good]).text == "surface: good 70 % (1 of 2 pictures)"
