"""Cutting pictures out of a stream: every server's habits, any slices, any bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cameras import multipart
from ingest.cameras.jpeg import MAX_BYTES
from ingest.cameras.multipart import HEAD_BYTES, Part, PartSplitter, device_time_ns
from ingest.records import NS_PER_S
from tests.ingest.web import jpeg, part

Server = Callable[[bytes], bytes]
"""A picture as this server puts it into its stream."""

A, B, C = jpeg(20), jpeg(120, 80, 64), jpeg(220)
JUNK_EXIF = b"\xff\xe1" + (2 + 12).to_bytes(2) + b"\xff\xd8\xff\xe0\xff\xd9\xff\xd8\xff\xd9\xff\xd9"
WITH_THUMBNAIL = B[:2] + JUNK_EXIF + B[2:]
STRIPES = np.eye(64, dtype=np.uint8) * 255
PROGRESSIVE = cv2.imencode(".jpg", STRIPES, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
RESTARTS = cv2.imencode(".jpg", STRIPES, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])[1].tobytes()
PICTURES = (A, B, C, WITH_THUMBNAIL, PROGRESSIVE, RESTARTS)


def split(data: bytes, at: Sequence[int] = ()) -> tuple[list[Part], dict[str, int]]:
    """What comes out of bytes that arrive in slices which end at these places."""
    splitter = PartSplitter()
    ends = sorted({min(end, len(data)) for end in at} | {len(data)})
    parts = [
        found
        for start, end in zip([0, *ends], ends, strict=False)
        for found in splitter.feed(data[start:end])
    ]
    return parts, dict(splitter.counts)


def pictures(data: bytes, at: Sequence[int] = ()) -> list[bytes]:
    return [found.jpeg for found in split(data, at)[0]]


def mjpg_streamer(picture: bytes) -> bytes:
    stamp = "X-Timestamp: 1700000000.250000\r\n"
    return (
        f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n{stamp}\r\n".encode()
        + picture
        + b"\r\n--boundarydonotcross\r\n"
    )


def esp32(picture: bytes) -> bytes:
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\nX-Timestamp: 12.000345\r\n\r\n"
    return b"\r\n--123456789000000000000987654321\r\n" + head.encode() + picture


def motion(picture: bytes) -> bytes:
    head = f"--BoundaryString\r\nContent-type: image/jpeg\r\nContent-Length: {len(picture):9d}\r\n\r\n"
    return head.encode() + picture + b"\r\n"


def flask(picture: bytes) -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n"


def bare_newlines(picture: bytes) -> bytes:
    return b"--x\ncontent-TYPE:image/jpeg\ncontent-LENGTH:%d\n\n" % len(picture) + picture + b"\n"


def no_dashes(picture: bytes) -> bytes:
    return b"myboundary\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n"


def ip_webcam(picture: bytes) -> bytes:
    head = f"--Ba4oTvQMY8ew04N8dcnM\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return head.encode() + picture + b"\r\n"


def length_too_short(picture: bytes) -> bytes:
    return b"--x\r\nContent-Length: 100\r\n\r\n" + picture + b"\r\n"


def length_too_long(picture: bytes) -> bytes:
    return b"--x\r\nContent-Length: 99999999\r\n\r\n" + picture + b"\r\n"


def padded(picture: bytes) -> bytes:
    """Some cameras send their whole buffer."""
    return b"--x\r\nContent-Length: %d\r\n\r\n" % (len(picture) + 500) + picture + bytes(500) + b"\r\n"


def junk_between(picture: bytes) -> bytes:
    return b"\0\xff\xd9\xff junk \xff\xd8 \r\n--x\r\n\r\n" + picture + b"%PDF \xff\xff"


def in_a_row(picture: bytes) -> bytes:
    return picture


SERVERS = [
    mjpg_streamer,
    esp32,
    motion,
    flask,
    bare_newlines,
    no_dashes,
    ip_webcam,
    length_too_short,
    length_too_long,
    padded,
    junk_between,
    in_a_row,
]


@pytest.mark.parametrize("server", SERVERS)
def test_the_pictures_of_every_server_come_out_byte_by_byte(server: Server) -> None:
    stream = b"".join(server(picture) for picture in PICTURES)
    parts, counts = split(stream)
    assert ([found.jpeg for found in parts], counts) == (list(PICTURES), {})
    assert pictures(stream, range(len(stream))) == list(PICTURES)


@pytest.mark.parametrize("server", SERVERS)
def test_a_picture_is_there_with_its_last_byte(server: Server) -> None:
    """Not only with the boundary behind it, which many servers send with the next picture."""
    stream = server(A)
    end = stream.index(A) + len(A)
    assert pictures(stream[: end - 1]) == []
    assert pictures(stream[:end]) == [A]


def test_the_stream_of_ffmpeg_is_read() -> None:
    """As ``ffmpeg -f mpjpeg`` writes it, which is behind many cameras."""
    stream, sent = io.BytesIO(), []
    with av.open(stream, "w", format="mpjpeg") as muxer:
        video = muxer.add_stream("mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        for shade in range(0, 250, 50):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), "rgb24")
            for packet in video.encode(picture.reformat(format="yuvj420p")):
                sent.append(bytes(packet))
                muxer.mux(packet)
    assert len(sent) == 5
    assert pictures(stream.getvalue(), range(0, 100_000, 7)) == sent


@given(
    st.lists(st.tuples(st.sampled_from(SERVERS), st.sampled_from(PICTURES)), max_size=6),
    st.lists(st.integers(0, 12_000), max_size=40),
)
def test_well_formed_streams_give_exactly_their_pictures(
    sent: list[tuple[Server, bytes]], at: list[int]
) -> None:
    stream = b"".join(server(picture) for server, picture in sent)
    assert pictures(stream, at) == [picture for _, picture in sent]


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [A, B[:300], C[500:], b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xda\0\x02", b"\xff\xff", b"--x\r\n"]
    ),
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=12), st.lists(st.integers(0, 6_000), max_size=60), st.integers(600, 3_000))
def test_any_bytes_give_the_same_however_they_are_sliced(
    pieces: list[bytes], at: list[int], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart, "MAX_BYTES", most)
        data = b"".join(pieces)
        assert split(data, at) == split(data)


def test_a_picture_that_broke_off_costs_no_other_one() -> None:
    for cut in (4, 100, len(B) // 2, len(B) - 1):
        parts, counts = split(part(A) + part(B[:cut]) + 8 * part(C))
        assert [found.jpeg for found in parts] == [A, *8 * [C]]
        assert counts == {"corrupt": 1}


def test_a_huge_part_is_left_out_and_counted_and_memory_stays_bounded() -> None:
    splitter, chunk = PartSplitter(), b"\x55" * 2**18
    assert [found.jpeg for found in splitter.feed(part(A) + A[:-2])] == [A]
    for _ in range(2 * MAX_BYTES // len(chunk)):
        assert splitter.feed(chunk) == []
        assert len(splitter._buffer) <= MAX_BYTES + len(chunk)
    assert splitter.counts == {"too_large": 1}
    assert [found.jpeg for found in splitter.feed(part(C))] == [C]


def test_endless_junk_takes_no_memory() -> None:
    splitter = PartSplitter()
    for _ in range(100):
        splitter.feed(b"no picture at all " * 1000)
    assert len(splitter._buffer) <= HEAD_BYTES + 3


def test_a_picture_knows_the_headers_before_it_even_after_a_broken_one() -> None:
    first, second = split(part(A, "X-A: 1\r\n") + part(B[:200], "X-B: 2\r\n") + part(C, "X-C: 3\r\n"))[0]
    assert b"X-A: 1" in first.head
    assert b"X-C: 3" in second.head


@pytest.mark.parametrize(
    ("head", "time_ns"),
    [
        (b"--x\r\nX-Timestamp: 1700000000.250000\r\n\r\n", 1_700_000_000 * NS_PER_S + 250_000_000),
        (b"--x\nx-timestamp:12.000345\n\n", 12_000_345_000),
        (
            b"X-Timestamp: 1700000000.5\r\nX-UStreamer-Grab-Time: 7.25\r\nX-UStreamer-Send-Time: 7.5\r\n",
            7_250_000_000,
        ),
        (b"X-Timestamp: 1.0\r\nX-UStreamer-Grab-Begin-Time: 8.5\r\n", 8_500_000_000),
        (b"X-Timestamp: 0.000000\r\n\r\n", None),
        (b"X-Timestamp: soon\r\n\r\n", None),
        (b"--x\r\n\r\n", None),
        (b"X-Timestamp: 1.5\r\n --x\r\nX-Timestamp: 2.5\r\n\r\n", 2_500_000_000),
    ],
)
def test_the_headers_tell_the_time_of_the_camera(head: bytes, time_ns: int | None) -> None:
    assert device_time_ns(head) == time_ns
