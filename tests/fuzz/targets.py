"""What is fuzzed: each takes any bytes, and may raise nothing but an error of our own where it says so."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from trimesh import Trimesh

from features.mesh import SUFFIXES, MeshError, load_mesh
from features.voxels import voxelize
from ingest.cameras.multipart import PartSplitter
from ingest.errors import SourceError
from ingest.recordings.format import About
from ingest.recordings.reader import Recording
from ingest.recordings.writer import RecordingWriter
from ingest.records import Event, EventKind, Frame, Reading, SerialLine
from ingest.telemetry.gcode.interpreter import GCode
from ingest.telemetry.items import to_items
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.marlin import decode, parse, parse_sent

LENGTH_BYTES = 2
VOXELS = 8


class Target(NamedTuple):
    """A function to be fuzzed, and inputs to begin with."""

    work: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def marlin(data: bytes) -> None:
    """Received and sent lines, cut out of a stream."""
    cutter = LineCutter()
    for raw in [*cutter.feed(data), *cutter.rest()]:
        line = decode(raw)
        parse_sent(line)
        list(to_items(parse(line), "p", 0))


def gcode(data: bytes) -> None:
    """Whole programs."""
    interpreter = GCode()
    for line in decode(data).splitlines():
        interpreter.take(line)


def mjpeg(data: bytes) -> None:
    """A stream in slices, whose lengths stand in the data; however it is sliced the parts are the same."""
    whole, sliced = PartSplitter(), PartSplitter()
    body = data[LENGTH_BYTES:]
    step = 1 + int.from_bytes(data[:LENGTH_BYTES])
    slices = [body[at : at + step] for at in range(0, len(body), step)]
    parts = [part for piece in slices for part in sliced.feed(piece)]
    if parts != whole.feed(body):
        raise AssertionError(f"other parts in slices of {step} bytes")


def recording(data: bytes) -> None:
    """A file that is read as a recording: what is none is refused in words."""
    with tempfile.NamedTemporaryFile(suffix=".mcap") as file:
        file.write(data)
        file.flush()
        try:
            opened = Recording(Path(file.name))
            for _ in opened.read([*opened.cameras, *opened.telemetry], "p"):
                pass
        except SourceError:
            pass


def mesh(data: bytes) -> None:
    """A file of triangles, of the format that its first byte says; what is none is refused in words.

    One more is 3MF as the XML alone: in an archive, whose checksums catch what is changed, it is not reached.
    """
    number = data[0] % (len(SUFFIXES) + 1) if data else 0
    suffix, content = (
        (".3mf", _archive(data[1:])) if number == len(SUFFIXES) else (SUFFIXES[number], data[1:])
    )
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(content)
        file.flush()
        try:
            read = load_mesh(Path(file.name), unit="mm", closed=False).mesh
            filled = voxelize(read, VOXELS).occupied
        except MeshError:
            return
    if not np.isfinite(read.vertices).all() or filled[[0, -1]].any() or filled[:, [0, -1]].any():
        raise AssertionError("voxels beyond the mesh")


def _archive(model: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("3D/3dmodel.model", model)
    return held.getvalue()


def _lines() -> list[bytes]:
    return [
        b"ok T:178.77 /195.00 B:48.65 /45.00 @:127 B@:0\n",
        b" T:210.0 /210.0 T0:210.0 /210.0 T1:25.0 /0.0 @:60 @0:60 @1:0 W:?\n",
        b"X:0.00 Y:0.00 Z:5.00 E:0.00 Count X:0\nX:1.00 Y:2.00 Z:5.00 E:0.00 Count A:0 B:1 Z:2\n",
        b"Error:checksum mismatch, Last Line: 41\nResend: 42\nok\necho:busy: paused for user\n",
        b"Error:Thermal Runaway, system stopped! Heater_ID: E0\n//action:paused filament_runout 0\nwait\n",
        b"N12 G1 X10.5 Y-3 E0.4 F1800*97\nM104 S210\nok N12 P15 B3\n",
    ]


def _programs() -> list[bytes]:
    return [
        b"G21\nG90\nM82\nG28\nM104 S210\nG1 X10 Y10 Z0.2 F3000\nG1 X60 E4.2 F1500\nG92 E0\n;LAYER:1\n",
        b"G91\nG2 X10 I5 J0 E1\nG3 X-10 R5.1\nM83\nG10\nG11\n;TYPE:WALL-OUTER\nM220 S50\nM221 S95\nG4 P500\n",
        b"G20\nG1X1Y1E.1\nM600\n(comment) g1 x2 ;x\nT1\nM73 P50\nG1 X1e9 E-nan\n",
    ]


def _streams() -> list[bytes]:
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02scan\xff\x00\xff\xd9"
    part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
    return [
        b"\x00\x10" + 2 * part,
        b"\x00\x03" + 3 * jpeg,
        b"\x01\x00--b\nContent-Type: image/jpeg\n\n" + jpeg,
    ]


def _recordings() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.mcap"
        writer = RecordingWriter(path, About(printer="p"))
        for item in (
            Frame(printer="p", camera="c", captured_ns=10, jpeg=_streams()[1][2:], width=1, height=1),
            Reading(printer="p", at_ns=11, channel="hotend_c", value=210.5),
            Event(printer="p", at_ns=12, kind=EventKind.PAUSED, text="//action:paused"),
            SerialLine(printer="p", at_ns=13, text="ok", sent=False),
        ):
            writer.add(item, 20)
        writer.write()
        cut = path.read_bytes()
        writer.finish()
        return [path.read_bytes(), cut]


@cache
def _meshes() -> list[bytes]:
    """A tetrahedron in every format, and as a polygon or text where there is another way.

    Made once: an archive bears the time, and whoever mutates seeds wants the same ones again.
    """
    points = [(0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10)]
    faces = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    body = Trimesh(points, faces, process=False)
    files = [(".stl", body.export(file_type="stl")), (".stl", body.export(file_type="stl_ascii").encode())]
    files += [(".obj", body.export(file_type="obj").encode())]
    files += [(".obj", b"v 0 0 0\nv 1 0 0 1\nv 0 1 0\\\n\nf 1/2/3 2//4 3/5\nf 1 2 3 2 -1\n")]
    files += [(".3mf", packed := body.export(file_type="3mf"))]
    files += [
        (".ply", body.export(file_type="ply")),
        (".ply", body.export(file_type="ply", encoding="ascii")),
    ]
    seeds = [bytes([SUFFIXES.index(suffix)]) + data for suffix, data in files]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return [*seeds, bytes([len(SUFFIXES)]) + archive.read("3D/3dmodel.model")]


TARGETS: Mapping[str, Target] = {
    "marlin": Target(marlin, _lines),
    "gcode": Target(gcode, _programs),
    "mjpeg": Target(mjpeg, _streams),
    "recording": Target(recording, _recordings),
    "mesh": Target(mesh, _meshes),
}
