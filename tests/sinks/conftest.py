"""Records as the detector tells them, for the sinks' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.anomaly import (
    Anomaly,
    Box,
    Evidence,
    InspectedPicture,
    Inspection,
    Kind,
    Label,
    Scores,
    State,
)
from ingest.records import FrameRef, Health, Record, Status
from sinks.consume import RECORDS
from sinks.sink import Delivered, Told
from tests.peers.mosquitto import Mosquitto
from tests.peers.mosquitto_ear import Ear, ear
from tests.sinks.mqtt_brokers import open_broker

NOON_NS = 1_770_120_000_000_000_000  # 2026-02-03 12:00:00 UTC
S = 1_000_000_000


def make_scores(n: int, **fields: Any) -> Scores:
    """The scores of the n-th second after noon."""
    told: dict[str, Any] = {
        "printer": "voron-2",
        "job": "benchy.gcode",
        "index": NOON_NS // S + n,
        "span_ns": S,
        "probabilities": {Kind.SPAGHETTI: 0.25, Kind.STALL: 0.5},
        "novelty": 1.5,
        "frame": FrameRef(camera="top", captured_ns=NOON_NS + n * S + 123_456_789, width=640, height=480),
        "frame_lost": False,
        "marks": 5,
        "model": "m1",
        "quality": 8,
    }
    return Scores(**told | fields)


def make_anomaly(n: int = 0, **fields: Any) -> Anomaly:
    """An anomaly with its onset n seconds after noon, told 38.5 s later."""
    told: dict[str, Any] = {
        "id": f"a{n}",
        "printer": "voron-2",
        "job": "benchy.gcode",
        "kind": Kind.LAYER_SHIFT,
        "state": State.OPENED,
        "revision": 1,
        "severity": 0.92,
        "score": 0.9,
        "onset_ns": NOON_NS + n * S + 1,
        "detected_ns": NOON_NS + n * S + 3 * S,
        "at_ns": NOON_NS + n * S + 38 * S + S // 2,
        "text": "the layers no longer lie above each other",
        "evidence": Evidence(
            frames=(FrameRef(camera="top", captured_ns=NOON_NS + 7, width=640, height=480),),
            channels={"x_mm": 0.7, "y_mm": 0.3},
        ),
        "boxes": (Box(0.1, 0.2, 0.3, 0.4),),
        "model": "m1",
    }
    return Anomaly(**told | fields)


def make_inspection(n: int = 0, **fields: Any) -> Inspection:
    """What is said of the part of the n-th print, which ended n seconds after noon."""
    frames = [
        FrameRef(camera="surface", captured_ns=NOON_NS + n * S + k, width=640, height=480) for k in (1, 2)
    ]
    told: dict[str, Any] = {
        "printer": "voron-2",
        "job": f"benchy {n}",
        "at_ns": NOON_NS + n * S,
        "verdict": "stringing",
        "sound": False,
        "probability": 0.93,
        "pictures": (
            InspectedPicture(
                frame=frames[0], label="stringing", nearest="stringing", probability=0.93, unlikeness=0.5
            ),
            InspectedPicture(frame=frames[1], label=None, nearest="good", probability=0.6, unlikeness=None),
        ),
        "text": "surface: stringing 93 % (1 of 2 pictures)",
        "model": "net 1",
    }
    return Inspection(**told | fields)


def make_label(n: int = 0, **fields: Any) -> Label:
    """What a user said of the ten seconds from the n-th second after noon on."""
    told: dict[str, Any] = {
        "printer": "voron-2",
        "job": "benchy.gcode",
        "kind": Kind.SPAGHETTI,
        "from_ns": NOON_NS + n * S,
        "to_ns": NOON_NS + (n + 10) * S,
        "anomaly": None,
        "text": "it came off the bed",
    }
    return Label(**told | fields)


def make_status(n: int = 0, **fields: Any) -> Status:
    """How ingest said that a printer was n seconds after noon."""
    told: dict[str, Any] = {
        "source": "ingest",
        "printer": "voron-2",
        "at_ns": NOON_NS + n * S,
        "health": Health.OK,
        "detail": "10 frames a second",
        "counts": {"windows": n, "drops": 0},
    }
    return Status(**told | fields)


def deliver(record: Told, n: int, shard: int = 3) -> Delivered[Told]:
    """The record as the n-th entry of its stream."""
    name = next(name for name, kind in RECORDS.items() if isinstance(record, kind))
    return Delivered(f"nw:{name}:{{{shard}}}", f"{1_770_000_000_000 + n}-0", record)


@pytest.fixture(name="scores")
def _scores() -> Callable[..., Scores]:
    return make_scores


@pytest.fixture(name="anomaly")
def _anomaly() -> Callable[..., Anomaly]:
    return make_anomaly


@pytest.fixture(name="inspection")
def _inspection() -> Callable[..., Inspection]:
    return make_inspection


@pytest.fixture(name="delivered")
def _delivered() -> Callable[..., Delivered[Told]]:
    return deliver


@pytest.fixture(name="label")
def _label() -> Callable[..., Label]:
    return make_label


@pytest.fixture(name="status")
def _status() -> Callable[..., Status]:
    return make_status


@pytest.fixture(name="one_of_each")
def _one_of_each() -> list[Record]:
    return [make_scores(0), make_anomaly(0), make_inspection(0), make_label(0), make_status(0)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with open_broker(tmp_path) as made:
        yield made


@pytest.fixture
def house(broker: Mosquitto) -> Iterator[Ear]:
    """Whoever else is at the broker."""
    with ear(broker.port) as made:
        yield made


@pytest.fixture
def quick_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror without its waits of seconds."""
    monkeypatch.setattr("sinks.mqtt.link.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr("sinks.mqtt.link.LONGEST_WAIT_S", 0.1)
    monkeypatch.setattr("sinks.mqtt.mirror.POLL_S", 0.2)
