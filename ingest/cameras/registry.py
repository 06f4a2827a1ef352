"""The kinds of cameras by the names that addresses begin with."""

from __future__ import annotations

from pathlib import Path

from ingest.cameras.folder import WatchedFolder
from ingest.cameras.images import ImageFolder
from ingest.cameras.mjpeg import MjpegCamera
from ingest.cameras.recording import RecordedCamera
from ingest.cameras.snapshot import SnapshotCamera
from ingest.cameras.stream import HttpVideo, RtspCamera
from ingest.cameras.v4l2 import V4l2Camera
from ingest.cameras.video import VideoFile
from ingest.simulate.camera import SimulatedCamera
from ingest.sources import Camera, parse_address

CAMERAS: dict[str, type[Camera]] = {
    "mjpeg": MjpegCamera,
    "snapshot": SnapshotCamera,
    "folder": WatchedFolder,
    "rtsp": RtspCamera,
    "rtsps": RtspCamera,
    "http": HttpVideo,
    "https": HttpVideo,
    "v4l2": V4l2Camera,
    "images": ImageFolder,
    "video": VideoFile,
    "recording": RecordedCamera,
    "simulated": SimulatedCamera,
}


def open_camera(text: str, printer: str, base: Path = Path()) -> Camera:
    """The camera that an address names. Raises SourceError for an address that makes no sense."""
    address = parse_address(text, CAMERAS, base)
    return CAMERAS[address.kind](address, printer)
