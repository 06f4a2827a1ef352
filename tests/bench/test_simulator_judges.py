"""What judges the simulator: frames by their truth, rules at their best threshold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import sim_recordings
from bench.sim_difficulty import Extremes, extremes, parted, ranked
from bench.sim_recordings import Sampling, failing_at, only_blind, onset_ns, sampled, seconds
from bench.sim_scores import scored
from ingest.recordings.format import About, Truth
from ingest.recordings.reader import Recording
from ingest.recordings.writer import RecordingWriter
from ingest.records import CHANNEL, NS_PER_S
from tests.ingest.recordings import BEGIN_NS, frame, reading

SECONDS = 60


def truth(kind: str | None, from_s: float, to_s: float) -> Truth:
    return Truth(kind=kind, from_ns=at(from_s), to_ns=at(to_s))


def at(seconds_in: float) -> int:
    return BEGIN_NS + round(seconds_in * NS_PER_S)


def recorded(path: Path, truths: list[Truth], hot_from_s: int = SECONDS) -> Recording:
    """A minute at one frame and two lines per second; the hot end reads 250 °C from ``hot_from_s`` on."""
    writer = RecordingWriter(path, About(printer="p", simulator="7"))
    for one in truths:
        writer.add_label(one)
    for second in range(SECONDS):
        writer.add(frame(at(second), second), at(second))
        writer.add(reading(at(second), 250.0 if second >= hot_from_s else 200.0), at(second))
        for part in (0.0, 0.5):
            writer.add(reading(at(second + part), 1.0, "lines"), at(second + part))
    writer.finish()
    return Recording(path)


@pytest.mark.parametrize(
    ("at_s", "failing"), [(10, False), (25, None), (35, True), (45, None), (55, None)], ids=str
)
def test_a_frame_is_failing_only_where_its_truth_can_be_seen(at_s: float, failing: bool | None):
    """Before the onset normal; while it grows, behind the covered camera and after the end: not said."""
    truths = [truth("spaghetti", 20, 50), truth("camera_fault", 40, 50)]
    assert failing_at(truths, at(at_s), Sampling(growth_s=10)) is failing


def test_what_no_picture_shows_makes_a_frame_neither_failing_nor_normal():
    assert failing_at([truth("heater_fault", 20, 50)], at(30), Sampling(growth_s=0)) is None
    assert failing_at([truth(None, 0, 60)], at(30), Sampling(growth_s=0)) is False


def test_a_failure_is_visible_from_a_share_of_its_own_growth_on():
    slow = Truth(kind="warping", from_ns=at(0), to_ns=at(60), text='{"severity":0.5,"growth_s":40.0}')
    assert failing_at([slow], at(19), Sampling(growth_s=5, grown=0.5)) is None
    assert failing_at([slow], at(20), Sampling(growth_s=5, grown=0.5)) is True


def test_a_blind_watch_is_no_failing_print():
    assert only_blind([truth("camera_fault", 5, 10)])
    assert not only_blind([truth("camera_fault", 5, 10), truth("stall", 20, 30)])
    assert onset_ns([truth("camera_fault", 5, 10), truth("stall", 20, 30)]) == at(20)


def test_frames_are_sampled_of_both_labels_and_the_same_for_a_seed(tmp_path: Path):
    recording = recorded(tmp_path / "a.mcap", [truth("spaghetti", 30, 60)])
    sampling = Sampling(each=3, growth_s=5, skip_s=10)
    first, again = (sampled(recording, sampling, np.random.default_rng(4)) for _ in range(2))
    assert [one.failing for one in first] == [False] * 3 + [True] * 3
    assert first == again
    normal = {frame(at(second), second).jpeg for second in range(10, 30)}
    assert {one.jpeg for one in first if not one.failing} <= normal


def test_a_second_holds_its_last_value_and_counts_what_is_counted(tmp_path: Path):
    found = list(seconds(recorded(tmp_path / "a.mcap", [], hot_from_s=30)))
    assert len(found) == SECONDS
    assert [one.values[CHANNEL["hotend_c"]] for one in found[29:31]] == [200.0, 250.0]
    assert {one.values[CHANNEL["lines"]] for one in found} == {2.0}
    assert np.isnan(found[0].values[CHANNEL["bed_c"]])
    assert all(one.jpeg for one in found)


def test_an_alarm_before_the_onset_is_a_mistake_and_no_hit(tmp_path: Path):
    told = "hotend_c above"
    late = extremes_of(tmp_path / "late.mcap", hot_from_s=40)
    early = extremes_of(tmp_path / "early.mcap", hot_from_s=20)
    sound = Extremes(False, {told: 200.0}, {told: -np.inf})
    rule = next(one for one in ranked([late, sound]) if one.rule == told)
    assert (rule.mistakes_per_100, rule.recall, rule.false_alarms) == (0.0, 1.0, 0.0)
    rule = next(one for one in ranked([early, sound]) if one.rule == told)
    assert (rule.mistakes_per_100, rule.threshold) == (10.0, 200.0)


def extremes_of(path: Path, hot_from_s: int) -> Extremes:
    """A print that fails from second 30 on."""
    recorded(path, [truth("heater_fault", 30, 60)], hot_from_s)
    version, found = extremes(path)
    assert (version, found is not None) == ("7", True)
    assert found is not None
    return found


def test_prints_without_a_failure_are_left_out_where_only_the_camera_failed(tmp_path: Path):
    recorded(tmp_path / "a.mcap", [truth("camera_fault", 30, 60)])
    assert extremes(tmp_path / "a.mcap") == ("7", None)


def test_a_score_without_a_meaning_leaves_never_to_alarm_as_the_best_rule():
    random = np.random.default_rng(1)
    prints = [parted({"noise": random.normal(size=200)}, 100 if n % 2 else None) for n in range(200)]
    assert 8 < ranked(prints)[0].mistakes_per_100 <= 10


def test_scores_look_back_only():
    track = np.random.default_rng(2).normal(size=150)
    changed = track.copy()
    changed[100:] += 5
    for (name, score), (_, other) in zip(scored({"x": track}), scored({"x": changed}), strict=True):
        np.testing.assert_allclose(score[:100], other[:100], atol=1e-9, err_msg=name)


def test_a_section_of_the_figures_leaves_the_others_as_they_are(tmp_path: Path):
    file = tmp_path / "simulator.json"
    file.write_text(json.dumps({"speed": {"value": 60}, "probe": {"value": 1}}))
    sim_recordings.write_section("probe", "test", {"value": 2}, file)
    told = json.loads(file.read_text())
    assert told["speed"] == {"value": 60}
    assert (told["probe"]["value"], told["probe"]["origin"]["command"]) == (2, "test")
