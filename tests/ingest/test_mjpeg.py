"""The MJPEG camera against real servers, well and badly behaved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from aiohttp import web

from ingest.cameras.jpeg import MAX_BYTES
from ingest.cameras.mjpeg import MjpegCamera
from ingest.cameras.registry import open_camera
from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable, SourceError
from ingest.records import NS_PER_S
from tests.ingest.web import jpeg, open_stream, part, serving, take, talking, until_gone

A, B = jpeg(20), jpeg(120, 80, 64)
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=x\r\n\r\n"

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def camera(url: str, **options: str) -> MjpegCamera:
    fragment = "&".join(f"{name}={value}" for name, value in {"fps": "1e6", **options}.items())
    found = open_camera(f"mjpeg:{url}/?action=stream#{fragment}", "p1")
    assert isinstance(found, MjpegCamera)
    return found


def says(data: bytes, *, stay: bool = True) -> Say:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if stay:
            await until_gone(reader)

    return talk


def lost(talk: Say, match: str, count: int = 99, **options: str) -> MjpegCamera:
    """Read a camera that is lost by this message; the camera."""

    async def run() -> MjpegCamera:
        async with talking(talk) as url:
            source = camera(url, **options)
            with pytest.raises(CameraUnreachable, match=match):
                await take(source, count)
            return source

    return asyncio.run(run())


def test_pictures_come_untouched_with_their_arrival() -> None:
    async def run() -> None:
        clock = AnchoredClock()
        async with talking(says(HEAD + part(A) + part(B))) as url:
            before_ns = clock.now_ns()
            first, second = await take(camera(url), 2)
        assert (first.jpeg, second.jpeg) == (A, B)
        assert (second.width, second.height, second.printer) == (80, 64, "p1")
        assert first.camera == f"mjpeg:{url}/"
        assert before_ns <= first.captured_ns < second.captured_ns <= clock.now_ns()

    asyncio.run(run())


def test_a_stream_in_chunks_from_a_web_framework_is_read() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query_string == "action=stream"
        stream = await open_stream(request)
        for shade in range(20):
            await stream.write(part(jpeg(shade * 10)))
        return stream

    async def run() -> None:
        async with serving(handler) as url:
            source = camera(url)
            frames = await take(source, 20)
        assert [frame.jpeg for frame in frames] == [jpeg(shade * 10) for shade in range(20)]
        assert source.facts["server"] == "MJPG-Streamer/0.2"

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "video/x-motion-jpeg", ""])
def test_pictures_in_a_row_without_parts_are_a_stream(kind: str) -> None:
    async def run() -> None:
        head = f"HTTP/1.1 200 OK\r\n{kind and f'Content-Type: {kind}'}\r\n\r\n".replace(
            "\r\n\r\n\r\n", "\r\n\r\n"
        )
        async with talking(says(head.encode() + A + B)) as url:
            assert [frame.jpeg for frame in await take(camera(url), 2)] == [A, B]

    asyncio.run(run())


def test_a_fast_stream_is_thinned_to_what_was_asked_for() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while not reader.at_eof():
            writer.write(part(A))
            await writer.drain()
            await asyncio.sleep(0.002)

    async def run() -> None:
        async with talking(flood) as url:
            source = camera(url, fps="20")
            times = [frame.captured_ns for frame in await take(source, 8)]
        assert all(later - before > NS_PER_S / 40 for before, later in pairwise(times))
        assert source.counts["thinned"] > 20

    asyncio.run(run())


def test_pictures_that_a_network_held_up_keep_the_times_of_the_camera() -> None:
    stamps = [f"X-Timestamp: 100.{tenth}00000\r\n" for tenth in range(4)]

    async def hold_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + part(A, stamps[0]))
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(b"".join(part(B, stamp) for stamp in stamps[1:]))
        await until_gone(reader)

    async def run() -> list[int]:
        async with talking(hold_up) as url:
            return [frame.captured_ns for frame in await take(camera(url), 4)]

    times = asyncio.run(run())
    apart = [later - before for before, later in pairwise(times)]
    assert apart == pytest.approx([NS_PER_S / 10] * 3, abs=NS_PER_S / 50)


@pytest.mark.parametrize("stamp", ["X-Timestamp: 0.000000\r\n", "X-Timestamp: 5.000000\r\n"])
def test_stamps_that_stand_still_are_not_believed(stamp: str) -> None:
    async def two(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + part(A, stamp))
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(part(B, stamp))
        await until_gone(reader)

    async def run() -> list[int]:
        async with talking(two) as url:
            return [frame.captured_ns for frame in await take(camera(url), 2)]

    first_ns, second_ns = asyncio.run(run())
    assert second_ns - first_ns > 0.05 * NS_PER_S


def test_a_camera_that_freezes_is_lost() -> None:
    lost(says(HEAD + part(A) + part(B)[:300]), r"found no whole picture for 0.3 s, expected one", stall="0.3")


def test_slow_headers_are_no_stream() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.0 200 OK\r\nX-Slow: " + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    lost(drip, "found no answer in time", stall="0.3")


def test_a_huge_part_is_left_out_and_the_stream_goes_on() -> None:
    async def run() -> None:
        async with talking(says(HEAD + A[:-2] + bytes(MAX_BYTES) + part(B))) as url:
            source = camera(url)
            (frame,) = await take(source, 1)
        assert frame.jpeg == B
        assert source.counts == {"too_large": 1}

    asyncio.run(run())


def test_broken_pictures_are_counted() -> None:
    async def run() -> None:
        async with talking(says(HEAD + part(A[:300]) + part(B) + part(A))) as url:
            source = camera(url)
            assert [frame.jpeg for frame in await take(source, 2)] == [B, A]
            assert [frame.jpeg for frame in await take(source, 1)] == [B]
        assert source.counts == {"corrupt": 2}

    asyncio.run(run())


def test_a_server_that_restarts_is_lost_and_read_anew() -> None:
    async def run() -> None:
        async with talking(says(HEAD + part(A), stay=False)) as url:
            source = camera(url)
            with pytest.raises(CameraUnreachable, match="end of the stream after 1 pictures"):
                await take(source, 2)
        with pytest.raises(CameraUnreachable, match=r"found nobody at 127.0.0.1:\d+ \(Connection refused\)"):
            await take(source, 1)
        async with talking(says(HEAD + part(B)), port=int(url.rpartition(":")[2])):
            assert [frame.jpeg for frame in await take(source, 1)] == [B]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ("200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", "found text/html.* a page"),
        (
            f"200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(A)}\r\n\r\n",
            "write snapshot: instead",
        ),
        ("200 OK\r\nContent-Type: video/mp4\r\n\r\n", "found video/mp4.* rtsp://"),
        ("200 OK\r\nContent-Type: application/json\r\n\r\n{}", "found application/json, expected a stream"),
        (
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n",
            "asks for a login.*#user=NAME&password",
        ),
        ("403 Forbidden\r\n\r\n", "403 Forbidden, expected to be let in"),
        ("404 Not Found\r\n\r\n", "404 Not Found, expected a page"),
        ("503 Busy\r\n\r\n", "503 Busy, expected 200: the server has too much to do"),
        ("302 Found\r\nLocation: /\r\n\r\n", "redirects without an end"),
        ("302 Found\r\nLocation: ftp://x/\r\n\r\n", "redirect to what is no page"),
        ("gibberish", "found an answer that cannot be understood"),
    ],
)
def test_what_is_no_stream_is_told_with_what_to_do(answer: str, match: str) -> None:
    lost(says(b"HTTP/1.1 " + answer.encode(), stay=False), match)


def test_a_server_that_hangs_up_at_once_is_told() -> None:
    lost(says(b"", stay=False), "found that the connection")


def test_a_name_that_does_not_exist_is_told() -> None:
    async def run() -> None:
        with pytest.raises(CameraUnreachable, match=r"no machine named no-such-camera.invalid"):
            await take(camera("http://no-such-camera.invalid"), 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("mjpeg:10.0.0.7/stream", "expected mjpeg:http://HOST/PATH"),
        ("mjpeg:rtsp://10.0.0.7/stream", "expected mjpeg:http://HOST/PATH"),
        ("mjpeg:http://10.0.0.7:99999/", "expected mjpeg:http://HOST/PATH"),
        ("mjpeg:http:///stream", "expected mjpeg:http://HOST/PATH"),
        ("mjpeg:http://cam/#fps=0", "found fps='0'"),
        ("mjpeg:http://cam/#stall=never", "found stall='never'"),
        ("mjpeg:http://cam/#user=a:b&password=secret", "found a colon in the option user"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_at_once(address: str, match: str) -> None:
    with pytest.raises(SourceError, match=match) as caught:
        open_camera(address, "p1")
    assert "secret" not in str(caught.value)
