"""The consumers of docs/subscribe.md, run as they stand there against real servers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.records import encode
from ingest.store import EmbeddedStores, Stores
from ingest.stream import DATA, key
from sinks.event_json import TOPICS
from tests.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "subscribe.md").read_text()
Make = Callable[..., Any]
EXPECTED = "voron-2 layer_shift opened the layers no longer lie above each other"


def example(needle: str) -> str:
    """The page's one Python example that holds this text."""
    (found,) = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if needle in text]
    return str(found)


def printed(program: str, number: int, tell: Callable[[], object], told: Path) -> list[str]:
    """Run a program and say something until it has printed so many lines."""
    with told.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=out)
    try:
        wait_until(lambda: tell() is None and told.read_text().count("\n") >= number, what="its lines")
    finally:
        process.kill()
        process.wait()
    return told.read_text().splitlines()


def test_the_redis_example_prints_an_anomaly(
    stores: Stores, embedded: EmbeddedStores, anomaly: Make, tmp_path: Path
) -> None:
    program = example("xread").replace("redis://localhost:6379/0", embedded.urls().events)

    def tell() -> None:
        stores.events.xadd(key("anomalies", 3), {DATA: encode(anomaly())})

    assert printed(program, 1, tell, tmp_path / "told")[0] == EXPECTED


def test_the_kafka_example_prints_each_revision_of_an_anomaly_once(anomaly: Make, tmp_path: Path) -> None:
    pytest.importorskip("confluent_kafka", reason="needs the extra: pip install 'nozzlewatch[kafka]'")
    from tests.sinks.kafka_at_work import Sender, cluster  # noqa: PLC0415 - needs the extra

    later = [anomaly(revision=2, text="more"), anomaly(revision=3, text="the end")]
    with cluster() as kafka:
        told = [anomaly(), anomaly(), later[0], anomaly(), *later]
        Sender(kafka).send("anomalies", enumerate(told))
        program = example("confluent_kafka").replace("localhost:9092", kafka.address)
        lines = printed(program, 3, lambda: None, tmp_path / "told")
    assert lines == [EXPECTED, "voron-2 layer_shift opened more", "voron-2 layer_shift opened the end"]


def test_the_page_names_every_topic_and_its_schema() -> None:
    for topic in TOPICS.values():
        assert f"`nozzlewatch.{topic.name}`" in PAGE
        assert f"schemas/nozzlewatch.{topic.name}.json" in PAGE
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (DOCS / link).exists(), link
