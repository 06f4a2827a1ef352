"""The frames of a batch: read as each printer's view says, looked at, encoded without what is masked."""

from __future__ import annotations

import numpy as np

from detector.frames import FRAME_LOST, FrameLoader
from features.frame import BGR_MEAN
from features.picture import View
from features.quality import Quality, advance
from ingest.store import Stores
from ingest.stream import frame_key, shard_of
from tests.detector.at_work import SHARDS, Brightness, feed, of, scene_jpeg
from tests.detector.windows import printing

VIEWS = {
    "all-masked": View(masks=((0.0, 0.0, 1.0, 1.0),)),
    "dim-half": View(crop=(0.5, 0.0, 0.5, 1.0)),
    "dim-half-mirrored": View(mirror=True, crop=(0.0, 0.0, 0.5, 1.0)),
}


def test_each_printers_picture_is_read_by_its_own_view(stores: Stores) -> None:
    """The left half of the picture is lit."""
    names = [*VIEWS, "whole"]
    windows = [of(name, printing(1, frame=lambda _: True))[0] for name in names]
    feed(stores, windows, lambda second: scene_jpeg(second, lit=True))
    loaded = FrameLoader(Brightness(), SHARDS, VIEWS).load(stores.frames, windows)
    seen = dict(zip(names, loaded, strict=True))
    assert np.allclose(seen["all-masked"].embedding, BGR_MEAN, atol=0.5)
    assert seen["dim-half"].embedding.mean() < seen["whole"].embedding.mean() - 20
    assert np.allclose(seen["dim-half"].embedding, seen["dim-half-mirrored"].embedding, atol=1)
    assert [seen[name].view for name in names] == [*(view.name for view in VIEWS.values()), ""]


def test_a_look_is_taken_before_masks_are_filled(stores: Stores) -> None:
    windows = of("all-masked", printing(1, frame=lambda _: True))
    feed(stores, windows, scene_jpeg)
    (picture,) = FrameLoader(Brightness(), SHARDS, VIEWS).load(stores.frames, windows)
    assert picture.look is not None
    assert advance(None, picture.look, 0)[1] is Quality.NONE


def test_a_window_without_a_frame_has_its_view_and_no_look(stores: Stores) -> None:
    windows = of("dim-half", printing(2, frame=lambda second: second == 0))
    feed(stores, windows, scene_jpeg)
    lost = windows[0].frame.captured_ns
    stores.frames.delete(frame_key(shard_of("dim-half", SHARDS), "dim-half", lost))
    pictures = FrameLoader(Brightness(), SHARDS, VIEWS).load(stores.frames, windows)
    assert [picture.trouble for picture in pictures] == [FRAME_LOST, ""]
    assert {picture.view for picture in pictures} == {VIEWS["dim-half"].name}
    assert {picture.look for picture in pictures} == {None}
