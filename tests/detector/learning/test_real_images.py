"""The manifest of real images: what is read, what is refused, and what may be learned from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from detector.anomaly import Kind
from detector.learning.real_images import (
    MANIFEST,
    Split,
    of_split,
    only_train,
    picture,
    pictures,
    read_images,
    to_ship,
)
from features.frame import decode_frame
from ingest.errors import SourceError, SourceNotFound, UsageError
from tests.detector.learning.made_up import BOX, NORMAL, folder


def test_a_row_becomes_an_image(tmp_path: Path) -> None:
    data = folder(tmp_path, {"print_id": "p", "frame": "7", "after_onset": "1"}, NORMAL | {"split": "eval"})
    failing, normal = read_images(data)
    assert (failing.file, failing.source) == (tmp_path / "images" / "0.jpg", "web")
    assert (failing.failing, failing.kind, failing.boxes) == (True, Kind.SPAGHETTI, (BOX,))
    assert (failing.print_id, failing.frame, failing.after_onset) == ("p", 7, True)
    assert (failing.stated_licence, failing.dhash) == (True, 0x00FF00FF00FF00FF)
    assert (normal.failing, normal.kind, normal.boxes) == (False, None, ())
    assert (normal.print_id, normal.frame, normal.after_onset) == ("", None, None)
    assert of_split((failing, normal), Split.EVAL) == (normal,)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"label": "broken"}, "label: found 'broken', expected one of normal, failing"),
        ({"label": "normal"}, "kind: found 'spaghetti', expected none: the picture is normal"),
        ({"kind": "none"}, "kind: found 'none', expected a kind, as the picture fails"),
        ({"kind": "melted"}, "kind: found 'melted', expected one of none, other"),
        ({"label": "normal", "kind": "none"}, "boxes: found '0.5,0.25,0.25,0.5', expected none"),
        ({"boxes": "0.5,0.5,0.6,0.1"}, "expected boxes x,y,width,height from 0 to 1 that lie in the picture"),
        ({"boxes": "0.5,0.5,nan,0.1"}, "expected boxes x,y,width,height"),
        ({"boxes": "0.5,0.5"}, "expected boxes x,y,width,height"),
        ({"boxes": "a,b,c,d"}, "expected boxes x,y,width,height"),
        ({"frame": "x"}, "frame: found 'x', expected a whole number or nothing"),
        ({"dhash": ""}, "dhash: found '', expected 64 bits as 16 hexadecimal digits"),
        ({"dhash": "1" * 17}, "expected 64 bits"),
        ({"split": "test"}, "split: found 'test', expected one of train, train_research"),
        ({"source": ""}, "source: found '', expected the name of a source"),
        ({"stated_licence": "yes"}, "stated_licence: found 'yes', expected one of 0, 1"),
        ({"after_onset": "2"}, "after_onset: found '2'"),
        ({"file": "gone.jpg"}, "file: found 'gone.jpg', expected an image below"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_its_line(
    tmp_path: Path, row: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_images(folder(tmp_path, {}, row))
    assert str(caught.value).startswith(f"{tmp_path / MANIFEST}: line 3: ")
    assert said in str(caught.value)


def test_a_manifest_that_is_missing_or_lacks_a_column_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest\.csv.*expected the list of real images"):
        read_images(tmp_path)
    manifest = folder(tmp_path, {}) / MANIFEST
    manifest.write_text(manifest.read_text().replace("dhash", "hash"))
    with pytest.raises(UsageError, match="found no column dhash, expected file, source"):
        read_images(tmp_path)
    manifest.write_text(manifest.read_text().replace(",hash", ",dhash").replace(",00ff00ff00ff00ff", ""))
    with pytest.raises(UsageError, match="line 2: dhash: found None"):
        read_images(tmp_path)


def test_a_box_of_some_pixels_is_a_slip_of_the_hand(tmp_path: Path) -> None:
    (image,) = read_images(folder(tmp_path, {"boxes": "0.0016,0,0.0011,0.0064;0.5,0.25,0.25,0.5"}))
    assert image.boxes == (BOX,)


def test_weights_that_ship_learn_from_the_split_train_with_a_stated_licence_alone(tmp_path: Path) -> None:
    rows = [{"split": split.value} for split in Split]
    images = read_images(folder(tmp_path, *rows, {"stated_licence": "0"}))
    assert to_ship(images) == images[:1]
    only_train(images[:1], "a net")
    with pytest.raises(UsageError, match=r"a net: found .*2\.jpg of the split train_unlicensed"):
        only_train((images[0], images[2]), "a net")


def test_pictures_are_what_a_live_frame_would_be(tmp_path: Path) -> None:
    images = read_images(folder(tmp_path, {}, {}, {}))
    read = list(pictures(images, 64))
    for image, found in zip(images, read, strict=True):
        np.testing.assert_array_equal(found, decode_frame(image.file.read_bytes(), 64))
    inside = picture(images[2], 32, BOX)
    assert inside.shape == (32, 32, 3)
    np.testing.assert_allclose(inside[2:-2, 2:-2], 120, atol=3)


def test_pictures_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    images = read_images(folder(tmp_path, {}, {}, {}))
    read = pictures(images, 64)
    next(read)
    images[1].file.write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"1\.jpg.*expected a whole JPEG"):
        next(read)
    images[2].file.unlink()
    with pytest.raises(SourceNotFound, match=r"2\.jpg"):
        picture(images[2])


@pytest.mark.data
def test_the_real_images_are_as_the_readme_counts_them(data_dir: Path) -> None:
    images = read_images(data_dir)
    found = Counter((image.split.value, image.source, image.failing) for image in images)
    assert found == {
        ("train", "prottos", True): 794,
        ("train", "p3rc", True): 263,
        ("train", "mysticaldawn", False): 99,
        ("train", "mysticaldawn", True): 352,
        ("train_research", "emptydeck", False): 199,
        ("train_unlicensed", "kapis20", True): 185,
        ("eval", "22yeets22", False): 113,
        ("eval", "22yeets22", True): 102,
        ("eval", "mysticaldawn_fixedcam", False): 198,
        ("eval", "mysticaldawn_fixedcam", True): 194,
        ("eval", "hiltes", False): 212,
        ("eval", "hiltes", True): 14,
        ("eval", "emptydeck", False): 99,
        ("eval", "p3rc", True): 12,
        ("eval", "caxton", False): 2,
        ("eval", "caxton", True): 14,
        ("eval", "fastcaxton", True): 16,
    }
    assert to_ship(images) == of_split(images, Split.TRAIN)
    assert {image.source for image in images if image.boxes} == {"prottos", "p3rc", "kapis20"}
    assert all(one.shape == (224, 224, 3) for one in pictures(images[::100]))
