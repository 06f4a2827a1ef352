"""IP cameras: real H.264 from a real RTSP server, and everything that such a server does wrong."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from ingest.cameras import stream
from ingest.cameras.jpeg import jpeg_flaw
from ingest.cameras.registry import open_camera
from ingest.errors import CameraUnreachable, SourceError
from ingest.records import NS_PER_S, Frame
from ingest.sources import Camera
from tests.peers.rtsp import FPS, HEIGHT, WIDTH, RtspServer, film, number_of, rtsp_server
from tests.waiting import wait_until

LIMIT_S = 30.0
USER, PASSWORD = "ann", "pa$s/w:r@d"
LOGIN = "ann:pa$s%2Fw%3Ar%40d"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of half a minute each: one key frame in all of it, one in every third of a second, slices."""
    folder = tmp_path_factory.mktemp("films")
    return [
        film(folder / "rare.mp4", frames=30 * FPS, keyframe_every=30 * FPS),
        film(folder / "often.mp4", frames=30 * FPS, keyframe_every=5),
        film(folder / "sliced.mp4", frames=30 * FPS, keyframe_every=5, slices="4"),
    ]


@pytest.fixture(scope="module")
def server(films: list[Path]) -> Iterator[RtspServer]:
    with rtsp_server(*films) as running:
        yield running


def url(server: RtspServer, rest: str, login: str = "") -> str:
    return f"rtsp://{login}127.0.0.1:{server.port}/{rest}"


async def first_frames(camera: Camera, count: int) -> list[Frame]:
    found: list[Frame] = []
    async with asyncio.timeout(LIMIT_S), aclosing(camera.frames()) as frames:
        async for frame in frames:
            found.append(frame)
            if len(found) == count:
                break
    return found


def read(address: str, count: int) -> tuple[list[Frame], Camera]:
    camera = open_camera(address, "p1")
    return asyncio.run(first_frames(camera, count)), camera


