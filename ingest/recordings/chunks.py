"""The chunks of an MCAP file, found and read whatever has happened to it: cut off, damaged, made to harm.

Where the index at the file's end is whole, chunks are found by it; else by stepping from record to record up
to where the file was cut off. Every chunk bears a checksum, and one that fails it is left out alone.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import lz4.frame  # type: ignore[import-untyped]
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, ChunkIndex, McapRecord, Message, Metadata, MetadataIndex, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import MCAP0_MAGIC

from ingest.errors import SourceError, SourceNotFound

log = logging.getLogger(__name__)

MAX_CHUNK_BYTES = 64 << 20
"""Largest chunk that is read, packed and unpacked; ours hold 1 MiB and at most one picture more."""
MAX_INDEX_BYTES = 256 << 20
"""Largest index that is read: a chunk takes up to 0.5 kB there, so this is more than a week of recording."""
MAX_METADATA_BYTES = 1 << 20

_HEAD = struct.Struct("<BQ")  # every record: opcode, bytes that follow
_FOOTER = struct.Struct("<BQQQI")  # opcode, 20, where the index begins, where its offsets begin, its checksum
_CRC_BYTES = 4
_WRONG = (
    McapError,
    ValueError,  # also checksums and text that is no UTF-8
    OverflowError,
    RuntimeError,  # LZ4
    struct.error,
    zstandard.ZstdError,
)
"""What the libraries raise for bytes that are not what they should be."""


class Place(NamedTuple):
    """Where a chunk is, and the time of its first message, ns. Places sort by time, then as in the file."""

    begin_ns: int
    offset: int
    length: int


class McapFile:
    """The chunks of one file with what it says of its topics. Read by one thread at a time.

    ``counts``: ``damaged_chunks``, ``damaged_metadata``, and ``torn`` where the file ends amid a record.
    """

    def __init__(self, path: Path, counts: Counter[str]) -> None:
        """Find the chunks. Raises SourceNotFound for no file, SourceError for one that is no MCAP."""
        self.channels: dict[int, Channel] = {}
        self.schemas: dict[int, Schema] = {}
        self.metadata: list[Metadata] = []
        self.places: list[Place] = []
        self.unchunked = 0  # messages outside of chunks, which nothing protects
        self._path, self._counts = path, counts
        with self.opened() as file, self._disk_errors():
            self._find(file)
        self.places.sort()

    def opened(self) -> IO[bytes]:
        """The file, for ``read``. Raises SourceNotFound."""
        try:
            return self._path.open("rb")
        except OSError as error:
            raise SourceNotFound(
                f"{self._path}: found {error.strerror}, expected a recording (MCAP): check the path"
            ) from error

    def read(self, file: IO[bytes], place: Place) -> list[Message]:
        """The messages of a chunk in the order of the file; none where it is damaged, which is counted."""
        with self._disk_errors():
            records = self._chunk(file, place.offset, place.length)
        return [record for record in records or () if isinstance(record, Message)]

    def _find(self, file: IO[bytes]) -> None:
        size = file.seek(0, 2)
        if _bytes_at(file, 0, len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise SourceError(f"{self._path}: found a file that is no MCAP, expected a recording (MCAP)")
        index = _index(file, size)
        if index is None or not self._follow(file, index):
            self.places.clear()
            self._step_through(file, size)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"{self._path}: found {error.strerror}, expected a file to read: check the disk"
            ) from error

    def _follow(self, file: IO[bytes], index: list[McapRecord]) -> bool:
        """Take the chunks from the index; False where it names none, or no topics."""
        for record in index:
            match record:
                case ChunkIndex():
                    at = record.chunk_start_offset
                    self.places.append(Place(record.message_start_time, at, record.chunk_length))
                case MetadataIndex() if record.length <= MAX_METADATA_BYTES:
                    self._note(_bytes_at(file, record.offset, record.length))
                case _:
                    self._learn(record)
        return bool(self.places and self.channels)

    def _step_through(self, file: IO[bytes], size: int) -> None:
        """Go from record to record to the end of what is whole."""
        offset = len(MCAP0_MAGIC)
        while offset + _HEAD.size <= size:
            opcode, content = _HEAD.unpack(_bytes_at(file, offset, _HEAD.size))
            length = _HEAD.size + content
            if opcode == Opcode.DATA_END:
                return
            if opcode == 0 or offset + length > size:
                break
            self._look_at(file, opcode, offset, length)
            offset += length
        log.info("%s: was cut off; it is whole up to byte %d of %d", self._path, offset, size)
        if offset < size:
            self._counts["torn"] += 1

    def _look_at(self, file: IO[bytes], opcode: int, offset: int, length: int) -> None:
        if opcode == Opcode.CHUNK:
            self._examine(file, offset, length)
        elif opcode == Opcode.METADATA and length <= MAX_METADATA_BYTES:
            self._note(_bytes_at(file, offset, length))
        elif opcode == Opcode.MESSAGE:
            self.unchunked += 1

    def _examine(self, file: IO[bytes], offset: int, length: int) -> None:
        """Read a chunk for its topics and its first message's true time; then let it go."""
        records = self._chunk(file, offset, length)
        if records is not None:
            for record in records:
                self._learn(record)
            begin_ns = min((r.log_time for r in records if isinstance(r, Message)), default=0)
            self.places.append(Place(begin_ns, offset, length))

    def _learn(self, record: McapRecord) -> None:
        if isinstance(record, Schema):
            self.schemas[record.id] = record
        elif isinstance(record, Channel):
            self.channels[record.id] = record

    def _note(self, data: bytes) -> None:
        try:
            self.metadata.append(Metadata.read(ReadDataStream(BytesIO(data[_HEAD.size :]))))
        except _WRONG:
            self._counts["damaged_metadata"] += 1

    def _chunk(self, file: IO[bytes], offset: int, length: int) -> list[McapRecord] | None:
        """All records of a chunk, None for a damaged one."""
        if length <= MAX_CHUNK_BYTES:
            data = _bytes_at(file, offset, length)
            try:
                return _unpacked(data)
            except _WRONG as error:
                found = str(error)
        else:
            found = f"{length} bytes, more than {MAX_CHUNK_BYTES}"
        self._counts["damaged_chunks"] += 1
        log.info("%s: left out the chunk at byte %d: found %s", self._path, offset, found)
        return None


