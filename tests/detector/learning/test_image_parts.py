"""What belongs together among real images, and the part of ``train`` that choices are made on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from detector.learning.image_parts import ALIKE_BITS, copies, learn_and_held_out, prints
from detector.learning.real_images import Split, read_images, to_ship
from ingest.errors import UsageError
from tests.detector.learning.made_up import image

HASH = 0x1234_5678_9ABC_DEF0


def mirrored(dhash: int) -> int:
    """Of the picture mirrored left to right: each row the other way round, and lighter for darker."""
    rows = [(dhash >> 8 * row) & 255 for row in range(8)]
    return sum((int(f"{row:08b}"[::-1], 2) ^ 255) << 8 * at for at, row in enumerate(rows))


def upside_down(dhash: int) -> int:
    return int.from_bytes(dhash.to_bytes(8, "big"), "little")


def test_images_of_a_print_and_copies_belong_together() -> None:
    near, far = HASH ^ (2**ALIKE_BITS - 1), HASH ^ (2 ** (ALIKE_BITS + 1) - 1)
    images = [
        image("a", "1", dhash=HASH),
        image("a", "1"),
        image("b", "1"),  # another source's print
        image("b", "2", dhash=near),
        image("b", "3", dhash=far << 32 & 2**64 - 1),
    ]
    assert copies(images).tolist() == [0, 0, 2, 0, 4]
    assert prints(images).tolist() == [0, 0, 2, 3, 4]  # a print of its own stays one


def test_a_mirrored_copy_is_a_copy() -> None:
    turned = [HASH, mirrored(HASH), upside_down(HASH), mirrored(upside_down(HASH))]
    assert copies([image(dhash=one) for one in turned]).tolist() == [0, 0, 0, 0]
    assert prints([image(dhash=one) for one in turned]).tolist() == [0, 0, 0, 0]  # none has an id


def test_neither_part_holds_what_belongs_to_the_other() -> None:
    images = [image("a", f"p{number % 20}") for number in range(100)]
    images += [image("b", failing=number % 2 == 0) for number in range(50)]
    parts = learn_and_held_out(images, seed=3)
    assert sorted([*parts.learn, *parts.held_out]) == list(range(150))
    groups = copies(images)
    assert not set(groups[parts.learn]) & set(groups[parts.held_out])
    strata = Counter((images[at].source, images[at].failing) for at in parts.held_out)
    assert strata == {("a", True): 20, ("b", False): 5, ("b", True): 5}


def test_a_seed_gives_the_same_parts_again_and_another_gives_others() -> None:
    images = [image("a", f"p{number}") for number in range(50)]
    one, same, other = (learn_and_held_out(images, seed).held_out.tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_nothing_is_chosen_on_what_is_measured_on() -> None:
    with pytest.raises(UsageError, match=r"a part to choose on: found .* of the split eval"):
        learn_and_held_out([image(), image(split=Split.EVAL)], seed=1)


@pytest.mark.data
def test_a_fifth_of_the_real_images_is_held_out(data_dir: Path) -> None:
    images = to_ship(read_images(data_dir))
    parts, groups = learn_and_held_out(images, seed=1), copies(images)
    assert not np.intersect1d(groups[parts.learn], groups[parts.held_out]).size
    held = Counter((images[at].source, images[at].failing) for at in parts.held_out)
    assert held == {
        ("prottos", True): 158,
        ("p3rc", True): 52,
        ("mysticaldawn", True): 70,
        ("mysticaldawn", False): 19,
    }
    assert np.bincount(groups).max() < 50  # nothing was chained together by light and shade
