"""``evaluate``: prints and real images in, figures as text, JSON and a page out."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from detector.anomaly import Kind
from detector.learning.shards import PrintFacts
from detector.model.watch_model import DEFAULT, save_watch_model
from detector.verdict import Limits
from ingest.simulate.produce import Wanted, produce
from ingest.simulate.splits import Split
from nozzlewatch.cli import app
from nozzlewatch.watching.evaluated import print_images
from nozzlewatch.watching.mistakes import missed, picture_at, what_failed, why_missed, why_wrong, wrong
from tests.detector.evaluation.farm import failing, normal, told
from tests.detector.learning.made_up import NORMAL, folder
from tests.detector.learning.tiny_prints import tiny, write_prints
from tests.detector.small_watch import small_model

KINDS = (None, None, Kind.BLOB, Kind.STALL)
LIMITS = Limits(threshold=0.55, min_beats=2, within_beats=3)


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "watch.safetensors"
    save_watch_model(path, small_model(threshold=0.3))
    return path


@pytest.fixture(name="prints", scope="module")
def _prints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("prints")
    for name, seed in (("own", 0), ("others", 10)):
        write_prints(base / name, [tiny(f"{seed}-{n}", kind, seed=seed + n) for n, kind in enumerate(KINDS)])
    return base


def evaluate(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def figures(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(name="cache", scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_prints_are_measured_beside_their_baselines(
    model: Path, prints: Path, cache: Path, tmp_path: Path
) -> None:
    asked = [prints / "own", "--chosen-on", prints / "others", "--model-path", model, "--cache", cache]
    found = figures(evaluate(*asked, "--json", "-", "--report", tmp_path / "page.html"))
    assert (found["prints"], found["simulator"]) == (4, "tiny")
    assert found["baselines"]["never"]["mistakes_per_100"] == pytest.approx(10.0)
    assert {"moving average", "vision only", "telemetry only", "single beats"} <= found["baselines"].keys()
    assert found["missing"]["without telemetry"]["mistakes_per_100"] >= 0.0
    assert found["kinds"]["stall"]["recall"] in (0.0, 1.0)
    assert (found["model"]["threshold"], len(found["model"]["sha256"])) == (0.3, 64)
    assert 0.0 <= found["reliability"]["error"] <= 1.0
    page = (tmp_path / "page.html").read_text()
    assert "on simulated prints, simulator tiny" in page
    assert "data:image/jpeg" in page


def test_a_person_reads_tables(model: Path, prints: Path, cache: Path) -> None:
    shown = evaluate(prints / "own", "--model-path", model, "--cache", cache)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith("4 simulated prints (simulator tiny)")
    for line in ("rules alone", "never", "blob", "named right", "without camera: ", "without telemetry: "):
        assert line in shown.stdout
    assert "moving average" not in shown.stdout  # nothing to choose its threshold on


def test_real_images_are_measured_by_source(model: Path, tmp_path: Path) -> None:
    hashes = (f"{3**n * 0x9E3779B97F4A7C15 % 2**64:016x}" for n in range(12))
    learned = [({} if n % 2 else NORMAL) | {"dhash": dhash} for n, dhash in enumerate(hashes)]
    shown = [{"split": "eval", "print_id": "a"}, {"split": "eval", "print_id": "b"} | NORMAL]
    data = folder(tmp_path / "data", *learned, *shown)
    found = figures(evaluate("--images", data, "--model-path", model, "--json", "-"))
    assert found["images"]["web"]["frames"] == 2
    assert "mistakes_per_100" not in found
    told = StringIO()
    print_images(found["images"], Console(file=told))
    assert told.getvalue().startswith("real images of  frames  failing  prints  AUC")
    assert "\nweb             2       1        2       " in told.getvalue()


def test_recordings_are_made_prints_first_and_kept(model: Path, tmp_path: Path) -> None:
    for name, seed, share in (("sound", 5, 0.0), ("failing", 6, 1.0)):
        produce(
            Wanted(
                prints=1, seed=seed, split=Split.TRAIN, folder=tmp_path / name, minutes=0.5, fps=0.2,
                failing=share, size=(160, 120), kinds=("blob",) if share else (),
            ),
            1, lambda _made: None, lambda: False,
        )  # fmt: skip
    asked = [tmp_path / "sound", tmp_path / "failing", "--model-path", model, "--cache", tmp_path / "cache"]
    found = figures(evaluate(*asked, "--json", "-", "--jobs", 1))
    assert found["prints"] == 2
    made = sorted((tmp_path / "cache" / "beats").rglob("*.beats"))
    before = [path.stat().st_mtime_ns for path in made]
    assert len(made) == 2
    figures(evaluate(*asked, "--json", "-", "--jobs", 1))
    assert [path.stat().st_mtime_ns for path in made] == before


def test_a_recording_that_is_broken_is_passed_over_and_the_exit_code_says_so(
    model: Path, prints: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "torn.mcap").write_bytes(b"torn")
    asked = [prints / "own", tmp_path / "mine", "--model-path", model, "--cache", cache]
    result = evaluate(*asked, "--json", tmp_path / "x.json", "--jobs", 1)
    assert result.exit_code == 1
    assert "torn.mcap" in result.stderr
    assert json.loads((tmp_path / "x.json").read_text())["prints"] == 4


def test_wrong_use_is_told_in_words(model: Path, prints: Path, tmp_path: Path) -> None:
    cases = {
        "something to measure on": ["--model-path", model],
        "--report: found no PRINTS": ["--images", tmp_path, "--report", tmp_path / "x.html"],
        "--chosen-on: found no PRINTS": ["--images", tmp_path, "--chosen-on", prints / "own"],
        "neither *.beats nor recordings": [tmp_path, "--model-path", model],
        "measured on too": [prints / "own", "--chosen-on", prints / "own", "--model-path", model],
    }
    for message, arguments in cases.items():
        result = evaluate(*arguments, "--cache", tmp_path / "cache")
        assert result.exit_code == 2
        assert message in result.stderr


@pytest.mark.skipif(DEFAULT.is_file(), reason="a network comes along")
def test_without_a_network_it_says_what_it_expected(prints: Path) -> None:
    result = evaluate(prints / "own")
    assert result.exit_code == 2
    assert "expected a file of nozzlewatch train" in result.stderr


def test_what_was_missed_is_told_by_how_near_it_came() -> None:
    faint = PrintFacts(name="p", simulator="s", kind="under_extrusion", mechanism="clog", severity=0.284)
    assert what_failed(faint) == "clog of severity 0.28"
    assert what_failed(PrintFacts(name="p", kind="layer_shift")) == "layer shift"
    near = why_missed(failing(peaks=(0.1, 0.31)), LIMITS)
    assert near == "the highest score after the onset was 0.31, the threshold is 0.55"
    hidden = why_missed(failing("f", told(412.0, "no_extrusion"), peaks=(0.9, 0.8)), LIMITS)
    assert "an alarm had opened before it, at 412 s as no extrusion" in hidden
    assert "not for long enough" in why_missed(failing(peaks=(0.1, 0.8)), LIMITS)


def test_what_was_told_wrongly_is_told_by_when_and_as_what() -> None:
    alarm = told(412.0, "blob", score=0.7)
    assert why_wrong(normal("n", alarm), alarm) == "told as blob at 412 s with a score of 0.70"
    assert why_wrong(failing("f", alarm), alarm).endswith("788 s before the spaghetti began")


def test_an_example_shows_the_print_a_minute_after_its_onset_or_at_its_alarm(tmp_path: Path) -> None:
    shards = [tiny("a", Kind.BLOB), tiny("b")]
    paths = write_prints(tmp_path, shards)
    (one,) = missed(paths, [failing("a", kind="blob", onset_s=27.5, ends_s=80.0), normal("b")], LIMITS)
    assert (one.name, one.kind, one.at_s) == ("a", "blob", 27.5)
    assert one.picture == picture_at(paths[0], 79.0) != picture_at(paths[0], 5.0)
    (other,) = wrong(paths, [normal("a"), normal("b", told(10.0))])
    assert (other.name, other.kind, other.told, other.severity) == ("b", None, "spaghetti", None)
    assert other.picture


def test_a_print_without_a_clear_frame_has_no_picture(tmp_path: Path) -> None:
    shard = tiny("a")
    (path,) = write_prints(tmp_path, [shard._replace(clear=shard.clear & False)])
    assert picture_at(path, 10.0) is None
