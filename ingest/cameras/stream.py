"""Cameras that stream video: ``rtsp://``, ``rtsps://``, ``http://`` and ``https://`` addresses."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import quote

import av
from av.container import InputContainer

from ingest.cameras.decoding.live_video import LiveVideo
from ingest.cameras.decoding.packets import STALL_OPTION, Stalled
from ingest.cameras.decoding.sampler import SAMPLING_OPTIONS
from ingest.cameras.decoding.trouble import TLS_KINDS, host_of, is_checked, why_not_opened
from ingest.cameras.jpeg import MAX_PIXELS
from ingest.errors import CameraUnreachable, SourceError
from ingest.http import HTTP_OPTIONS, USER_AGENT
from ingest.records import Frame
from ingest.sources import Address, option_choice

OPEN_S = 10.0
"""How long a camera may take to begin its stream, in s: FFmpeg itself looks into one for up to 5 s."""
RATE_FRAMES = "5"
"""How many frames FFmpeg looks at for their rate before it hands any out; its own 20 take 2 s and more."""
TRANSPORTS = ("tcp", "udp")


class HttpVideo(LiveVideo):
    """A video stream that FFmpeg can read: ``http://HOST/PATH#fps=1`` (MPEG-TS, HLS, fragmented MP4, …).

    Pictures are sampled at ``fps`` and become JPEG once; those of an MJPEG stream go out untouched. Their
    times are the stream's own stamps, laid on our clock by when they arrive. ``counts``: ``corrupt``,
    ``too_large``, and ``overtaken``: the reader was slower than the camera.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {
        **SAMPLING_OPTIONS,
        **STALL_OPTION,
        **HTTP_OPTIONS,
    }
    protocols: ClassVar[str] = "http,https,httpproxy,tls,tcp,crypto,data"
    """What a stream may lead FFmpeg to: a playlist must not open files of this machine."""

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        host_of(address)

    def read(self, stopped: threading.Event) -> Iterator[Frame]:
        """As ``LiveVideo.read``."""
        with self._opened() as container:
            try:
                yield from self.sampled(container, self._video(container), stopped)
            except (Stalled, av.FFmpegError) as error:
                raise self._lost(error) from None
        if not stopped.is_set():
            raise self._lost(None)

    def _opened(self) -> InputContainer:
        try:
            return av.open(self._url(), options=self._demuxing(), timeout=(OPEN_S, self._stall_s))
        except av.FFmpegError as error:
            # "from None": its text holds the URL, and that the password.
            raise self._unreachable(why_not_opened(error, self._address)) from None

    def _url(self) -> str:
        """The URL as FFmpeg wants it, with the login inside."""
        user, password = (
            quote(self._address.options.get(name, ""), safe="") for name in ("user", "password")
        )
        login = f"{user}:{password}@" if user or password else ""
        return f"{self._address.kind}://{login}{self._address.where.removeprefix('//')}"

    def _demuxing(self) -> dict[str, str]:
        options = {
            "user_agent": USER_AGENT,
            "protocol_whitelist": self.protocols,
            "fpsprobesize": RATE_FRAMES,
        }
        if self._address.kind in TLS_KINDS and is_checked(self._address):
            options["tls_verify"] = "1"
            if authorities := ssl.get_default_verify_paths().cafile:
                options["ca_file"] = authorities
        return options

    def _video(self, container: InputContainer) -> av.VideoStream:
        video = next(iter(container.streams.video), None)
        if video is None:
            raise self._unreachable("found no video in it, expected one: check the path")
        context = video.codec_context
        if context is None:
            raise self._unreachable(
                "found a video that FFmpeg cannot decode, expected H.264: choose it in the camera's settings"
            )
        if context.width * context.height > MAX_PIXELS:
            raise self._unreachable(
                f"found {context.width} x {context.height} pixels, expected at most {MAX_PIXELS}: choose a "
                "smaller picture in the camera's settings"
            )
        return video

    def _lost(self, error: Exception | None) -> SourceError:
        """What ended a stream that was being read; None: the camera itself."""
        if isinstance(error, Stalled):
            found = f"found nothing new for {self._stall_s:g} s, expected pictures"
            return self._unreachable(f"{found}: the camera hangs, or its network does; restart it")
        found = "the end of the stream" if error is None else "that the connection broke"
        return self._unreachable(f"found {found}, expected no end: is the camera restarting?")

    def _unreachable(self, why: str) -> CameraUnreachable:
        return CameraUnreachable(f"{self._address}: {why}")


class RtspCamera(HttpVideo):
    """An IP camera: ``rtsp://USER:PASSWORD@HOST/PATH#fps=1`` or ``rtsps://``. See HttpVideo."""

    options: ClassVar[Mapping[str, str]] = {
        **HttpVideo.options,
        "transport": "tcp (default), or udp where the camera speaks nothing else",
    }
    protocols: ClassVar[str] = "rtp,srtp,udp,tcp,tls"

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self.facts["transport"] = self._transport = option_choice(address, "transport", TRANSPORTS)
        if self._transport == "udp" and address.kind in TLS_KINDS:
            raise SourceError(f"{address}: found transport=udp, expected tcp: TLS goes over TCP alone")

    def _demuxing(self) -> dict[str, str]:
        # Sound is not even asked for.
        wanted = {"rtsp_transport": self._transport, "allowed_media_types": "video"}
        return {**super()._demuxing(), **wanted}
