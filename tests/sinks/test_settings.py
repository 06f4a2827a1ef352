"""The sinks' tables of the farm file: what they turn on, and what is said of mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.anomaly import Kind
from detector.kinds import KindRule, Reaction
from ingest.errors import FarmFileError
from ingest.records import NS_PER_S
from sinks.policy import Quiet
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
        stall = "stop"
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
        "alerts.apprise: found nosuch://***, expected an Apprise URL: see https://appriseit.com",
        "alerts.console: found 'yes', expected true or false",
        "detector.device: found 'gpu', expected auto, cpu or cuda",
        "kinds.stall: found 'stop', expected off, notify, pause or cancel",
        "log.flush: found an unknown key (= 1), expected none of this name; did you mean flush_s?",
        "log.flush_rows: found 0, expected a whole number from 1 to 1000000",
        "log.flush_s: found 0, expected seconds, up to 3600",
        "log.path: found 3, expected a folder, or an URI such as s3://bucket/log",
    ]


@pytest.mark.parametrize(
    ("alerts", "shown"),
    [
        ('apprise = ["jsonn://user:hunter2@host/hunter2"]', "jsonn://***"),
        ('apprise = ["hunter2"]', "***"),
        ('apprise = "json://user:hunter2@host/hunter2"', "json://host, expected a list of"),
        ('apprise = [7, "tgram://hunter2/chat"]', "a list with something else in it"),
        ('apprise = ["json://ok"]\naprise = ["tgram://hunter2/chat"]', "did you mean apprise?"),
        ('apprise = [{url = "hunter2:hunter2@host"}]', "a list with something else in it"),
        ('console = "https://user:hunter2@host"', "'https://host', expected true or false"),
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


def test_the_policys_wishes_are_read(tmp_path: Path) -> None:
    text = """
        [alerts]
        quiet = "22:00-7:30"
        urgent = ["stall"]
        digest = "08:15"
        zone = "Europe/Berlin"
        escalate_after_min = 10
        group_from = 3
        link = "https://farm.local/{printer}"
        """
    rules = load_settings(farm_file(tmp_path, text)).rules
    assert rules.quiet == Quiet(22 * 60, 7 * 60 + 30)
    assert (rules.urgent, rules.digest_min, rules.group_from) == ({Kind.STALL}, 495, 3)
    assert (str(rules.zone), rules.escalate_after_ns) == ("Europe/Berlin", 600 * NS_PER_S)
    assert rules.printers == ("a",)


def test_mistakes_in_the_policys_wishes_are_told(tmp_path: Path) -> None:
    text = '[alerts]\nquiet = "22-7"\ndigest = "25:00"\nzone = "Mars/Base"\nurgent = ["stal"]\ngroup_from = 1'
    told = mistakes(tmp_path, text)
    expected = (
        "quiet: found '22-7'",
        "digest: found '25:00'",
        "zone: found 'Mars/Base'",
        "did you mean stall?",
    )
    for one in (*expected, "group_from: found 1"):
        assert sum(one in line for line in told) == 1, one
    assert len(told) == 5


def test_a_printer_may_have_reactions_of_its_own(tmp_path: Path) -> None:
    text = """
        [printers.kinds]
        spaghetti = {do = "pause", pause_at = 0.95, for_s = 30}
        blob = "off"
        [kinds]
        blob = "cancel"
        """
    kinds = load_settings(farm_file(tmp_path, text)).rules.kinds
    assert kinds.of("a", Kind.SPAGHETTI) == KindRule(Reaction.PAUSE, pause_at=0.95, for_s=30.0)
    assert (kinds.of("a", Kind.BLOB).do, kinds.of("b", Kind.BLOB).do) == (Reaction.OFF, Reaction.CANCEL)
    assert kinds.acting


def test_a_blind_watch_stops_no_print(tmp_path: Path) -> None:
    [told] = mistakes(tmp_path, '[kinds]\ncamera_fault = "pause"')
    assert "found 'pause', expected off or notify: the watch is blind then" in told


def test_a_secret_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC", "hunter2")
    settings = load_settings(farm_file(tmp_path, '[alerts]\napprise = ["ntfy://host/$TOPIC"]'))
    assert [channel.name for channel in settings.channels()] == ["console", "ntfy://***"]
    monkeypatch.delenv("TOPIC")
    [told] = mistakes(tmp_path, '[alerts]\napprise = ["ntfy://host/$TOPIC"]')
    assert told == ("alerts.apprise: found $TOPIC, expected an environment variable of that name: set TOPIC")


def test_a_file_that_cannot_be_read_is_told_alone(tmp_path: Path) -> None:
    (tmp_path / "farm.toml").write_bytes(b"\xff\xfe[log")
    with pytest.raises(FarmFileError, match=r"expected a farm file in UTF-8") as told:
        load_settings(tmp_path / "farm.toml")
    assert len(told.value.mistakes) == 1
