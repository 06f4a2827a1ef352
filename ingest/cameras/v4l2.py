"""A camera at this machine's USB: ``v4l2:/dev/video0?size=1280x720&fps=1``, and which ones there are."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import av
from av.container import InputContainer

from ingest.cameras.decoding.live_video import LiveVideo
from ingest.cameras.decoding.packets import STALL_OPTION, Stalled
from ingest.cameras.decoding.sampler import FPS_OPTION
from ingest.cameras.images import natural_key
from ingest.errors import CameraUnreachable, SourceError
from ingest.records import Frame
from ingest.sources import Address, option_choice

LOOK_S = 0.3
"""How long FFmpeg may look for a first picture when it opens a camera, in s: it asks without a pause, and
needs none of what it would learn."""
DEMUXER = "video4linux2"
SLOWEST_FPS = 5.0
"""What a camera is asked for at least: few are slower, and long exposures blur what moves."""
FORMATS = ("auto", "mjpeg", "yuyv")
_ASKED: Mapping[str, tuple[dict[str, str], ...]] = {
    "mjpeg": ({"input_format": "mjpeg"},),
    "yuyv": ({"pixel_format": "yuyv422"},),
    "auto": ({"input_format": "mjpeg"}, {}),
}
"""What is asked for, one after the other; without a format FFmpeg takes the camera's first."""
_NONBLOCK = "+4"
"""AVFMT_FLAG_NONBLOCK, which has no name among the values of fflags: a device is opened with O_NONBLOCK."""
_SIZE = re.compile(r"[1-9]\d{1,4}x[1-9]\d{1,4}")

_REFUSALS: Mapping[int, str] = {
    errno.ENOENT: "found no such device, expected a camera's: cameras here are {here}",
    errno.ENODEV: "found no camera behind this device, expected one: check its cable",
    errno.ENOTTY: "found something that is no camera, expected one: cameras here are {here}",
    errno.EISDIR: "found a folder, expected a camera: cameras here are {here}",
    errno.EACCES: "found no permission to read it, expected it: add this user to the group video "
    "(sudo usermod -aG video $USER) and log in anew",
    errno.EBUSY: "found it in use by another program, expected it free: close that program, or watch the "
    "camera through it (mjpeg: or snapshot:)",
}
"""What each refusal of the system means; asking for another format would not help."""
_NO_PICTURES = (
    "found a device that gives no pictures (format={format}), expected some: choose another format or size; "
    "v4l2-ctl --list-formats-ext shows what it has"
)

SYSFS = Path("/sys/class/video4linux")
BY_ID = Path("/dev/v4l/by-id")


class V4l2Camera(LiveVideo):
    """A camera of Video for Linux. Its JPEGs go out untouched; other formats become JPEG once.

    ``counts``: ``corrupt``, ``too_large``, and ``overtaken``: the reader was slower than the camera.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {
        "size": "WIDTHxHEIGHT of the picture; a camera without it takes the nearest it has",
        **FPS_OPTION,
        **STALL_OPTION,
        "format": "auto (default): the camera's own JPEGs where it makes some; mjpeg; yuyv",
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = Path(address.where)
        self._sampling = self._sampling._replace(decode="keyframes")  # each picture stands alone
        self._format = option_choice(address, "format", FORMATS)
        self._size = address.options.get("size")
        if self._size is not None and not _SIZE.fullmatch(self._size):
            raise SourceError(f"{address}: found size={self._size!r}, expected for instance 1280x720")

    def read(self, stopped: threading.Event) -> Iterator[Frame]:
        """As ``LiveVideo.read``."""
        with self._opened() as container:
            try:
                yield from self.sampled(container, container.streams.video[0], stopped)
            except Stalled:
                raise self._unreachable(
                    f"found nothing new for {self._stall_s:g} s, expected pictures: unplug the camera and "
                    "plug it in again, at another hub where several share one"
                ) from None
            except av.FFmpegError:
                pass  # what an unplugged camera gives; told below
        if not stopped.is_set():
            raise self._unreachable("found that the camera vanished, expected it to stay: check its cable")

    def _opened(self) -> InputContainer:
        refused: av.FFmpegError | None = None
        for asked in _ASKED[self._format]:
            try:
                return self._open(asked)
            except av.FFmpegError as error:
                refused = error
                if error.errno in _REFUSALS:
                    break
        assert refused is not None  # noqa: S101 - something is always asked for
        raise self._unreachable(self._refusal(refused)) from refused

    def _open(self, asked: dict[str, str]) -> InputContainer:
        options = {**asked, "framerate": f"{max(self._sampling.fps, SLOWEST_FPS):g}", "fflags": _NONBLOCK}
        if self._size is not None:
            options["video_size"] = self._size
        # Devices know no read limit: they do not block, and video_packets keeps the time.
        return av.open(str(self._path), format=DEMUXER, options=options, timeout=(LOOK_S, None))

    def _refusal(self, error: av.FFmpegError) -> str:
        text = _REFUSALS.get(error.errno or 0, _NO_PICTURES)
        here = ", ".join(str(device.path) for device in list_devices()) or "none, check the cable"
        return text.format(here=here, format=self._format)

    def _unreachable(self, why: str) -> CameraUnreachable:
        return CameraUnreachable(f"{self._address}: {why}")


class VideoDevice(NamedTuple):
    """A camera at this machine. ``by_id`` stays the same wherever it is plugged in; None: it has none."""

    name: str
    path: Path
    by_id: Path | None


def list_devices(sysfs: Path = SYSFS, by_id: Path = BY_ID) -> list[VideoDevice]:
    """The cameras that the kernel knows, in the order of their numbers, without their metadata devices."""
    links = {link.resolve().name: link for link in sorted(by_id.glob("*"))} if by_id.is_dir() else {}
    nodes = sorted(sysfs.glob("video[0-9]*"), key=lambda node: natural_key(node.name))
    return [
        VideoDevice(_attribute(node, "name") or node.name, Path("/dev") / node.name, links.get(node.name))
        for node in nodes
        if _attribute(node, "index") in {"0", ""}
    ]


def _attribute(node: Path, name: str) -> str:
    """What the kernel says of a device; "" where it says nothing."""
    try:
        return (node / name).read_text(errors="replace").strip()
    except OSError:
        return ""
