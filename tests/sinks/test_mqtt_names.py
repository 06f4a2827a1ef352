"""What MQTT's topics are called, what the farm file may say of the broker, and which answers are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.farm import load_farm
from ingest.records import NS_PER_S
from sinks.channels.mqtt import MqttChannel, completed, mqtt_settings, read
from sinks.message import Word
from sinks.mqtt.answers import MOST_BYTES, read_answer
from sinks.mqtt.topics import Topics, slug
from tests.sinks.conftest import NOON_NS
from tests.sinks.messages import HOSTILE

NAMES = [
    "voron 2",
    "voron-2",
    "Voron-2",
    "voron+2",
    "voron#2",
    "a/b",
    "a b",
    "a+b",
    "🙂",
    "ドリル",
    HOSTILE,
    "a" * 64,
]


@given(st.text(max_size=80))
def test_no_name_gets_a_wildcard_or_another_level_into_a_topic(name: str) -> None:
    made = slug(name)
    assert 1 <= len(made) <= 64
    assert made.isascii()
    assert made.replace("-", "").replace("_", "").isalnum() or set(made) <= {"-", "_"}


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_names_never_share_a_slug(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


def test_names_that_look_alike_keep_topics_of_their_own() -> None:
    assert len({slug(name) for name in NAMES}) == len(NAMES)
    assert slug(slug("voron 2")) != slug("voron 2")  # a printer may be called what another's slug is


def test_a_slug_is_the_same_in_every_version() -> None:
    assert slug("voron-2") == "voron-2"
    assert slug("Voron 2.4 (left)") == "Voron-2-4-left-4d4c1e2d"


def test_a_topic_tells_whose_it_is() -> None:
    topics = Topics("home/nozzlewatch", "hall")
    assert topics.printer_of(topics.answer("voron-2")) == "voron-2"
    assert topics.printer_of(topics.answer()) is None


def settings(**found: Any) -> Any:
    mistakes: list[str] = []
    made = mqtt_settings(found, "alerts.mqtt", mistakes)
    assert not mistakes
    return made


def mistakes_of(found: object) -> list[str]:
    mistakes: list[str] = []
    assert read(found, "alerts.mqtt", mistakes) == []
    return mistakes


def test_an_address_names_host_port_and_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "p@ss/w%20rd#")
    made = settings(url="mqtts://a%40b:$MQTT_PASSWORD@broker.local")
    assert (made.host, made.port, made.tls) == ("broker.local", 8883, True)
    assert (made.user, made.password) == ("a@b", "p@ss/w%20rd#")  # as the environment has it
    plain = settings(url="mqtt://10.0.0.7:1884")
    assert (plain.host, plain.port, plain.tls, plain.user) == ("10.0.0.7", 1884, False, None)


def test_nothing_tells_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
    url = "mqtts://me:$MQTT_PASSWORD@broker.local"
    (channel,) = read({"url": url}, "alerts.mqtt", [])
    assert isinstance(channel, MqttChannel)
    assert channel.name == "mqtts://broker.local:8883"
    assert "hunter2" not in repr(channel.link.settings) + channel.name
    told = mistakes_of({"url": "mqtts://me:hunter2@broker.local/path", "base": "#"})
    assert len(told) == 2
    assert not any("hunter2" in one for one in told)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"url": "http://broker"}, "alerts.mqtt.url: found http://broker, expected an address as"),
        ({"url": "mqtt://"}, "alerts.mqtt.url: found"),
        ({"url": "mqtt://host:99999"}, "alerts.mqtt.url: found"),
        ({"url": "mqtt://u:$NO_SUCH_PASSWORD@host"}, "expected an environment variable of that name"),
        ({"url": "mqtt://host", "base": "a/#"}, "alerts.mqtt.base: found 'a/#', expected levels without"),
        ({"url": "mqtt://host", "base": "$SYS"}, "alerts.mqtt.base: found '$SYS'"),
        ({"url": "mqtt://host", "discovery": "a+"}, "alerts.mqtt.discovery: found 'a+'"),
        ({"url": "mqtt://host", "ca": "/no/such.pem"}, "alerts.mqtt.ca: found no file '/no/such.pem'"),
        ({"url": "mqtt://host", "topic": "x"}, "unknown key"),
        ({}, "alerts.mqtt.url: found nothing, expected"),
        ("mqtt://host", "alerts.mqtt: found a text, expected a table"),
        ([{"url": "mqtt://host"}], "alerts.mqtt: found a list, expected one table"),
    ],
)
def test_each_mistake_is_told(found: object, told: str) -> None:
    (mistake,) = mistakes_of(found)
    assert told in mistake


def test_the_farm_gives_its_name_and_where_its_files_are(tmp_path: Path) -> None:
    path = tmp_path / "farm.toml"
    path.write_text('[farm]\nname = "hall 2"\n[[printers]]\nname = "a"\ncamera = "images:x"\n')
    (tmp_path / "ca.pem").write_text("x")
    found = completed({"url": "mqtt://host", "ca": "ca.pem"}, load_farm(path))
    assert isinstance(found, dict)
    made = settings(**found)
    assert made.ca == str(tmp_path / "ca.pem")
    assert made.farm == slug("hall 2")
    assert made.client_id == f"nozzlewatch-{slug('hall 2')}"
    assert settings(url="mqtt://host", base="home/x").client_id == "home-x-farm"


def test_an_answer_is_a_word_or_an_object() -> None:
    bare = read_answer(b" Fine\n", "voron-2", NOON_NS)
    assert bare is not None
    assert (bare.word, bare.printer, bare.by, bare.at_ns) == (Word.FINE, "voron-2", "mqtt", NOON_NS)
    said = read_answer(
        b'{"word": "snooze", "minutes": 90, "by": "Ann\\u001b[2J", "message": "m1"}', None, NOON_NS
    )
    assert said is not None
    assert (said.word, said.for_ns, said.message) == (Word.SNOOZE, 5400 * NS_PER_S, "m1")
    assert said.by == "mqtt: Ann [2J"


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"yes", b"{", b"[]", b'{"word": "pause"}', b'{"minutes": 3}',
        b'{"word": "snooze", "minutes": -1}', b'{"word": "snooze", "minutes": 1e9}',
        b'{"word": "snooze", "minutes": "soon"}', b"\xff\xfe", b"fine fine",
        b'{"word": "fine", "text": "' + b"x" * MOST_BYTES + b'"}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_none(payload: bytes) -> None:
    assert read_answer(payload, None, NOON_NS) is None


@given(st.binary(max_size=200))
def test_no_payload_breaks_the_reader(payload: bytes) -> None:
    read_answer(payload, None, NOON_NS)
