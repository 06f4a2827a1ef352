"""Answers in, through a real broker: once, for the right printer, and kept while the store is away."""

from __future__ import annotations

import socket

import pytest

from sinks.errors import ChannelError
from sinks.message import Word
from sinks.mqtt.topics import slug
from tests.peers.mosquitto import Mosquitto
from tests.peers.mosquitto_ear import Ear, ear
from tests.sinks.messages import make_message
from tests.sinks.mqtt_answers import Answers, listening
from tests.sinks.mqtt_brokers import TOPICS, channel, settings
from tests.waiting import wait_until

JPEG = b"\xff\xd8" + bytes(range(256)) + b"\xff\xd9"


def test_answers_arrive_once_and_for_the_right_printer(broker: Mosquitto, house: Ear) -> None:
    answers = Answers()
    with channel(settings(broker.port)) as listener:
        listener.know(["Voron 2.4 🙂"])
        listening(listener, answers)
        house.say(TOPICS.answer(slug("Voron 2.4 🙂")), '{"word": "snooze", "minutes": 5, "by": "Ann"}')
        house.say(TOPICS.answer("prusa-1"), "fine")
        house.say(TOPICS.answer(), "wake")
        told = answers.until(3)
        assert told == [(Word.SNOOZE, "Voron 2.4 🙂"), (Word.FINE, "prusa-1"), (Word.WAKE, None)]
        assert answers.taken[0].by == "mqtt: Ann"
        house.say(TOPICS.answer(), "seen")  # whatever came twice would have come before this
        assert answers.until(4)[3] == (Word.SEEN, None)


def test_what_is_no_answer_is_told_once_and_harmless(
    broker: Mosquitto, house: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    answers = Answers()
    with channel(settings(broker.port)) as listener:
        listening(listener, answers)
        for payload in (b"", b"yes", b"\xff\xfe", b"{" * 10_000):
            house.say(TOPICS.answer("voron-2"), payload)
        house.say(TOPICS.answer("Nobody-0123abcd"), "fine")  # a slug of no printer that we know
        house.say(TOPICS.answer("voron-2"), "seen")
        assert answers.until(1) == [(Word.SEEN, "voron-2")]
    assert [record.message for record in caplog.records if "is no answer" in record.message] == [
        "mqtt: found something at nozzlewatch/hall/voron-2/answer that is no answer, expected one of seen, "
        'fine, snooze, wake or {"word": "snooze", "minutes": 60}; it is ignored, and so are further ones, '
        "without a word"
    ]


def test_a_kept_answer_is_not_given_again_at_each_connection(broker: Mosquitto, house: Ear) -> None:
    house.say(TOPICS.answer("voron-2"), "fine", retain=True)
    answers = Answers()
    with channel(settings(broker.port)) as listener:
        listening(listener, answers)
        house.say(TOPICS.answer(), "seen")
        assert answers.until(1) == [(Word.SEEN, None)]


def test_an_answer_waits_for_the_store(
    broker: Mosquitto, house: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.mqtt.answers.RETRY_S", 0.01)
    answers = Answers(away=3)
    with channel(settings(broker.port)) as listener:
        listening(listener, answers)
        house.say(TOPICS.answer(), "wake")
        assert answers.until(1) == [(Word.WAKE, None)]
    assert answers.tried == 4


def test_answers_come_again_after_the_broker_was_away(
    broker: Mosquitto, house: Ear, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.mqtt.link.FIRST_WAIT_S", 0.05)
    monkeypatch.setattr("sinks.mqtt.link.LONGEST_WAIT_S", 0.05)
    answers = Answers()
    with channel(settings(broker.port)) as listener:
        listening(listener, answers)
        broker.stop()
        with socket.create_server(("127.0.0.1", broker.port)) as nobody:
            for _ in range(6):  # tried again and again
                nobody.accept()[0].close()
        with pytest.raises(ChannelError, match="127"):
            listener.send(make_message(), None)
        broker.start()
        wait_until(lambda: listener.link.here, 15.0)
        listener.send(make_message(), None)
        with ear(broker.port) as other:
            other.say(TOPICS.answer(), "seen")
            assert answers.until(1) == [(Word.SEEN, None)]
    warned = [
        one.message for one in caplog.records if one.levelname == "WARNING" and "mqtt://" in one.message
    ]
    assert len(warned) == 2, warned  # once that it is away, however often it was tried, once that it is back
    assert "is tried again until it is there" in warned[0]
    assert warned[1].endswith("is back")
