"""The snapshot camera against real servers."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from ingest.cameras.jpeg import MAX_BYTES, jpeg_size
from ingest.cameras.registry import open_camera
from ingest.cameras.snapshot import SnapshotCamera
from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable, SourceError
from ingest.records import NS_PER_S
from tests.ingest.web import Handler, jpeg, png, serving, take

A, B = jpeg(20), jpeg(120, 80, 64)


def camera(url: str, every: float = 0.05, **options: str) -> SnapshotCamera:
    fragment = "&".join(f"{name}={value}" for name, value in {"every": every, **options}.items())
    found = open_camera(f"snapshot:{url}/snapshot.jpg?size=1#{fragment}", "p1")
    assert isinstance(found, SnapshotCamera)
    return found


def answering(*bodies: bytes, content_type: str = "image/jpeg") -> Handler:
    """A server that gives these bodies one after the other, the last one again and again."""
    left = list(bodies)

    async def handler(request: web.Request) -> web.Response:
        assert request.path_qs == "/snapshot.jpg?size=1"
        return web.Response(body=left.pop(0) if len(left) > 1 else left[0], content_type=content_type)

    return handler


def lost(handler: Handler, match: str, count: int = 1) -> SnapshotCamera:
    async def run() -> SnapshotCamera:
        async with serving(handler) as url:
            source = camera(url)
            with pytest.raises(CameraUnreachable, match=match):
                await take(source, count)
            return source

    return asyncio.run(run())


def test_pictures_come_untouched_even_where_they_are_the_same() -> None:
    async def run() -> None:
        async with serving(answering(A, B)) as url:
            source = camera(url)
            frames = await take(source, 4)
        assert [frame.jpeg for frame in frames] == [A, B, B, B]
        assert (frames[1].width, frames[1].height, frames[1].printer) == (80, 64, "p1")
        assert frames[0].camera == f"snapshot:{url}/snapshot.jpg"
        assert int(source.facts["latency_ms"]) < 5_000
        assert not source.counts

    asyncio.run(run())


def test_a_picture_is_as_old_as_the_middle_between_request_and_answer() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        await response.prepare(request)
        await asyncio.sleep(0.2)
        await response.write(A)
        return response

    async def run() -> None:
        clock = AnchoredClock()
        async with serving(slow) as url:
            before_ns = clock.now_ns()
            source = camera(url)
            (frame,) = await take(source, 1)
        assert frame.captured_ns - before_ns == pytest.approx(0.1 * NS_PER_S, abs=0.05 * NS_PER_S)
        assert int(source.facts["latency_ms"]) >= 390

    asyncio.run(run())


@pytest.mark.parametrize(
    ("tell", "ask", "first", "second"),
    [
        ("ETag", "If-None-Match", '"1"', '"2"'),
        (
            "Last-Modified",
            "If-Modified-Since",
            "Mon, 01 Jan 2024 10:00:00 GMT",
            "Mon, 01 Jan 2024 10:00:02 GMT",
        ),
    ],
)
def test_an_unchanged_picture_is_counted_and_not_sent_again(
    tell: str, ask: str, first: str, second: str
) -> None:
    known: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        known.append(request.headers.get(ask))
        now, body = (first, A) if len(known) < 4 else (second, B)
        if known[-1] == now:
            return web.Response(status=304)
        return web.Response(body=body, content_type="image/jpeg", headers={tell: now})

    async def run() -> None:
        async with serving(handler) as url:
            source = camera(url)
            assert [frame.jpeg for frame in await take(source, 2)] == [A, B]
        assert known == [None, first, first, first]
        assert source.counts == {"unchanged": 2}

    asyncio.run(run())


def test_requests_do_not_pile_up_and_use_one_connection() -> None:
    under_way = most = 0
    connections = set()

    async def slow(request: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        connections.add(request.transport)
        await asyncio.sleep(0.1)
        under_way -= 1
        return web.Response(body=A, content_type="image/jpeg")

    async def run() -> list[int]:
        async with serving(slow) as url:
            return [frame.captured_ns for frame in await take(camera(url), 4)]

    times = asyncio.run(run())
    assert (most, len(connections)) == (1, 1)
    assert times == sorted(times)


def test_other_formats_become_jpeg() -> None:
    async def run() -> None:
        async with serving(answering(png(50, 30), content_type="image/png")) as url:
            (frame,) = await take(camera(url), 1)
        assert jpeg_size(frame.jpeg) == (frame.width, frame.height) == (50, 30)

    asyncio.run(run())


def test_pictures_that_cannot_be_used_are_counted_and_asked_for_anew() -> None:
    tags: list[str | None] = []
    bodies = [A[:-40], A + bytes(MAX_BYTES), b"", B]

    async def handler(request: web.Request) -> web.Response:
        tags.append(request.headers.get("If-None-Match"))
        return web.Response(body=bodies[len(tags) - 1], content_type="image/jpeg", headers={"ETag": '"1"'})

    async def run() -> None:
        async with serving(handler) as url:
            source = camera(url)
            (frame,) = await take(source, 1)
        assert frame.jpeg == B
        assert tags == [None] * 4
        assert source.counts == {"corrupt": 2, "too_large": 1}

    asyncio.run(run())


def test_what_is_no_picture_is_told_with_what_to_do() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=x"})
        await response.prepare(request)
        await asyncio.sleep(60)
        return response

    async def missing(request: web.Request) -> web.Response:
        raise web.HTTPNotFound

    lost(endless, "found multipart/x-mixed-replace, expected a picture: .* write mjpeg:")
    lost(answering(b"<html>", content_type="text/html"), "found text/html, expected a picture: open")
    lost(missing, "found the answer 404 Not Found, expected a page")


def test_an_answer_that_breaks_off_is_told() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(A))})
        await response.prepare(request)
        await response.write(A[:100])
        assert request.transport is not None
        request.transport.close()
        return response

    lost(broken, "found that the connection broke")


def test_a_server_that_restarts_is_read_anew() -> None:
    async def run() -> None:
        broken = False

        async def handler(request: web.Request) -> web.Response:
            if broken:
                raise web.HTTPServiceUnavailable
            return web.Response(body=A, content_type="image/jpeg", headers={"ETag": '"1"'})

        async with serving(handler) as url:
            source = camera(url)
            assert len(await take(source, 1)) == 1
            broken = True
            with pytest.raises(CameraUnreachable, match="503 Service Unavailable"):
                await take(source, 1)
            broken = False
            assert [frame.jpeg for frame in await take(source, 1)] == [A]

    asyncio.run(run())


def test_options_that_make_no_sense_are_refused_at_once() -> None:
    with pytest.raises(SourceError, match="found every='0'"):
        open_camera("snapshot:http://cam/#every=0", "p1")
    with pytest.raises(SourceError, match="expected snapshot:http://HOST/PATH"):
        open_camera("snapshot:cam.jpg", "p1")