def _index(file: IO[bytes], size: int) -> list[McapRecord] | None:
    """The records of the index at the file's end; None where it is missing or damaged."""
    end = size - len(MCAP0_MAGIC)
    footer = _bytes_at(file, end - _FOOTER.size, _FOOTER.size) if end > _FOOTER.size else b""
    if len(footer) != _FOOTER.size or footer[0] != Opcode.FOOTER:
        return None
    begin, crc = _FOOTER.unpack(footer)[2], _FOOTER.unpack(footer)[4]
    if not len(MCAP0_MAGIC) <= begin < end <= begin + MAX_INDEX_BYTES:
        return None
    data = _bytes_at(file, begin, size - begin)
    if crc and zlib.crc32(data[: -len(MCAP0_MAGIC) - _CRC_BYTES]) != crc:
        return None
    try:
        # No chunk belongs here: one that stands here all the same is not unpacked.
        return list(StreamReader(BytesIO(data), skip_magic=True, emit_chunks=True).records)
    except _WRONG:
        return None


def _unpacked(data: bytes) -> list[McapRecord]:
    """The records of a chunk. Raises one of ``_WRONG``."""
    if data[:1] != bytes([Opcode.CHUNK]):
        raise ValueError("no chunk where one should be")
    chunk = Chunk.read(ReadDataStream(BytesIO(data[_HEAD.size :])))
    plain = _plain(chunk)
    if len(plain) != chunk.uncompressed_size:
        raise ValueError(f"{len(plain)} bytes, expected {chunk.uncompressed_size}")
    return breakup_chunk(replace(chunk, compression="", data=plain), validate_crc=True)


def _plain(chunk: Chunk) -> bytes:
    """A chunk's bytes unpacked, never more than it says and never more than are allowed."""
    size = chunk.uncompressed_size
    if size > MAX_CHUNK_BYTES:
        raise ValueError(f"{size} bytes unpacked, more than {MAX_CHUNK_BYTES}")
    if chunk.compression == "lz4":
        unpacker = lz4.frame.LZ4FrameDecompressor()
        return bytes(unpacker.decompress(chunk.data, max_length=size))
    if chunk.compression == "zstd":
        told = zstandard.get_frame_parameters(chunk.data).content_size
        if told not in (size, zstandard.CONTENTSIZE_UNKNOWN):
            raise ValueError(f"{told} bytes unpacked, expected {size}")
        return zstandard.decompress(chunk.data, size)
    if chunk.compression:
        raise ValueError(f"the packing {chunk.compression[:20]!r}, expected lz4, zstd or none")
    return chunk.data


def _bytes_at(file: IO[bytes], offset: int, length: int) -> bytes:
    """The bytes there, fewer where the file ends before."""
    try:
        file.seek(offset)
        return file.read(length)
    except (OverflowError, ValueError):  # an offset that no file has
        return b""
