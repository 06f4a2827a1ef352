"""Recordings that were cut off, damaged, made elsewhere or made to harm."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.data_stream import RecordBuilder
from mcap.records import Chunk
from mcap.writer import CompressionType, Writer

from ingest.errors import NozzlewatchError, SourceError, SourceNotFound
from ingest.recordings import chunks
from ingest.recordings.reader import Recording
from ingest.records import NS_PER_S
from ingest.sources import Item
from tests.ingest.recordings import BEGIN_NS, begin, jpeg, own_ns, read_frames, second, write

SECONDS = 6


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished recording, one chunk per second."""
    return write(tmp_path_factory.mktemp("whole") / "p.mcap", [second(n) for n in range(SECONDS)])


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording whose writer died: no index at its end."""
    path = tmp_path_factory.mktemp("unfinished") / "p.mcap"
    begin(path, [second(n) for n in range(SECONDS)])._file.close()
    return path


def seconds_of(recording: Recording) -> list[int]:
    """The seconds that are told whole, each by its four messages."""
    arrivals = [a for batch in recording.read([*recording.cameras, *recording.telemetry], "p") for a in batch]
    numbers = [(arrival.arrival_ns - BEGIN_NS) // NS_PER_S for arrival in arrivals]
    assert numbers == sorted(numbers)
    return [n for n in range(SECONDS) if numbers.count(n) == 4]


def altered(path: Path, data: bytes) -> Path:
    copy = path.with_name("altered.mcap")
    copy.write_bytes(data)
    return copy


def test_without_its_index_a_recording_is_read_to_its_last_whole_chunk(unfinished: Path) -> None:
    recording = Recording(unfinished)
    assert seconds_of(recording) == list(range(SECONDS))
    assert recording.about is not None and recording.about.printer == "p"
    assert recording.counts == {}
    data = unfinished.read_bytes()
    torn = Recording(altered(unfinished, data[: len(data) - 400]))
    assert seconds_of(torn) == list(range(SECONDS - 1))
    assert torn.counts == {"torn": 1}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_cut_off_anywhere_it_is_read_up_to_there(whole: Path, data: st.DataObject) -> None:
    content = whole.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    ends = [place.offset + place.length for place in Recording(whole)._file.places]
    told = sum(end <= cut for end in ends)
    try:
        recording = Recording(altered(whole, content[:cut]))
    except SourceError:
        assert not told
    else:
        assert seconds_of(recording) == list(range(told))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_byte_flipped_costs_one_chunk_at_most(whole: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    at = data.draw(st.integers(len(chunks.MCAP0_MAGIC), len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    recording = Recording(altered(whole, bytes(content)))
    told = seconds_of(recording)
    assert len(told) >= SECONDS - 1
    assert len(told) == SECONDS or recording.counts["damaged_chunks"] == 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_the_bytes_are_nothing_but_our_errors_comes(
    whole: Path, unfinished: Path, data: st.DataObject
) -> None:
    source = data.draw(st.sampled_from([whole, unfinished]))
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(max_size=12))
        content[at : at + data.draw(st.integers(0, 12))] = patch
    try:
        seconds_of(Recording(altered(source, bytes(content))))
    except NozzlewatchError as error:
        assert "expected" in str(error)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400))
def test_noise_behind_the_magic_is_none(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "p.mcap"
    path.write_bytes(chunks.MCAP0_MAGIC + noise)
    with pytest.raises(SourceError, match="expected"):
        Recording(path)


def test_chunks_that_overlap_in_time_are_read_in_order(tmp_path: Path) -> None:
    items: list[Item] = [item for n in range(SECONDS) for item in second(n)]
    path = write(tmp_path / "p.mcap", [items[::2], items[1::2]])
    recording = Recording(path)
    arrivals = [a for batch in recording.read([*recording.cameras, *recording.telemetry], "p") for a in batch]
    assert [a.arrival_ns for a in arrivals] == [own_ns(item) for item in items]


def test_chunks_that_claim_too_much_are_left_out(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 500)
    recording = Recording(whole)
    assert seconds_of(recording) == []
    assert recording.counts["damaged_chunks"] == SECONDS


def test_a_chunk_that_unpacks_to_more_than_it_says_is_left_out(tmp_path: Path) -> None:
    """64 MiB of zeros in a chunk that says 100 bytes; packed they are a few kilobytes."""
    zeros = bytes(64 << 20)
    for name, packed in (("lz4", lz4.frame.compress(zeros)), ("zstd", zstandard.compress(zeros))):
        chunk = RecordBuilder()
        Chunk(name, packed, BEGIN_NS, BEGIN_NS, 0, 100).write(chunk)
        path = tmp_path / f"{name}.mcap"
        path.write_bytes(chunks.MCAP0_MAGIC + chunk.end())
        tracemalloc.start()
        with pytest.raises(SourceNotFound):
            Recording(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()


Made = Callable[[Writer], None]


def foreign(path: Path, make: Made, **options: object) -> Path:
    with path.open("wb") as file:
        writer = Writer(file, **options)  # type: ignore[arg-type]
        writer.start()
        make(writer)
        writer.finish()
    return path


def picture_topic(writer: Writer, topic: str, count: int = 3) -> None:
    """Pictures as JSON, which Foxglove allows as well."""
    schema = writer.register_schema("foxglove.CompressedImage", "jsonschema", b"{}")
    channel = writer.register_channel(topic, "json", schema)
    for n in range(count):
        told = {"frame_id": "", "format": "jpeg", "data": b64encode(jpeg(n)).decode()}
        at_ns = BEGIN_NS + n * NS_PER_S
        writer.add_message(channel, at_ns, json.dumps(told).encode(), publish_time=0)


@pytest.mark.parametrize("compression", CompressionType)
def test_a_foreign_recordings_pictures_are_read_however_it_is_packed(
    tmp_path: Path, compression: CompressionType
) -> None:
    def make(writer: Writer) -> None:
        picture_topic(writer, "/left/image")
        channel = writer.register_channel("/odometry", "cdr", 0)
        writer.add_message(channel, BEGIN_NS, b"\0\1", BEGIN_NS)

    path = foreign(tmp_path / "robot.mcap", make, compression=compression)
    assert [(f.captured_ns, f.jpeg, f.camera) for f in read_frames(path)] == [
        (BEGIN_NS + n * NS_PER_S, jpeg(n), "/left/image") for n in range(3)
    ]


def test_of_several_cameras_one_is_chosen(tmp_path: Path) -> None:
    def make(writer: Writer) -> None:
        picture_topic(writer, "/left")
        picture_topic(writer, "/right", 5)

    path = foreign(tmp_path / "two.mcap", make)
    assert len(read_frames(path, "?camera=/right")) == 5
    for options in ("", "?camera=/middle"):
        with pytest.raises(SourceError, match=r"expected one of /left, /right: choose with \?camera=/left"):
            read_frames(path, options)


def other_topics(writer: Writer) -> None:
    writer.add_message(writer.register_channel("/odometry", "cdr", 0), 5, b"\0\1", 5)


@pytest.mark.parametrize(
    ("make", "options", "told"),
    [
        (other_topics, {}, "found the topics /odometry, expected /telemetry/<channel>"),
        (lambda writer: None, {}, "found no message"),
        (lambda writer: picture_topic(writer, "/c"), {"use_chunking": False}, "mcap compress"),
    ],
)
def test_what_is_no_recording_of_a_print_is_refused_in_words(
    tmp_path: Path, make: Made, options: dict[str, object], told: str
) -> None:
    with pytest.raises(SourceNotFound, match="found") as refused:
        Recording(foreign(tmp_path / "other.mcap", make, **options))
    assert told in str(refused.value)


def test_a_file_that_is_not_there_or_no_mcap_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="No such file"):
        Recording(tmp_path / "none.mcap")
    (tmp_path / "text.mcap").write_text("no recording")
    with pytest.raises(SourceError, match="no MCAP"):
        Recording(tmp_path / "text.mcap")
