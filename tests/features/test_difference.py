"""Where two pictures of the same moment differ."""

from __future__ import annotations

import numpy as np

from features.difference import differing


def test_a_thin_thread_differs_where_it_is_and_noise_does_not() -> None:
    rng = np.random.default_rng(1)
    scene = np.full((64, 64, 3), 90.0)
    one, other = (np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255) for _ in range(2))
    one[20:22, 10:50] = 230
    differs = differing(one.astype(np.uint8), other.astype(np.uint8))
    assert differs[20:22, 12:48].all()
    assert not differs[:16].any()
    assert not differs[27:].any()
