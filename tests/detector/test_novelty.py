"""Novelty: what must raise it, and what must not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from detector.model.build import build_encoder
from detector.model.encoder import EMBEDDING_DIM, SIDE
from detector.novelty import (
    DOUBT_S,
    GAP_NS,
    MEMORY_S,
    RECENT_FRAMES,
    SAFE_FRAMES,
    SPARSE_NS,
    WARY_Z,
    Z_HALF,
    Embedding,
    Novelty,
    NoveltyState,
    advance,
)
from features.frame import decode_frame
from ingest.records import NS_PER_S
from ingest.simulate.demo import demo_printers
from ingest.simulate.faults import FaultKind
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.toolpath import Order

DIM = 64
NOISE = 0.01
LOUD = 0.5  # a probability that would be told
DEMO_S = 90.0
MOST_BYTES = 20_000  # of a print's saved state


def normal(count: int, seed: int = 0, drift: float = 0.0) -> list[Embedding]:
    """Embeddings around one point, with noise; ``drift`` per frame in one fixed direction."""
    random = np.random.default_rng(seed)
    centre, direction = np.random.default_rng(99).normal(size=(2, DIM)) / np.sqrt(DIM)
    path = centre + np.arange(count)[:, None] * drift * direction + random.normal(0, NOISE, (count, DIM))
    return list(path.astype(np.float16))


def moved(embeddings: list[Embedding], by: float = 0.05) -> list[Embedding]:
    """The same around another point: a lasting change of five times the noise."""
    away = np.random.default_rng(7).normal(size=DIM) * by
    return [(embedding + away).astype(np.float16) for embedding in embeddings]


def toolpath(count: int, seed: int = 0) -> list[Embedding]:
    """A bed and a nozzle that move far along two curved lines, thirty times as far as the noise."""
    random = np.random.default_rng(seed)
    lines = np.random.default_rng(98).normal(size=(4, DIM)) * 30 * NOISE / np.sqrt(2)
    phase = np.arange(count) * 2 * np.pi / 14.4
    ways = np.stack([np.sin(phase), np.cos(phase), np.sin(2 * phase) / 2, np.cos(2 * phase) / 2], axis=1)
    return list((1 + ways @ lines + random.normal(0, NOISE, (count, DIM))).astype(np.float16))


def run(
    embeddings: list[Embedding], step_s: float = 1.0, state: NoveltyState | None = None, from_s: float = 0.0
) -> tuple[NoveltyState, list[Novelty]]:
    told = []
    for number, embedding in enumerate(embeddings):
        state, novelty = advance(state, embedding, int((from_s + number * step_s) * NS_PER_S))
        told.append(novelty)
    assert state is not None
    return state, told


def loudest(told: list[Novelty]) -> float:
    return max(novelty.probability for novelty in told)


def test_the_first_frames_are_safe_whatever_they_show() -> None:
    _, told = run(normal(10) + moved(normal(SAFE_FRAMES - 10), by=1.0) + normal(5))
    assert all(novelty == Novelty(None, 0.0) for novelty in told[:SAFE_FRAMES])
    assert told[SAFE_FRAMES].z is not None


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_slow_growth_do_not_raise_it(seed: int) -> None:
    assert loudest(run(normal(600, seed))[1]) < 0.1
    assert loudest(run(normal(600, seed, drift=NOISE / 50))[1]) < 0.1


def test_a_picture_that_stands_still_does_not_raise_it() -> None:
    assert loudest(run(normal(1) * 200)[1]) < 0.1


def test_motion_along_the_same_paths_does_not_hide_a_small_lasting_change() -> None:
    frames = toolpath(260)
    told = run(frames[:200] + moved(frames[200:]))[1]
    assert loudest(told[:200]) < 0.1
    assert min(novelty.probability for novelty in told[200 + RECENT_FRAMES :]) > LOUD


def test_a_change_that_grows_as_slowly_as_a_mess_is_told_and_stays_told() -> None:
    away = np.random.default_rng(7).normal(size=DIM) * 0.05
    growing = [(e + away * at / 15).astype(np.float16) for at, e in enumerate(normal(120, seed=1))]
    told = run(normal(100) + growing)[1][100:]
    assert min(novelty.probability for novelty in told[30:]) > LOUD


@pytest.mark.parametrize("count", [31, 100, 500])
def test_a_lasting_change_raises_it_after_several_frames(count: int) -> None:
    told = run(normal(count) + moved(normal(30, seed=1)))[1][count:]
    assert loudest(told[: RECENT_FRAMES // 2]) < LOUD
    assert min(novelty.probability for novelty in told[RECENT_FRAMES:]) > LOUD


def test_three_odd_frames_do_not_raise_it() -> None:
    odd = moved(normal(3, seed=1), by=0.5)
    assert loudest(run(normal(100) + odd + normal(60, seed=2))[1]) < LOUD


def test_a_lasting_change_becomes_normal_after_the_memorys_time() -> None:
    told = run(normal(100) + moved(normal(600, seed=1)))[1][100:]
    loud = [novelty.probability > LOUD for novelty in told]
    assert all(loud[RECENT_FRAMES : int(MEMORY_S)])
    assert not any(loud[int(MEMORY_S) + 3 * RECENT_FRAMES :])


def test_a_doubtful_change_is_learned_soon() -> None:
    told = run(normal(100) + moved(normal(200, seed=1), by=0.022))[1][100:]
    z = [novelty.z or 0.0 for novelty in told]
    assert WARY_Z < max(z[: int(DOUBT_S)]) < Z_HALF
    assert max(z[int(3 * DOUBT_S) :]) < WARY_Z


def test_a_long_silence_begins_the_past_anew() -> None:
    state, _ = run(normal(100))
    later_s = 99 + GAP_NS / NS_PER_S
    for late_s, count in ((later_s, 101), (later_s + 1, 1)):
        after, _ = advance(state, normal(1)[0], int(late_s * NS_PER_S))
        assert after.count == count


def test_another_encoders_embedding_begins_the_past_anew() -> None:
    state, _ = run(normal(100))
    after, novelty = advance(state, np.ones(DIM // 2, np.float16), 101 * NS_PER_S)
    assert (after.count, novelty) == (1, Novelty(None, 0.0))


def test_a_saved_state_goes_on_exactly_as_one_that_never_stopped() -> None:
    embeddings = normal(60) + moved(normal(20, seed=1))
    whole, told = run(embeddings)
    state, before = run(embeddings[:65])
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=NoveltyState)
    again, after = run(embeddings[65:], state=saved, from_s=65)
    assert before + after == told
    assert again == whole


def test_time_that_runs_backwards_is_borne() -> None:
    state, _ = run(normal(40))
    after, novelty = advance(state, normal(1, seed=3)[0], 0)
    assert (after.last_ns, after.count) == (state.last_ns, 41)
    assert novelty.probability < LOUD


def test_a_prints_state_stays_small() -> None:
    frames = np.random.default_rng(0).normal(0.07, 0.01, (400, EMBEDDING_DIM)).astype(np.float16)
    assert len(msgspec.msgpack.encode(run(list(frames))[0])) <= MOST_BYTES


def watched(printer: SimulatedPrinter, seconds: int) -> list[Novelty]:
    encoder = build_encoder("cpu")
    jpegs = [printer.jpeg_at(float(at)) for at in range(seconds)]
    pictures = [decode_frame(jpeg, SIDE) for jpeg in jpegs if jpeg is not None]
    return run(list(encoder.encode([picture for picture in pictures if picture is not None])))[1]


@pytest.mark.parametrize("seed", [2, 3])
def test_a_simulated_print_that_goes_well_is_never_told(seed: int) -> None:
    orders = [Order(60, "M104 S216"), Order(90, "M106 S128"), Order(120, "M220 S80")]
    assert loudest(watched(SimulatedPrinter("", seed, orders=orders), 240)) < 0.1


@pytest.mark.parametrize("seed", [1, 2])
def test_a_part_that_comes_off_is_told_in_the_demo(seed: int) -> None:
    printer = demo_printers(3, DEMO_S, seed)[2]
    (off,) = printer.plan.faults
    assert off.kind is FaultKind.DETACHMENT
    told = watched(printer, int(DEMO_S))
    assert loudest(told[: int(off.at_s)]) < 0.1
    assert loudest(told) > LOUD


@pytest.mark.data
def test_another_print_under_the_same_camera_is_told(data_dir: Path) -> None:
    """Ten real frames, shown over and over in any order, then those of another print."""
    folder = data_dir / "images" / "part1" / "emptydeck"
    random = np.random.default_rng(0)
    encoder = build_encoder("cpu")
    shown = []
    for name in ("p1_redheart", "p1_yellowcat"):
        pictures = [
            decode_frame(path.read_bytes(), SIDE) for path in sorted((folder / name).glob("*.jpg"))[5:8]
        ]
        frames: npt.NDArray[np.float16] = encoder.encode([p for p in pictures if p is not None])
        shown += [frames[at] for at in random.integers(0, len(frames), 60)]
    told = run(shown)[1]
    assert loudest(told[:60]) < LOUD < loudest(told[60:90])


def test_pictures_far_apart_are_not_judged() -> None:
    """In a time-lapse the part grows so much in between that a sound print looks like another one."""
    random = np.random.default_rng(1)
    state = None
    for number in range(SAFE_FRAMES + 20):
        shown = random.normal(0, 1, 16).astype(np.float16)
        state, novelty = advance(state, shown, number * (SPARSE_NS + 1))
        assert novelty == Novelty(None, 0.0)
    assert state is not None
    assert state.count == SAFE_FRAMES + 20  # they still teach what this print looks like
