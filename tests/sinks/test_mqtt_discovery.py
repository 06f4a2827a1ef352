"""Home Assistant makes a device of every printer: checked with its own schemas where they are installed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import jinja2
import pytest

from detector.anomaly import Kind
from ingest.records import Health, Status
from sinks.message import Word
from sinks.mqtt.answers import read_answer
from sinks.mqtt.discovery import STATE_LENGTH, config_topics, farm_configs, printer_configs
from sinks.mqtt.states import state_payload, watch_payload, watched_payload
from sinks.mqtt.topics import Topics, slug
from tests.conftest import ROOT
from tests.sinks.conftest import NOON_NS, make_anomaly
from tests.sinks.messages import HOSTILE

HOME_ASSISTANT = ROOT / ".venv" / "peers" / "homeassistant" / "bin" / "python"
SCHEMA = ROOT / "tests" / "peers" / "homeassistant_schema.py"
PREFIX = "homeassistant"
TOPICS = Topics("home/nozzlewatch", "hall")
NAMES = ("voron-2", "Voron 2.4 (left)", "a+b/#", HOSTILE, "🙂", "x" * 64)

Validate = Callable[[dict[str, bytes]], dict[str, str]]


@pytest.fixture(scope="module")
def validate() -> Validate:
    """What Home Assistant complains of, by topic."""
    if not HOME_ASSISTANT.exists():
        pytest.skip("no Home Assistant here: .ci/peers installs it")

    def run(configs: dict[str, bytes]) -> dict[str, str]:
        told = json.dumps({topic: payload.decode() for topic, payload in configs.items()})
        done = subprocess.run(
            [HOME_ASSISTANT, SCHEMA], input=told, capture_output=True, text=True, check=True, timeout=60
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    return run


def configs(printer: str) -> dict[str, Any]:
    """Component and id of each entity → its config."""
    made = printer_configs(PREFIX, TOPICS, printer, "1.2")
    return {f"{t.split('/')[1]}.{t.split('/')[3]}": json.loads(payload) for t, payload in made.items()}


def test_home_assistant_takes_every_config(validate: Validate) -> None:
    everything = farm_configs(PREFIX, TOPICS, "hall", "1.2")
    for name in NAMES:
        everything |= printer_configs(PREFIX, TOPICS, name, "1.2")
    assert len(everything) == 3 + 11 * len(NAMES)
    assert validate(everything) == {}


def test_the_schemas_would_tell_of_a_mistake(validate: Validate) -> None:
    topic, payload = next(iter(printer_configs(PREFIX, TOPICS, "voron-2", "1.2").items()))
    broken = json.loads(payload) | {"device_class": "nonsense", "state_topic": "a/#/b"}
    unknown = json.loads(payload) | {"colour": "red"}
    assert "device_class" in validate({topic: json.dumps(broken).encode()})[topic]
    assert validate({topic: json.dumps(unknown).encode()}) == {topic: "unknown keys: ['colour']"}
    assert validate({"homeassistant/button/a b/c/config": payload}) != {}


def test_every_entity_has_an_id_of_its_own() -> None:
    made = [one for name in NAMES for one in configs(name).values()]
    made += [json.loads(one) for one in farm_configs(PREFIX, TOPICS, "hall", "1.2").values()]
    made += [
        json.loads(one)
        for one in printer_configs(PREFIX, Topics("home", "nozzlewatch"), "hall", "1").values()
    ]
    assert len({one["unique_id"] for one in made}) == len(made)
    assert len({one["device"]["identifiers"][0] for one in made}) == len(NAMES) + 2


def test_a_printer_is_a_device_that_belongs_to_its_farm() -> None:
    farm = json.loads(next(iter(farm_configs(PREFIX, TOPICS, "hall", "1.2").values())))["device"]
    device = configs(HOSTILE)["binary_sensor.problem"]["device"]
    assert device["name"] == HOSTILE  # shown as it is, and no topic holds it
    assert device["via_device"] == farm["identifiers"][0]


def shown(config: dict[str, Any], payload: bytes) -> str:
    """What Home Assistant makes of a payload."""
    return jinja2.Environment().from_string(config["value_template"]).render(value_json=json.loads(payload))


def test_the_entities_show_what_the_states_say() -> None:
    entities = configs("voron-2")
    failing = state_payload("voron-2", [make_anomaly(text="x" * 900)])
    blind = state_payload("voron-2", [make_anomaly(kind=Kind.CAMERA_FAULT)])
    fine = state_payload("voron-2", [])
    told = {
        name: [shown(entities[name], one) for one in (failing, blind, fine)]
        for name in ("binary_sensor.problem", "binary_sensor.blind", "sensor.kind", "sensor.since")
    }
    assert told == {
        "binary_sensor.problem": ["ON", "OFF", "OFF"],
        "binary_sensor.blind": ["OFF", "ON", "OFF"],
        "sensor.kind": ["layer shift", "camera fault", "none"],
        "sensor.since": ["2026-02-03T12:00:00.000Z", "2026-02-03T12:00:00.000Z", "None"],  # None is "unknown"
    }
    assert shown(entities["sensor.why"], failing) == "x" * STATE_LENGTH
    assert shown(entities["sensor.why"], fine) == "nothing found"


def test_an_unwatched_printer_is_unavailable_instead_of_fine() -> None:
    entities = configs("voron-2")
    seen = watched_payload(
        Status(source="ingest", printer="voron-2", at_ns=NOON_NS, health=Health.OK), NOON_NS
    )
    unseen = watched_payload(None, NOON_NS)
    farm, printer = entities["binary_sensor.problem"]["availability"]
    assert farm == {"topic": TOPICS.availability}
    assert printer["topic"] == TOPICS.watched("voron-2")
    assert [shown(printer, one) for one in (seen, unseen)] == ["online", "offline"]
    assert entities["binary_sensor.problem"]["availability_mode"] == "all"
    assert entities["binary_sensor.watched"]["availability"] == [{"topic": TOPICS.availability}]
    assert [shown(entities["binary_sensor.watched"], one) for one in (seen, unseen)] == ["ON", "OFF"]
    (watch,) = (
        json.loads(one)
        for topic, one in farm_configs(PREFIX, TOPICS, "hall", "1.2").items()
        if "binary_sensor" in topic
    )
    assert shown(watch, watch_payload([], NOON_NS, "1.2")) == "OFF"


def test_each_button_says_a_word_that_is_understood() -> None:
    said = {}
    for name, config in configs("Voron 2.4").items():
        if name.startswith("button."):
            assert config["command_topic"] == TOPICS.answer(slug("Voron 2.4"))
            answer = read_answer(config["payload_press"].encode(), "Voron 2.4", NOON_NS)
            assert answer is not None
            assert answer.by == "mqtt: Home Assistant"
            said[name] = answer.word
    assert said == {
        "button.fine": Word.FINE, "button.seen": Word.SEEN, "button.snooze": Word.SNOOZE,
        "button.wake": Word.WAKE,
    }  # fmt: skip


def test_what_is_to_be_taken_away_is_what_was_put_there() -> None:
    made = printer_configs(PREFIX, TOPICS, "Voron 2.4", "1.2")
    assert set(config_topics(PREFIX, TOPICS, slug("Voron 2.4"))) == set(made)
