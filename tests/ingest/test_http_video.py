"""Video over HTTP: a live stream that never ends by itself, and what else a web server may answer."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import av
import cv2
import numpy as np
import pytest
from aiohttp import web

from ingest.cameras.registry import open_camera
from ingest.errors import CameraUnreachable
from ingest.records import NS_PER_S, Frame
from ingest.sources import Camera
from tests.ingest.web import Handler, serving, take
from tests.peers.rtsp import FPS, film, number_of

SECONDS = 8
SLICE_S = 0.05
LIMIT_S = 20.0
LAST = "/last"


@pytest.fixture(scope="module")
def transport_stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("films") / "film.ts"
    return film(path, frames=SECONDS * FPS, keyframe_every=5, container="mpegts").read_bytes()


def live(
    data: bytes, content_type: str = "video/mp2t", seconds: float = SECONDS, hang: bool = False
) -> Handler:
    """A camera that sends its data evenly in so many seconds; in the end it goes, or hangs."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        response.enable_chunked_encoding()
        await response.prepare(request)
        size = round(len(data) / seconds * SLICE_S)
        for at in range(0, len(data), size):
            await response.write(data[at : at + size])
            await asyncio.sleep(SLICE_S)
        if hang:
            await asyncio.Event().wait()
        return response

    return handle


def answer(body: bytes | str, content_type: str = "text/html", status: int = 200) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        data = body.encode() if isinstance(body, str) else body
        return web.Response(body=data, content_type=content_type, status=status)

    return handle


@contextlib.contextmanager
def served(handler: Handler) -> Iterator[str]:
    """A server in a loop of its own, which outlives the camera's: it sees every connection end."""
    urls: queue.SimpleQueue[str] = queue.SimpleQueue()
    left = threading.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response() if request.path == LAST else await handler(request)

    async def serve() -> None:
        async with serving(handle) as url:
            urls.put(url)
            await asyncio.to_thread(left.wait)
            # Connections are taken in their order: once this one is answered, none is left to be taken.
            async with aiohttp.ClientSession() as session, session.get(url + LAST):
                pass

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield urls.get(timeout=LIMIT_S)
    finally:
        left.set()
        thread.join()


def read(handler: Handler, count: int, options: str = "", login: str = "") -> tuple[list[Frame], Camera]:
    """So many frames of a camera, with the camera."""
    with served(handler) as url:
        camera = open_camera(f"{url.replace('//', f'//{login}')}/live{options}", "p1")
        return asyncio.run(take(camera, count, LIMIT_S)), camera


def test_a_live_transport_stream_gives_frames_at_the_asked_rate(transport_stream: bytes) -> None:
    frames, camera = read(live(transport_stream), 5, "#fps=3&decode=keyframes")
    assert set(np.diff([number_of(frame) for frame in frames])) == {5}
    seconds = np.diff([frame.captured_ns for frame in frames]) / NS_PER_S
    assert seconds == pytest.approx(np.full(4, 1 / 3), abs=0.15)
    assert camera.facts["decoder"] == "software, key frames alone"


def test_the_end_of_a_stream_is_told(transport_stream: bytes) -> None:
    with pytest.raises(CameraUnreachable, match="found the end of the stream, expected no end"):
        read(live(transport_stream[: len(transport_stream) // 4], seconds=SECONDS / 4), 100)


def test_a_stream_that_stalls_is_given_up(transport_stream: bytes) -> None:
    with pytest.raises(CameraUnreachable, match="found nothing new for 1 s"):
        read(
            live(transport_stream[: len(transport_stream) // 4], seconds=SECONDS / 4, hang=True),
            100,
            "#stall=1",
        )


def test_damage_in_a_stream_costs_pictures_and_no_more(transport_stream: bytes) -> None:
    damaged = bytearray(transport_stream)
    rng = np.random.default_rng(1)
    for at in rng.integers(len(damaged) // 8, len(damaged), len(damaged) // 2000):
        damaged[at] ^= 0xFF
    frames, camera = read(live(bytes(damaged)), 8, "#fps=5&decode=all")
    assert len(frames) == 8
    assert camera.counts["corrupt"] > 0


def test_a_multipart_stream_is_passed_through_untouched() -> None:
    pictures = [
        cv2.imencode(".jpg", np.full((48, 64, 3), shade, np.uint8))[1].tobytes() for shade in range(0, 240, 2)
    ]
    parts = (
        b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(p), p) for p in pictures
    )
    frames, camera = read(live(b"".join(parts), "multipart/x-mixed-replace; boundary=b"), 4, "#fps=5")
    numbers = [pictures.index(frame.jpeg) for frame in frames]
    assert np.diff(numbers) == pytest.approx(FPS / 5, abs=1)
    assert camera.facts["size"] == "64x48"


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        (answer("<p>no camera here</p>"), "found no video that FFmpeg can read"),
        (answer("", status=404), r"found no such path \(404\)"),
        (answer("", status=403), r"lets nobody see this \(403\)"),
        (answer("", status=503), r"fails by itself \(5xx\)"),
        (answer(b"\0" * 100_000, "video/mp4"), "found no video that FFmpeg can read"),
        (answer("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "application/x-mpegurl"), "found no video"),
    ],
)
def test_what_is_no_video_is_told(handler: Handler, found: str) -> None:
    with pytest.raises(CameraUnreachable, match=found):
        read(handler, 1)


def test_a_sound_without_a_picture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        sound.sample_rate = 8000
        file.mux(stream.encode(sound))
    with pytest.raises(CameraUnreachable, match="found no video in it"):
        read(answer(path.read_bytes(), "audio/wav"), 1)


def test_a_codec_that_nobody_knows_is_told(tmp_path: Path) -> None:
    data = film(tmp_path / "film.mp4", frames=5).read_bytes()
    with pytest.raises(CameraUnreachable, match="found a video that FFmpeg cannot decode, expected"):
        read(answer(data.replace(b"avc1", b"zzzz"), "video/mp4"), 1)


def test_a_login_goes_to_the_server_and_into_no_message(transport_stream: bytes) -> None:
    right = "Basic " + b64encode(b"ann:p@ss").decode()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != right:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="camera"'})
        return await live(transport_stream)(request)

    frames, _ = read(handle, 1, login="ann:p%40ss@")
    assert "ann" not in frames[0].camera
    with pytest.raises(CameraUnreachable, match="refuses the login") as caught:
        read(handle, 1, login="ann:wr0ng@")
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("asked", [401, 200])
def test_a_login_goes_to_no_other_machine(transport_stream: bytes, asked: int) -> None:
    heard: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        heard.append(request.headers.get("Authorization"))
        if asked == web.HTTPUnauthorized.status_code:
            return web.Response(status=asked, headers={"WWW-Authenticate": 'Basic realm="other"'})
        return await live(transport_stream)(request)

    with served(elsewhere) as other:

        async def handle(request: web.Request) -> web.StreamResponse:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="camera"'})
            return web.Response(status=302, headers={"Location": other.replace("127.0.0.1", "localhost")})

        with contextlib.suppress(CameraUnreachable):
            read(handle, 1, login="ann:p%40ss@")
    assert heard
    assert set(heard) == {None}
