"""What goes into a recording comes out of it, and Foxglove understands it."""

from __future__ import annotations

import json
import math
import struct
import tempfile
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from ingest.errors import UsageError
from ingest.recordings.format import MEANINGS, About, Truth
from ingest.recordings.reader import Recording
from ingest.recordings.writer import RecordingWriter
from ingest.records import CHANNELS, NS_PER_S, Event, EventKind, Reading, SerialLine
from ingest.sources import Item
from tests.ingest.recordings import (
    BEGIN_NS,
    event,
    frame,
    jpeg,
    line,
    own_ns,
    read_frames,
    read_telemetry,
    reading,
    second,
    write,
)

TIMES = st.integers(0, 2**63 - 1)
P = st.just("p")
TEXTS = st.text(max_size=40)
TELEMETRY_ITEMS = st.one_of(
    st.builds(Reading, printer=P, at_ns=TIMES, channel=st.sampled_from(CHANNELS), value=st.floats()),
    st.builds(Event, printer=P, at_ns=TIMES, kind=st.sampled_from(EventKind), text=TEXTS),
    st.builds(SerialLine, printer=P, at_ns=TIMES, text=TEXTS, sent=st.booleans()),
)


def exact(item: Item) -> object:
    """Tells -0.0 from 0.0, which equality does not, and takes any NaN for NaN."""
    if not isinstance(item, Reading):
        return item
    value = math.nan if math.isnan(item.value) else item.value
    return item.at_ns, item.channel, struct.pack("d", value)


@settings(max_examples=60, deadline=None)
@given(st.lists(TELEMETRY_ITEMS, min_size=1, max_size=30), st.integers(1, 7))
def test_telemetry_comes_back_as_it_was(items: list[Item], per_chunk: int) -> None:
    items.sort(key=own_ns)
    with tempfile.TemporaryDirectory() as folder:
        chunks = [items[at : at + per_chunk] for at in range(0, len(items), per_chunk)]
        path = write(Path(folder) / "p.mcap", chunks)
        found = read_telemetry(path)
    assert [exact(item) for item in found] == [exact(item) for item in items]


def test_pictures_come_back_with_their_very_bytes(tmp_path: Path) -> None:
    frames = [frame(BEGIN_NS + n * NS_PER_S, n, f"camera {n}") for n in range(5)]
    assert read_frames(write(tmp_path / "p.mcap", [frames])) == frames


def test_the_mcap_library_reads_it_with_its_index(tmp_path: Path) -> None:
    path = write(tmp_path / "p.mcap", [second(n) for n in range(3)], About(printer="ender", farm="shed"))
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        assert (summary.statistics.chunk_count, summary.statistics.message_count) == (3, 12)
        told = [(c.topic, s.name if s else "", m) for s, c, m in reader.iter_messages()]
        images = [decoded for _, _, _, decoded in reader.iter_decoded_messages(topics="/camera")]
        (metadata,) = reader.iter_metadata()
    assert {(topic, schema) for topic, schema, _ in told} == {
        ("/camera", "foxglove.CompressedImage"),
        ("/telemetry/hotend_c", "nozzlewatch.telemetry.hotend_c"),
        ("/events", "nozzlewatch.Event"),
        ("/serial", "foxglove.Log"),
    }
    assert [m.log_time for _, _, m in told] == sorted(m.log_time for _, _, m in told)
    assert [(image.format, image.data) for image in images] == [("jpeg", jpeg(n)) for n in range(3)]
    assert images[1].timestamp.ToNanoseconds() == BEGIN_NS + NS_PER_S
    assert metadata.metadata["printer"] == "ender" and metadata.metadata["farm"] == "shed"


def test_a_topics_schema_says_its_unit_and_foxgloves_own_schemas_are_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "p.mcap", [second(0)])
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    schemas = {schema.name: schema for schema in summary.schemas.values()}
    hotend = json.loads(schemas["nozzlewatch.telemetry.hotend_c"].data)
    assert hotend["properties"]["value"] == {"type": "number", "description": "hot end, °C"}
    files = FileDescriptorSet.FromString(schemas["foxglove.CompressedImage"].data)
    assert {file.name for file in files.file} >= {"google/protobuf/timestamp.proto"}


def test_every_channel_has_its_meaning() -> None:
    assert set(MEANINGS) == set(CHANNELS)


def test_labels_come_back_in_the_order_of_the_print(tmp_path: Path) -> None:
    truths = [
        Truth(kind="spaghetti", from_ns=BEGIN_NS + 9, to_ns=BEGIN_NS + 20, text="from the start of the arm"),
        Truth(kind=None, from_ns=BEGIN_NS, to_ns=BEGIN_NS + 9),
    ]
    writer = RecordingWriter(tmp_path / "p.mcap", About(printer="p"))
    for item in second(0):
        writer.add(item, own_ns(item))
    for truth in truths:
        writer.add_label(truth)
    writer.finish()
    assert Recording(tmp_path / "p.mcap").labels() == truths[::-1]


def test_arrival_and_event_time_are_kept_apart(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "p.mcap", About(printer="p"))
    writer.add(reading(BEGIN_NS + 5), BEGIN_NS + 7)
    writer.finish()
    recording = Recording(tmp_path / "p.mcap")
    ((arrival,),) = recording.read(recording.telemetry, "p")
    assert arrival == (BEGIN_NS + 7, reading(BEGIN_NS + 5))


def test_a_time_before_1970_is_counted_and_no_failure(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "p.mcap", About(printer="p"))
    for item in (reading(-5), event(0), frame(2**64)):
        writer.add(item, own_ns(item))
    writer.finish()
    assert writer.out_of_range == 2
    assert read_telemetry(tmp_path / "p.mcap") == [event(0)]


def test_text_that_is_none_is_written_all_the_same(tmp_path: Path) -> None:
    """A file name may hold bytes that are no UTF-8; Python keeps them as lone surrogates."""
    items = [line(1, "a\udcff"), event(2, text="b\udcff"), frame(3, camera="c\udcff")]
    path = write(tmp_path / "p.mcap", [items])
    assert read_telemetry(path) == [line(1, "a?"), event(2, text="b?")]
    assert read_frames(path)[0].camera == "c?"


@pytest.mark.parametrize("name", ["there.mcap", "print.txt", "no/such/folder/p.mcap"])
def test_a_file_that_cannot_be_made_is_refused_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.mcap").write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"found .*, expected"):
        RecordingWriter(tmp_path / name, About(printer="p"))
    assert (tmp_path / "there.mcap").read_bytes() == b"precious"