def refusal(address: str) -> str:
    """What the camera's error says; no trace of it may hold the password."""
    with pytest.raises(CameraUnreachable) as caught:
        read(address, 1)
    assert PASSWORD not in (told := "".join(traceback.format_exception(caught.value)))
    assert LOGIN not in told
    return str(caught.value)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_come_at_the_asked_rate_with_the_streams_own_times(server: RtspServer, transport: str) -> None:
    frames, camera = read(url(server, f"rare#fps=5&transport={transport}"), 6)
    numbers = [number_of(frame) for frame in frames]
    assert set(np.diff(numbers)) == {FPS // 5}
    seconds = np.array([frame.captured_ns for frame in frames]) / NS_PER_S
    assert np.diff(seconds) == pytest.approx(np.full(5, 0.2), abs=0.05)
    assert seconds[-1] == pytest.approx(time.time(), abs=1.0)
    assert {(frame.width, frame.height, frame.printer) for frame in frames} == {(WIDTH, HEIGHT, "p1")}
    assert camera.facts == {
        "transport": transport,
        "codec": "h264",
        "fps": "15",
        "size": "320x240",
        "decoder": "software, every frame",
    }
    assert not +camera.counts


def test_key_frames_alone_are_decoded_where_they_come_often_enough(server: RtspServer) -> None:
    frames, camera = read(url(server, "often#fps=3"), 7)
    assert {number_of(frame) % 5 for frame in frames[4:]} == {0}
    assert camera.facts["decoder"] == "software, key frames alone"
    assert np.diff([frame.captured_ns for frame in frames[4:]]) / 1e9 == pytest.approx(1 / 3, abs=0.05)


def test_a_user_may_choose_what_is_decoded(server: RtspServer) -> None:
    frames, camera = read(url(server, "often#fps=5&decode=keyframes"), 3)
    assert {number_of(frame) % 5 for frame in frames} == {0}
    frames, camera = read(url(server, "often#fps=15&decode=all"), 20)
    assert set(np.diff([number_of(frame) for frame in frames])) == {1}
    assert camera.facts["decoder"] == "software, every frame"


@pytest.mark.parametrize("decode", ["keyframes", "all"])
def test_pictures_that_come_in_parts_are_put_together(server: RtspServer, decode: str) -> None:
    frames, camera = read(url(server, f"sliced#fps=3&decode={decode}"), 4)
    assert set(np.diff([number_of(frame) for frame in frames])) == {5}
    assert not +camera.counts


def test_the_pictures_of_an_mjpeg_stream_go_out_as_they_are(server: RtspServer) -> None:
    frames, camera = read(url(server, "jpegs#fps=10"), 3)
    assert camera.facts["decoder"] == "none: its JPEGs go out as they come"
    assert [jpeg_flaw(frame.jpeg) for frame in frames] == [None] * 3


def test_hardware_that_is_not_here_is_told_and_software_used(server: RtspServer) -> None:
    _, camera = read(url(server, "rare#hwaccel=videotoolbox"), 1)
    found = camera.facts["decoder"]
    assert found == "software (found no videotoolbox that decodes h264), every frame"


@pytest.mark.parametrize("method", ["basic", "digest"])
def test_a_login_is_needed_and_never_told(films: list[Path], method: str) -> None:
    with rtsp_server(films[0], login=method, user=USER, password=PASSWORD) as server:
        assert "asks for a login (401)" in refusal(url(server, "rare"))
        assert "refuses the login (401)" in refusal(url(server, "rare", "ann:wrong@"))
        assert "no such path (404)" in refusal(url(server, "nothing", f"{LOGIN}@"))
        frames, camera = read(url(server, "rare", f"{LOGIN}@"), 1)
        assert frames[0].camera == url(server, "rare")
        assert LOGIN not in str(camera.facts)


def test_a_certificate_is_checked(films: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = certificate(tmp_path)
    with rtsp_server(films[0], certificate=str(both)) as server:
        secure = f"rtsps://localhost:{server.port}/rare"
        assert "a certificate that does not hold (self-signed certificate)" in refusal(secure)
        assert len(read(f"{secure}#insecure=yes", 1)[0]) == 1
        monkeypatch.setenv("SSL_CERT_FILE", str(both))
        assert len(read(secure, 1)[0]) == 1


def certificate(folder: Path) -> Path:
    """A key and a certificate for localhost, signed by itself, in one file."""
    parts = [folder / "key.pem", folder / "certificate.pem"]
    made = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    command = ["openssl", *made.split(), "-keyout", str(parts[0]), "-out", str(parts[1])]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text("".join(part.read_text() for part in parts))
    return both


def test_a_way_that_leads_nowhere_is_told(server: RtspServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        unused_port = closed_soon.getsockname()[1]
    assert "no such path (404)" in refusal(url(server, "nothing"))
    assert f"nobody at 127.0.0.1:{unused_port}" in refusal(f"rtsp://127.0.0.1:{unused_port}/a")
    assert "no machine named camera.invalid" in refusal("rtsp://camera.invalid/a")
    assert "found no TLS at port" in refusal(f"rtsps://127.0.0.1:{server.port}/rare")


def test_a_server_that_dies_is_told_and_read_anew_when_it_is_back(films: list[Path]) -> None:
    with rtsp_server(films[0]) as server:
        camera = open_camera(url(server, "rare#fps=15"), "p1")

        async def until_killed() -> None:
            async for _ in camera.frames():
                server.kill()

        with pytest.raises(CameraUnreachable, match=r"found (the end|that the connection broke)"):
            asyncio.run(until_killed())
    with rtsp_server(films[0], port=server.port):
        assert len(asyncio.run(first_frames(camera, 3))) == 3


def test_a_server_that_stalls_is_given_up_within_its_limit(films: list[Path]) -> None:
    with rtsp_server(films[0]) as server:
        camera = open_camera(url(server, "rare#stall=1"), "p1")
        frozen_s = 0.0

        async def until_lost() -> None:
            nonlocal frozen_s
            async for _ in camera.frames():
                server.freeze()
                frozen_s = time.monotonic()

        with pytest.raises(CameraUnreachable, match="found nothing new for 1 s"):
            asyncio.run(until_lost())
        assert 0.9 < time.monotonic() - frozen_s < 3.0


def test_leaving_while_the_stream_hangs_ends_its_thread(films: list[Path]) -> None:
    with rtsp_server(films[0]) as server:
        camera = open_camera(url(server, "rare#stall=2.5"), "p1")

        async def leave() -> float:
            frames = camera.frames()
            await anext(frames)
            server.freeze()
            began_s = time.monotonic()
            await frames.aclose()
            return time.monotonic() - began_s

        assert asyncio.run(leave()) < 2.5
        wait_until(lambda: url(server, "rare") not in {thread.name for thread in threading.enumerate()})


def test_a_picture_beyond_the_bounds_is_refused(server: RtspServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_PIXELS", 1000)
    assert "found 320 x 240 pixels, expected at most 1000" in refusal(url(server, "rare"))


def test_nothing_is_written_to_the_terminal(server: RtspServer, capfd: pytest.CaptureFixture[str]) -> None:
    refusal(url(server, "nothing"))
    read(url(server, "sliced"), 1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("rtsp:///stream", "found no host"),
        ("rtsp://10.0.0.7:99999/a", "found no host"),
        ("rtsp://10.0.0.7/a#transport=http", "found transport='http', expected one of: tcp, udp"),
        ("rtsps://10.0.0.7/a#transport=udp", "found transport=udp, expected tcp"),
        ("rtsp://10.0.0.7/a#decode=some", "found decode='some'"),
        ("http://10.0.0.7/a#fps=0", "found fps='0'"),
        ("http://10.0.0.7/a#transport=tcp", "found option 'transport'"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_before_anything_is_opened(
    address: str, found: str
) -> None:
    with pytest.raises(SourceError, match=found):
        open_camera(address, "p1")
