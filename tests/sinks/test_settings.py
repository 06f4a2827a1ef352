"""The sinks' tables of the farm file: what they turn on, and what is said of mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import FarmFileError
from sinks.settings import AlertsTable, LogTable, load_settings

PRINTER = '[[printers]]\nname = "a"\ntelemetry = "serial:/dev/ttyUSB0"\n'


def farm_file(folder: Path, text: str) -> Path:
    path = folder / "farm.toml"
    path.write_text(f"{PRINTER}\n{text}", encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(FarmFileError) as told:
        load_settings(farm_file(folder, text))
    return [line.removeprefix("farm.toml: ") for line in told.value.mistakes]


def test_without_tables_the_log_lies_in_the_data_folder_and_the_terminal_is_told(tmp_path: Path) -> None:
    settings = load_settings(farm_file(tmp_path, '[farm]\ndata = "here"'))
    assert (settings.log, settings.alerts) == (LogTable(), AlertsTable())
    assert settings.log_path == tmp_path / "here" / "log"
    assert [channel.name for channel in settings.channels()] == ["console"]


def test_every_address_is_a_channel_and_the_terminal_can_be_off(tmp_path: Path) -> None:
    text = '[alerts]\nconsole = false\napprise = ["json://a/token", "json://b"]'
    settings = load_settings(farm_file(tmp_path, text))
    assert [channel.name for channel in settings.channels()] == ["json://a", "json://b"]


def test_all_mistakes_of_all_stages_are_told_at_once_with_key_found_and_expected(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path,
        """
        [farm]
        shards = 0
        [detector]
        device = "gpu"
        [kinds]
        stall = "pause"
        [log]
        path = 3
        flush_s = 0
        flush_rows = 0
        flush = 1
        [alerts]
        console = "yes"
        apprise = ["nosuch://token", "json://fine"]
        """,
    )
    assert sum(line.startswith("farm.shards: found 0, expected ") for line in told) == 1
    assert sorted(line for line in told if not line.startswith("farm.")) == [
        "alerts.console: found 'yes', expected bool, got str",
        "alerts: found nosuch://***, expected Apprise URLs: see https://appriseit.com",
        "detector.device: found 'gpu', expected auto, cpu or cuda",
        "kinds.stall: found 'pause', expected off or notify",
        "log.flush: found an unknown key (= 1), expected none of this name; did you mean flush_s?",
        "log.flush_rows: found 0, expected int >= 1",
        "log.flush_s: found 0, expected float > 0.0",
        "log.path: found 3, expected str, got int",
    ]


@pytest.mark.parametrize(
    ("alerts", "shown"),
    [
        ('apprise = ["jsonn://user:hunter2@host/hunter2"]', "jsonn://***"),
        ('apprise = ["hunter2"]', "***"),
        ('apprise = "json://user:hunter2@host/hunter2"', "'json://host', expected array"),
        ('apprise = [7, "tgram://hunter2/chat"]', "[7, 'tgram://***']"),
        ('apprise = ["json://ok"]\naprise = ["tgram://hunter2/chat"]', "did you mean apprise?"),
        ('apprise = [{url = "hunter2:hunter2@host"}]', "'***'"),
        ('console = "https://user:hunter2@host"', "'https://host', expected bool"),
    ],
    ids=["scheme", "no-address", "not-a-list", "mixed", "mistyped-key", "table", "wrong-key"],
)
def test_what_is_wrong_with_an_address_is_told_without_its_credentials(
    tmp_path: Path, alerts: str, shown: str
) -> None:
    told = mistakes(tmp_path, f"[alerts]\n{alerts}")
    assert len(told) == 1
    assert told[0].startswith("alerts")
    assert shown in told[0]
    assert "hunter2" not in told[0]


def test_a_file_that_cannot_be_read_is_told_alone(tmp_path: Path) -> None:
    (tmp_path / "farm.toml").write_bytes(b"\xff\xfe[log")
    with pytest.raises(FarmFileError, match=r"expected a farm file in UTF-8") as told:
        load_settings(tmp_path / "farm.toml")
    assert len(told.value.mistakes) == 1
