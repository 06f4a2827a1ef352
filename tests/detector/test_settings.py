"""The detector's tables of the farm file: what they turn on, and what is said of mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest import MonkeyPatch

from detector.__main__ import watch_model
from detector.anomaly import Kind
from detector.inspection import open_inspector
from detector.model import watch_model as watch_model_file
from detector.model.watch_model import save_watch_model
from detector.model.weights import save_weights
from detector.policies import POLICIES
from detector.settings import SURFACE_KEY, WATCH_KEY, DetectorTable, SurfaceTable, load_settings
from detector.surface import model_file
from detector.surface.networks import build
from features.picture import View
from ingest.errors import FarmFileError, UsageError
from tests.detector.small_watch import small_model

PRINTER = '[[printers]]\nname = "a"\ntelemetry = "serial:/dev/ttyUSB0"\n'


def farm_file(folder: Path, text: str) -> Path:
    path = folder / "farm.toml"
    path.write_text(f"{PRINTER}\n{text}", encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(FarmFileError) as told:
        load_settings(farm_file(folder, text))
    return [line.removeprefix("farm.toml: ") for line in told.value.mistakes]


def test_without_tables_every_kind_is_watched_on_the_best_device(tmp_path: Path) -> None:
    settings = load_settings(farm_file(tmp_path, ""))
    assert settings.policies() == POLICIES
    assert settings.table == DetectorTable(device="auto", threads=1)


def test_a_kind_that_is_off_has_no_policy(tmp_path: Path) -> None:
    settings = load_settings(farm_file(tmp_path, '[kinds]\nstall = "off"\nunusual = "off"\nblob = "notify"'))
    assert set(settings.policies()) == set(Kind) - {Kind.STALL, Kind.UNUSUAL}


def test_all_mistakes_are_told_at_once_with_key_found_and_expected(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path,
        """
        [kinds]
        spagetti = "off"
        stall = "never"
        blob = ["off"]
        warping = false
        [detector]
        device = "gpu"
        threads = -1
        treads = 2
        """,
    )
    assert sorted(told) == [
        "detector.device: found 'gpu', expected auto, cpu or cuda",
        "detector.threads: found -1, expected a whole number from 1 to 256",
        "detector.treads: found an unknown key (= 2), expected none of this name; did you mean threads?",
        "kinds.blob: found ['off'], expected off, notify, pause or cancel",
        "kinds.spagetti: found an unknown key (= 'off'), expected none of this name; did you mean spaghetti?",
        "kinds.stall: found 'never', expected off, notify, pause or cancel",
        "kinds.warping: found False, expected off, notify, pause or cancel",
    ]


def test_mistakes_of_ingest_and_detector_come_together(tmp_path: Path) -> None:
    told = mistakes(tmp_path, '[farm]\nshards = 0\n[detector]\ndevice = "tpu"')
    assert [line.partition(":")[0] for line in told] == ["farm.shards", "detector.device"]


def test_a_value_in_a_tables_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "farm.toml"
    path.write_text(f'kinds = "off"\ndetector = 3\n{PRINTER}', encoding="utf-8")
    with pytest.raises(FarmFileError) as told:
        load_settings(path)
    assert told.value.mistakes == [
        "farm.toml: detector: found 3, expected a table",
        "farm.toml: kinds: found 'off', expected a table",
    ]


def test_a_file_that_is_not_there_is_told_alone(tmp_path: Path) -> None:
    with pytest.raises(FarmFileError, match=r"found no such file, expected a farm file") as told:
        load_settings(tmp_path / "farm.toml")
    assert len(told.value.mistakes) == 1


def test_the_views_of_printers_are_read_and_their_mistakes_told_with_all_others(tmp_path: Path) -> None:
    second = '[[printers]]\nname = "b"\ncamera = "images:b"\n[printers.picture]\nrotate = {}\n'
    path = tmp_path / "farm.toml"
    path.write_text(PRINTER + second.format(180), encoding="utf-8")
    assert load_settings(path).views == {"b": View(rotate=180)}
    path.write_text(PRINTER + second.format(45) + "mirorr = true\n[detector]\nthreads = 0", encoding="utf-8")
    with pytest.raises(FarmFileError) as told:
        load_settings(path)
    assert told.value.mistakes == [
        "farm.toml: detector.threads: found 0, expected a whole number from 1 to 256",
        "farm.toml: printers['b'].picture.mirorr: found an unknown key (= True), expected none of this name; "
        "did you mean mirror?",
        "farm.toml: printers['b'].picture.rotate: found 45, expected 0, 90, 180 or 270 (clockwise)",
    ]


@pytest.mark.parametrize("key", ["redis", "redis_frames", "reddis"])
def test_a_stores_password_is_never_shown(tmp_path: Path, key: str) -> None:
    told = mistakes(tmp_path, f'[farm]\n{key} = "http://watch:hunter2@store:6379"')
    assert [line.partition(":")[0] for line in told] == [f"farm.{key}"]
    assert "http://***@store:6379" in told[0]
    assert "hunter2" not in told[0]


@pytest.fixture(name="network")
def _network(tmp_path: Path) -> Path:
    """A file of a surface network beside the farm file."""
    about = model_file.About(model_type="SqueezeNet", classes=("good", "stringing"), sound=("good",))
    network = build("SqueezeNet", 2, seed=0)
    model_file.save_model(tmp_path / "net.safetensors", model_file.SurfaceModel(network, about))
    return tmp_path / "net.safetensors"


def test_without_a_surface_table_nothing_inspects(tmp_path: Path) -> None:
    settings = load_settings(farm_file(tmp_path, ""))
    assert (settings.surface, settings.surface_model) == (SurfaceTable(), None)
    assert open_inspector(settings) is None


def test_a_surface_network_beside_the_farm_file_inspects(tmp_path: Path, network: Path) -> None:
    text = '[surface]\nmodel = "net.safetensors"\npictures = 5\nsound = ["stringing"]'
    settings = load_settings(farm_file(tmp_path, text))
    assert settings.surface_model == network
    assert open_inspector(settings) is not None


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ('model = "gone.safetensors"', "model", "gone.safetensors, expected a file of `nozzlewatch surface"),
        ('model = "farm.toml"', "model", "farm.toml, which is no surface network"),
        ("model = 3", "model", "found 3, expected"),
        ("pictures = 11", "pictures", "found 11, expected a whole number from 1 to 10"),
        ('sound = "good"', "sound", "found 'good', expected a list of class names"),
        (
            'model = "net.safetensors"\nsound = ["god"]',
            "sound",
            "'god', expected classes of the model: ",
        ),
        ('modell = ""', "modell", "did you mean model?"),
    ],
)
@pytest.mark.usefixtures("network")
def test_a_mistake_in_the_surface_table_is_told(tmp_path: Path, text: str, key: str, said: str) -> None:
    (told,) = mistakes(tmp_path, f"[surface]\n{text}")
    assert told.startswith(f"surface.{key}: found ")
    assert said in told


def test_another_networks_weights_are_no_surface_network(tmp_path: Path) -> None:
    save_weights(tmp_path / "other.safetensors", build("SqueezeNet", 2), {"other": "{}"})
    (told,) = mistakes(tmp_path, '[surface]\nmodel = "other.safetensors"')
    assert "which is no surface network" in told


def test_the_header_is_looked_up_as_the_file_is_written() -> None:
    assert SURFACE_KEY == model_file.KEY


def test_a_network_is_asked_for_by_its_file_or_not_at_all(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(watch_model_file, "DEFAULT", tmp_path / "none.safetensors")
    save_watch_model(tmp_path / "own.safetensors", small_model())
    own = load_settings(farm_file(tmp_path, '[detector]\nmodel = "own.safetensors"'))
    assert own.watch_model == tmp_path / "own.safetensors"
    found = watch_model(own)
    assert found is not None
    assert found.about.version == "tiny-1"
    shipped = load_settings(farm_file(tmp_path, '[detector]\nmodel = "shipped"'))
    with pytest.raises(UsageError, match=r"found no .*watch\.safetensors, expected it"):
        watch_model(shipped)
    for text in ('[detector]\nmodel = "none"', ""):
        settings = load_settings(farm_file(tmp_path, text))
        assert (settings.watch_model, watch_model(settings)) == (None, None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.safetensors", "gone.safetensors: no such file, expected a file of `nozzlewatch train`"),
        ("farm.toml", "farm.toml: no network ("),
        ("other.safetensors", "other.safetensors: another network, expected"),
    ],
)
def test_a_network_that_is_none_is_a_mistake_in_the_farm_file(tmp_path: Path, name: str, said: str) -> None:
    save_weights(tmp_path / "other.safetensors", build("SqueezeNet", 2), {"other": "{}"})
    (told,) = mistakes(tmp_path, f'[detector]\nmodel = "{name}"')
    assert told.startswith("detector.model: found ")
    assert said in told


def test_beside_a_network_unusual_is_off_unless_the_farm_file_turns_it_on(tmp_path: Path) -> None:
    settings = load_settings(farm_file(tmp_path, ""))
    assert set(settings.policies(with_network=True)) == set(Kind) - {Kind.UNUSUAL}
    assert set(settings.policies()) == set(Kind)
    turned_on = load_settings(farm_file(tmp_path, '[kinds]\nunusual = "notify"'))
    assert set(turned_on.policies(with_network=True)) == set(Kind)
    turned_off = load_settings(farm_file(tmp_path, '[kinds]\nunusual = "off"'))
    assert set(turned_off.policies(with_network=True)) == set(Kind) - {Kind.UNUSUAL}


def test_the_networks_header_is_looked_up_as_the_file_is_written() -> None:
    assert WATCH_KEY == watch_model_file.KEY
