"""Changes of pictures: the same chance gives the same, and what they show stays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from features import augment
from features.frame import BGR_MEAN

Change = Callable[[Tensor, np.random.Generator], Tensor]
CHANGES: tuple[Change, ...] = (
    augment.flip,
    augment.quarter_turn,
    augment.crop,
    augment.relight,
    augment.noise,
    augment.blur,
    augment.erase,
    augment.for_surfaces,
    augment.tint,
    augment.recolour,
    augment.as_cameras_differ,
)


def pictures(count: int = 12, side: int = 32) -> Tensor:
    """Smooth and without symmetry, within 40..200 so that nothing is clipped by a small change."""
    y, x = np.mgrid[:side, :side] / side
    layers = np.stack([40 + 150 * x, 40 + 150 * y, 120 + 60 * x * y])
    scale = np.linspace(0.9, 1.05, count)[:, None, None, None]
    return torch.from_numpy((layers[None] * scale).astype(np.float32))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("change", CHANGES)
def test_the_same_chance_gives_the_same_and_another_another(change: Change, dtype: torch.dtype) -> None:
    given = pictures().to(dtype)
    before = given.clone()
    first, again, other = change(given, rng()), change(given, rng()), change(given, rng(1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(given, before)
    assert (first.shape, first.dtype) == (given.shape, dtype)
    assert first.min() >= 0
    assert first.max() <= 255


@pytest.mark.parametrize("change", CHANGES)
def test_bytes_and_numbers_are_changed_alike(change: Change) -> None:
    given = pictures().to(torch.uint8)
    as_bytes, as_numbers = change(given, rng()), change(given.float(), rng())
    assert (as_bytes.float() - as_numbers).abs().max() <= 2  # two roundings where changes follow each other


@pytest.mark.parametrize("change", CHANGES)
def test_each_picture_draws_its_own_change(change: Change) -> None:
    same = pictures(1).repeat(32, 1, 1, 1)
    assert len({picture.numpy().tobytes() for picture in change(same, rng())}) >= 2


def test_flips_are_of_the_axes_asked_for() -> None:
    given = pictures(1).repeat(32, 1, 1, 1)
    expected = {
        (True, False): {(), (2,)},
        (False, True): {(), (1,)},
        (True, True): {(), (2,), (1,), (1, 2)},
        (False, False): {()},
    }
    for (across, down), axes in expected.items():
        found = {each.numpy().tobytes() for each in augment.flip(given, rng(), across=across, down=down)}
        assert found == {given[0].flip(axis).numpy().tobytes() for axis in axes}


def test_turns_are_all_four_and_no_pixel_is_lost() -> None:
    given = pictures(1).repeat(32, 1, 1, 1)
    found = {each.numpy().tobytes() for each in augment.quarter_turn(given, rng())}
    assert found == {torch.rot90(given[0], turn, (1, 2)).numpy().tobytes() for turn in range(4)}
    with pytest.raises(ValueError, match="expected square ones"):
        augment.quarter_turn(given[..., :20], rng())


def test_a_crop_of_everything_changes_nothing_and_one_of_a_part_shows_that_part() -> None:
    given = pictures()
    whole = augment.crop(given, rng(), area=(1, 1), ratio=(1, 1))
    assert torch.allclose(whole, given, atol=1e-3)
    part = augment.crop(given, rng(), area=(0.25, 0.25), ratio=(1, 1))
    # Half the width of an even ramp: half its span, wherever it was cut.
    span = (given[:, 0].amax((1, 2)) - given[:, 0].amin((1, 2))) * 15 / 31
    found = part[:, 0].amax((1, 2)) - part[:, 0].amin((1, 2))
    assert torch.allclose(found, span, rtol=0.08)
    assert (part.amin((2, 3)) >= given.amin((2, 3)) - 0.01).all()
    assert (part.amax((2, 3)) <= given.amax((2, 3)) + 0.01).all()


def test_a_crop_is_turned_about_its_middle_and_only_where_it_is_asked_for() -> None:
    rows = torch.arange(64.0).view(1, 1, 64, 1).expand(8, 3, 64, 64)
    whole = {"area": (1.0, 1.0), "ratio": (1.0, 1.0)}
    turned = augment.crop(rows, np.random.default_rng(0), **whole, turned_deg=10.0)
    torch.testing.assert_close(turned[:, :, 31:33, 31:33].mean((1, 2, 3)), torch.full((8,), 31.5))
    tilt = (turned[:, 0, 32, 52] - turned[:, 0, 32, 12]) / 40
    assert (tilt.abs() <= np.tan(np.radians(10.0)) + 1e-3).all()
    assert len({round(float(each), 3) for each in tilt}) == 8
    torch.testing.assert_close(augment.crop(rows, np.random.default_rng(0), **whole), rows)


def test_a_crop_of_more_than_everything_shrinks_the_picture_within_its_own_border() -> None:
    given = torch.full((6, 3, 64, 64), 20.0)
    given[:, :, 16:48, 16:48] = 200.0
    shrunk = augment.crop(given, rng(), area=(1.44, 1.44), ratio=(1, 1))
    shares = (shrunk[:, 0] > 110).float().mean((1, 2))
    assert torch.allclose(shares, torch.full((6,), 0.25 / 1.44), rtol=0.08)
    assert (shrunk[:, 0, 0, 0] == 20).all()


def test_a_tilted_picture_is_larger_on_one_side_and_each_by_its_own_tilt() -> None:
    across = torch.arange(64.0).view(1, 1, 1, 64).expand(16, 3, 64, 64)  # each column its own number
    tilted = augment.crop(across, rng(), area=(1, 1), ratio=(1, 1), tilted=0.3)
    row = tilted[:, 0, 32]
    left, right = row[:, 24] - row[:, 16], row[:, 48] - row[:, 40]  # columns of before in eight of now
    larger = left / right
    assert larger.max() > 1.2
    assert larger.min() < 1 / 1.2
    assert len({round(float(each), 3) for each in larger}) == 16
    torch.testing.assert_close(row[:, 31:33].mean(1), torch.full((16,), 31.5), atol=0.5, rtol=0)
    assert torch.equal(augment.crop(across, rng(), tilted=0.0), augment.crop(across, rng()))


def test_a_close_up_shows_what_lies_about_its_point_at_the_scale_of_the_whole() -> None:
    given = torch.arange(64.0).view(1, 1, 1, 64).expand(6, 3, 64, 64)  # each column its own number
    middles = np.array([[0.5, 0.5]] * 4 + [[0.0, 1.0], [1.0, 0.0]])
    as_it_is = {"area": (1.0, 1.0), "ratio": (1.0, 1.0), "shifted": 0.0}
    found = augment.close_up(given, rng(), middles, side=16, **as_it_is)
    assert found.shape == (6, 3, 16, 16)
    torch.testing.assert_close(found[0, 0, 0], torch.arange(24.0, 40.0))
    torch.testing.assert_close(found[4, 0, 0], torch.arange(16.0))  # within the picture, whatever was asked
    torch.testing.assert_close(found[5, 0, 0], torch.arange(48.0, 64.0))
    moved = augment.close_up(given, rng(), middles, side=16, shifted=0.5, area=(0.25, 0.25), ratio=(1, 1))
    assert torch.allclose(moved[:4, 0, 0].diff(dim=1), torch.tensor(0.5), atol=1e-3)  # at twice the scale
    assert (moved[:4, 0, 0].mean(1) - 31.5).abs().max() <= 4.01
    assert len({float(each) for each in moved[:4, 0, 0, 0]}) == 4


def test_other_light_keeps_the_order_of_brightness_and_zero_changes_nothing() -> None:
    given = pictures()
    assert torch.allclose(augment.relight(given, rng(), brightness=0, contrast=0, gamma=0), given, atol=1e-2)
    relit = augment.relight(given, rng(), brightness=0.05, contrast=0.1, gamma=0.1)
    assert (relit[:, 0].diff(dim=2) > 0).all()
    brighter = augment.relight(given, rng(), brightness=0.1, contrast=0, gamma=0) - given
    assert torch.allclose(brighter, brighter.mean((1, 2, 3), keepdim=True).expand_as(brighter), atol=0.05)
    assert brighter.abs().max() <= 25.6


@pytest.mark.parametrize("snr_db", [20.0, 30.0])
def test_noise_has_the_ratio_asked_for(snr_db: float) -> None:
    given = pictures(4, 128)
    added = augment.noise(given, rng(), snr_db=(snr_db, snr_db)) - given
    found = 10 * torch.log10(given.square().mean((1, 2, 3)) / added.square().mean((1, 2, 3)))
    assert torch.allclose(found, torch.full((4,), snr_db), atol=0.15)


def test_a_blur_spreads_a_point_by_its_sigma_and_leaves_what_is_even() -> None:
    point = torch.zeros(2, 3, 33, 33)
    point[:, :, 16, 16] = 200
    spread = augment.blur(point, rng(), sigma_px=(1.5, 1.5))
    away = torch.arange(33) - 16.0
    for axis in (1, 2):
        variance = (spread[0, 0].sum(2 - axis) * away.square()).sum() / spread[0, 0].sum()
        assert variance.sqrt() == pytest.approx(1.5, rel=0.03)
    even = torch.full((2, 3, 16, 16), 77.0)
    assert torch.allclose(augment.blur(even, rng()), even, atol=1e-3)


def test_what_is_erased_is_a_rectangle_of_the_mean_of_the_share_asked_for() -> None:
    given = pictures(64)
    erased = augment.erase(given, rng(), share=(0.1, 0.1), chance=0.5)
    mean = torch.tensor(BGR_MEAN).view(3, 1, 1)
    touched = [at for at in range(64) if not torch.equal(erased[at], given[at])]
    assert 16 < len(touched) < 48
    for at in touched:
        gone = (erased[at] != given[at]).any(0)
        rows, columns = gone.any(1).sum(), gone.any(0).sum()
        assert gone.sum() == rows * columns
        assert gone.float().mean() == pytest.approx(0.1, abs=0.03)
        assert torch.equal(erased[at][:, gone], mean.flatten()[:, None].expand(3, int(gone.sum())))
    assert torch.equal(augment.erase(given, rng(), chance=0), given)


def test_mixup_blends_pictures_and_targets_by_the_same_share() -> None:
    """Picture k is of brightness 20 k throughout: the blend's brightness says what its targets must be."""
    given = (20 * torch.arange(10.0)).view(10, 1, 1, 1).expand(10, 3, 8, 8)
    targets = torch.eye(10)
    mixed, blended = augment.mixup(given, targets, rng(), alpha=0.8)
    assert torch.allclose(blended.sum(1), torch.ones(10))
    assert torch.allclose(mixed[:, 0, 0, 0], blended @ (20 * torch.arange(10.0)), atol=1e-3)
    assert ((blended > 0.01) & (blended < 0.99)).any()


