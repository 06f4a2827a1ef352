"""Explanations: what was changed is what is named, and pictures by their times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from detector.beats import Token
from detector.explain import FRAMES, NO_ONE, Explanation, explain, in_words
from detector.model.temporal import Tokens, build_temporal
from detector.senses import CAMERA, SENSES, WORDS, by_sense, leading
from features.channels import NAMES, SENSOR_DIM, SOURCES
from ingest.records import NS_PER_S, FrameRef
from tests.detector.small_watch import FIRST_BEAT, SHAPE, token

POWER = [column for column, source in enumerate(SOURCES) if source == "hotend_power"]


def film(beats: int = 30) -> list[Token]:
    return [token(beat) for beat in range(beats)]


def scoring(columns: Sequence[int], frames: float = 0.0) -> object:
    """A hand-made network: its log odds are how many of these numbers are known in the last beat, and how
    many pictures there are."""

    def score(tokens: Tokens) -> np.ndarray:
        read = (tokens.known & tokens.heard[..., None])[:, -1, list(columns)].float().mean(1)
        return chance(read * (1 - frames) + frames * tokens.seen.float().mean(1))

    return score


def chance(log_odds: torch.Tensor) -> np.ndarray:
    return log_odds.double().sigmoid().numpy()


def test_the_channel_that_the_score_rests_on_is_named() -> None:
    said = explain(film(), scoring(POWER))
    assert said.channels == {"hotend_power": 1.0}
    assert said.text == "hotend power (100 %)"


def test_channels_and_pictures_share_the_weight() -> None:
    column = [SOURCES.index("bed_c")]
    said = explain(film(), scoring([*POWER[:1], *POWER[:1], *column], frames=0.4))
    assert said.channels == pytest.approx({CAMERA: 0.4, "hotend_power": 0.4, "bed_c": 0.2})
    assert sum(said.channels.values()) == pytest.approx(1)


def test_one_picture_that_counts_is_told_by_its_time() -> None:
    tokens = film()

    def score(tokens: Tokens) -> np.ndarray:
        return chance(tokens.seen[:, -3])

    said = explain(tokens, score)
    frame = tokens[-3].frame
    assert said.channels == {CAMERA: 1.0}
    assert said.frames == (frame,)
    assert said.text == "seen in the picture of 00:02:19 UTC (100 %)"


def test_pictures_that_count_only_together_are_told_as_a_span() -> None:
    tokens = film()

    def score(tokens: Tokens) -> np.ndarray:
        return chance(tokens.seen.any(1))

    said = explain(tokens, score)
    assert said.frames == tuple(each.frame for each in tokens[-FRAMES:])
    assert said.text == "seen in the pictures of 00:01:34 to 00:02:29 UTC (100 %)"


def test_what_rests_on_nothing_by_itself_is_told_so() -> None:
    said = explain(film(), lambda tokens: np.full(len(tokens.seen), 0.9))
    assert said.channels == {}
    assert said.text == NO_ONE


def test_a_print_without_a_camera_and_one_without_telemetry_are_explained_by_what_there_is() -> None:
    blind = [token(beat, embedding=None, where=None, frame=None) for beat in range(5)]
    assert explain(blind, scoring(POWER)) == Explanation({"hotend_power": 1.0}, (), "hotend power (100 %)")
    mute = [token(beat, heard=False) for beat in range(5)]
    assert set(explain(mute, scoring(POWER, frames=1.0)).channels) == {CAMERA}


def test_channels_that_stand_in_for_each_other_are_told_as_their_sense() -> None:
    """Either number is enough, so neither is missed alone; channel by channel, the pictures would be told."""
    columns = [SOURCES.index("hotend_c"), SOURCES.index("hotend_power")]

    def score(tokens: Tokens) -> np.ndarray:
        read = tokens.known[:, -1, columns].any(1).float() + 0.5 * tokens.seen[:, -1].float()
        return chance(read)

    said = explain(film(), score)
    hotend = [name for name in SENSES["hotend"] if name in SOURCES]
    assert said.channels == pytest.approx({CAMERA: 1 / 3, **dict.fromkeys(hotend, 2 / 3 / len(hotend))})
    assert next(iter(by_sense(said.channels))) == "hotend"
    assert said.text.startswith("hotend power against what the filament takes and hotend temperature (67 %)")


def test_what_makes_an_alarm_sure_is_named_though_its_probability_hardly_moves() -> None:
    column = SOURCES.index("fan")

    def score(tokens: Tokens) -> np.ndarray:
        return chance(12.0 + 3.0 * tokens.known[:, -1, column].float())

    assert explain(film(), score).channels == {"fan": 1.0}


def test_the_channel_told_first_is_of_the_weightiest_sense() -> None:
    weights = {CAMERA: 0.4, "hotend_c": 0.25, "hotend_power": 0.35}
    assert leading(weights) == "hotend_power"
    assert leading({}) == ""
    assert leading({"of nobody": 1.0}) == "of nobody"


def test_every_channel_is_of_one_sense() -> None:
    channels = [channel for own in SENSES.values() for channel in own]
    assert len(channels) == len(set(channels))
    assert set(SOURCES) == set(channels)


def test_a_network_that_has_learned_one_channel_names_it() -> None:
    """A tiny network learns that high numbers of the fan are a failure."""
    fan = [column for column, source in enumerate(SOURCES) if source == "fan"]
    network = build_temporal(SHAPE, seed=3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    chance = torch.Generator().manual_seed(0)
    for _ in range(60):
        sensors = 0.3 * torch.randn(32, 6, SENSOR_DIM, generator=chance)
        failing = torch.arange(32) % 2
        sensors[:, :, fan] += 2.0 * failing[:, None, None]
        loss = torch.nn.functional.cross_entropy(network(heard(sensors)).logits[:, -1], failing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()

    def score(tokens: Tokens) -> np.ndarray:
        with torch.inference_mode():
            return 1 - network(tokens).logits[:, -1].softmax(-1)[:, 0].double().numpy()

    numbers = np.zeros(SENSOR_DIM, np.float16)
    numbers[fan] = 2.0
    told = [token(beat, embedding=None, frame=None, sensors=numbers.tobytes()) for beat in range(6)]
    said = explain(told, score)
    assert max(said.channels, key=lambda name: said.channels[name]) == "fan"
    assert said.channels["fan"] > 0.5
    assert said == explain(told, score)


def heard(sensors: torch.Tensor) -> Tokens:
    there = torch.ones(sensors.shape[:2], dtype=torch.bool)
    blind = torch.zeros(*sensors.shape[:2], SHAPE.embedding)
    return Tokens(blind, ~there, sensors, torch.ones_like(sensors, dtype=torch.bool), there, there)


def test_every_channel_has_words_that_are_no_names_of_variables() -> None:
    assert set(WORDS) <= set(SOURCES)
    assert not [name for name in set(SOURCES) - set(WORDS) if name.endswith(("_c", "_w", "_mm", "_s"))]
    assert len(NAMES) == len(SOURCES)


def test_words_tell_the_weightiest_sense_first_and_no_more_than_a_few() -> None:
    frame = FrameRef(camera="c", captured_ns=FIRST_BEAT * 5 * NS_PER_S, width=1, height=1)
    weights = {CAMERA: 0.3, "bed_c": 0.25, "bed_power": 0.15, "fan": 0.2, "x_mm": 0.1}
    text = "bed temperature and bed power (40 %), seen in the picture of 22:13:20 UTC (30 %), fan (20 %)"
    assert in_words(weights, [frame]) == text
    assert in_words({CAMERA: 1.0}, []) == "the pictures (100 %)"
    assert in_words({"bed_c": 0.9, "bed_power": 0.1}, []) == "bed temperature (100 %)"