def test_cutmix_blends_targets_by_the_pixels_that_were_taken() -> None:
    given = (20 * torch.arange(10.0)).view(10, 1, 1, 1).expand(10, 3, 32, 32)
    mixed, blended = augment.cutmix(given, torch.eye(10), rng())
    for at in range(10):
        shares = torch.stack([(mixed[at, 0] == 20 * k).float().mean() for k in range(10)])
        assert torch.allclose(blended[at], shares, atol=1e-5)
    assert ((blended > 0.01) & (blended < 0.99)).any()
    again = augment.cutmix(given, torch.eye(10), rng())
    assert torch.equal(again[0], mixed)
    assert torch.equal(again[1], blended)


def test_tinting_changes_channels_apart_and_some_pictures_lose_all_colour() -> None:
    before = pictures(40)
    after = augment.tint(before, rng(), grey=0.5)
    grey = (after.std(1) < 1e-3).all((1, 2))
    assert 10 < int(grey.sum()) < 30
    factors = (after[~grey] / before[~grey]).clamp(0.5, 2).mean((2, 3))
    assert float(factors.std(1).min()) > 0.005


def test_other_colours_are_one_turn_of_all_hues_and_greys_stay() -> None:
    grey = torch.linspace(0, 255, 16).view(1, 1, 1, 16).expand(8, 3, 16, 16)
    torch.testing.assert_close(augment.recolour(grey, rng(), chance=1.0), grey, atol=1e-3, rtol=0)
    red = torch.tensor([90.0, 90.0, 150.0]).view(1, 3, 1, 1).expand(64, 3, 8, 8)
    after = augment.recolour(red, rng(), chance=1.0, saturation=(1.0, 1.0))
    torch.testing.assert_close(after.mean(1), red.mean(1))  # as bright as before
    off_grey = after[:, :, 0, 0] - after.mean(1)[:, None, 0, 0]
    torch.testing.assert_close(off_grey.norm(dim=1), torch.full((64,), 48.989796))  # and as strong
    assert set(off_grey.argmax(1).tolist()) == {0, 1, 2}
    assert 16 < int((augment.recolour(red, rng()) != red).any(1).any(1).any(1).sum()) < 48


def test_cameras_that_differ_widely_change_more_and_nothing_moves() -> None:
    before = pictures(64)
    before[:, :, 8:12, 20:24] = 255.0
    far, near = (augment.as_cameras_differ(before, rng(), widely=widely).mean(1) for widely in (True, False))
    assert (far - before.mean(1)).abs().mean() > 1.2 * (near - before.mean(1)).abs().mean()
    assert (far[:, 9:11, 21:23].mean((1, 2)) >= far.mean((1, 2))).all()


def test_cameras_that_differ_leave_everything_in_its_place() -> None:
    before = pictures(8)
    before[:, :, 8:12, 20:24] = 255.0
    after = augment.as_cameras_differ(before, rng()).mean(1)
    assert (after[:, 9:11, 21:23].mean((1, 2)) > after.mean((1, 2))).all()
