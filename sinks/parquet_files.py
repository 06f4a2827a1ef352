"""The files of the Parquet log: their names, their footers, and how one is written and read.

A name lists the stream-id range that the file holds of each shard, ``<shard>_<first>_<last>`` joined by
``__``, or of all shards together (``all16-<digest>_…``) where that would grow too long; the footer holds the
ranges always. The footer of a file that was merged of others names them: as long as both are there, the
others count for nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sinks.errors import SinkError
from sinks.log_folder import PARQUET, LogFile, LogFolder
from sinks.parquet_schema import ENTRY_COLUMNS, SCHEMA_VERSION, SCORES, TIME, VERSION_KEY
from sinks.sink import Entry

EntryId = tuple[int, int]
"""(milliseconds, sequence) of a stream id: this is how ids are ordered."""
Ranges = Mapping[str, tuple[EntryId, EntryId]]
"""First and last entry id per stream."""

RANGES_KEY = b"nozzlewatch_streams"
"""Footer metadata: JSON object, stream → [first entry id, last entry id]."""
REPLACES_KEY = b"nozzlewatch_replaces"
"""Footer metadata: JSON list, names of the files of the same folder whose rows are in this one."""
NAME_BYTES = 200
"""File systems allow 255 bytes for a name; the rest is for the ending and a temporary file's prefix."""

ROW_GROUP = 100_000
"""Rows: about a printer's day. DuckDB reads one in 44 ms; with groups of 10,000 rows in 77 ms, with a million
in 71 ms; in between there is little in it (``python -m bench.sinks_layouts``)."""
COMPRESSION, LEVEL = "zstd", 3
"""19 bytes a row of scores. Level 1 takes 42, snappy 31, and level 9 no less than 3 at a third of its pace
(``python -m bench.sinks_layouts``)."""

_ID = re.compile(r"(\d+)-(\d+)")
_RANGE = re.compile(r"_(\d+)-(\d+)_(\d+)-(\d+)(?=__|\.|$)")


def entry_order(entry_id: str) -> EntryId:
    """The id as numbers. Raises SinkError for what is no stream id."""
    if not (found := _ID.fullmatch(entry_id)):
        raise SinkError(f"found the entry id {entry_id!r}, expected a stream id such as 1737000000000-0")
    return int(found[1]), int(found[2])


def ranges_of(entries: Iterable[Entry]) -> Ranges:
    """The stream-id range that the entries cover, per stream. Raises SinkError for what is no stream id."""
    orders: dict[str, list[EntryId]] = {}
    for stream, entry_id in entries:
        orders.setdefault(stream, []).append(entry_order(entry_id))
    return {stream: (min(found), max(found)) for stream, found in orders.items()}


def joined(ranges: Iterable[Ranges]) -> Ranges:
    """The range per stream that holds all of these."""
    whole: dict[str, tuple[EntryId, EntryId]] = {}
    for one in ranges:
        for stream, (first, last) in one.items():
            a, b = whole.get(stream, (first, last))
            whole[stream] = min(a, first), max(b, last)
    return whole


def file_name(ranges: Ranges) -> str:
    """The name, without ending, of the file that holds these ranges."""
    name = "__".join(_range_text(_shard(stream), *ranges[stream]) for stream in sorted(ranges))
    if len(name) <= NAME_BYTES:
        return name
    firsts, lasts = zip(*ranges.values(), strict=True)
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return _range_text(f"all{len(ranges)}-{digest}", min(firsts), max(lasts))


def free_name(folder: LogFolder, day: str, ranges: Ranges) -> str:
    """The path of a new file in a day's folder: no file had or has it, rows once written are not replaced."""
    name = file_name(ranges) or "rows"
    path, number = f"{day}/{name}{PARQUET}", 2
    while folder.holds(path):
        path, number = f"{day}/{name}__{number}{PARQUET}", number + 1
    return path


def name_ranges(name: str) -> list[tuple[EntryId, EntryId]]:
    """The ranges that a name tells; empty for a file that was not named by us."""
    numbers = [tuple(map(int, found.groups())) for found in _RANGE.finditer(name)]
    return [((a, b), (c, d)) for a, b, c, d in numbers]


def last_of(file: LogFile) -> EntryId:
    """The last entry that a file holds, by its name; (0, 0) for a foreign one, which tells nothing."""
    return max((last for _, last in name_ranges(file.name)), default=(0, 0))


def may_hold(files: Iterable[LogFile], ids: Iterable[EntryId]) -> Iterator[LogFile]:
    """Files that may hold one of the ids: those whose range does, and foreign ones."""
    wanted = sorted(ids)
    for one in files:
        ranges = name_ranges(one.name)
        if not ranges or any(first <= order <= last for first, last in ranges for order in wanted):
            yield one


@contextmanager
def opened(folder: LogFolder, path: str) -> Iterator[pq.ParquetFile]:
    """A file of the log. FileNotFoundError passes; raises SinkError for one that is no Parquet."""
    try:
        with folder.open(path) as source, pq.ParquetFile(source) as file:
            yield file
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError) as error:
        raise SinkError(
            f"{folder.where(path)}: expected a Parquet file of this log ({error}): move it elsewhere"
        ) from error


def held_entries(folder: LogFolder, path: str, wanted: set[Entry]) -> set[Entry]:
    """Those of the entries that a file holds. Raises what ``opened`` raises."""
    ids = pa.array(sorted({entry_id for _, entry_id in wanted}), pa.string())
    found: set[Entry] = set()
    with opened(folder, path) as file:
        for batch in file.iter_batches(columns=list(ENTRY_COLUMNS)):
            rows = batch.filter(pc.is_in(batch.column("entry_id"), value_set=ids))
            found.update(zip(*(rows.column(name).to_pylist() for name in ENTRY_COLUMNS), strict=True))
    return found & wanted


def version_of(schema: pa.Schema) -> int:
    """The log's version that a file bears; 0 for one from before there was any."""
    return int((schema.metadata or {}).get(VERSION_KEY, b"0"))


def replaced_by(schema: pa.Schema) -> list[str]:
    """Names of the files whose rows a file holds as well, and which it replaces."""
    return cast("list[str]", json.loads((schema.metadata or {}).get(REPLACES_KEY, b"[]")))


def footer_ranges(schema: pa.Schema) -> Ranges:
    """The ranges that a file's footer tells of; empty for a foreign one."""
    told = cast("dict[str, list[str]]", json.loads((schema.metadata or {}).get(RANGES_KEY, b"{}")))
    return {stream: (entry_order(first), entry_order(last)) for stream, (first, last) in told.items()}


def footer(schema: pa.Schema, ranges: Ranges, replaces: Sequence[str] = ()) -> pa.Schema:
    """The schema with what a file tells of itself."""
    told = {stream: [f"{a}-{b}" for a, b in span] for stream, span in ranges.items()}
    own = {VERSION_KEY: str(SCHEMA_VERSION).encode(), RANGES_KEY: json.dumps(told).encode()}
    own |= {REPLACES_KEY: json.dumps(list(replaces)).encode()} if replaces else {}
    return schema.with_metadata({**(schema.metadata or {}), **own})


@contextmanager
def writing(path: Path, schema: pa.Schema, dataset: str) -> Iterator[pq.ParquetWriter]:
    """A writer of one file, whose rows bear this schema. Raises OSError and ArrowException."""
    with path.open("wb") as sink, pq.ParquetWriter(sink, schema, **settings(schema, dataset)) as writer:
        yield writer


def settings(schema: pa.Schema, dataset: str) -> dict[str, Any]:
    """How the columns are laid down.

    Scores: what rises steadily as differences, what is measured split by bytes: 19 bytes a row instead of 48
    with the same compression. The rest repeats itself and lies in dictionaries.
    """
    encodings = (
        {name: kind for field in schema for name, kind in _encodings(field)} if dataset == SCORES else {}
    )
    plain = [name for field in schema for name in _leaves(field.name, field.type) if name not in encodings]
    told = {"compression": COMPRESSION, "compression_level": LEVEL, "use_dictionary": plain}
    return told | ({"column_encoding": encodings} if encodings else {})


def _encodings(field: pa.Field[Any]) -> Iterator[tuple[str, str]]:
    for name, type_ in _typed_leaves(field.name, field.type):
        if type_ == TIME or name == "index":
            yield name, "DELTA_BINARY_PACKED"
        elif pa.types.is_float32(type_):
            yield name, "BYTE_STREAM_SPLIT"
        elif name == "entry_id":
            yield name, "DELTA_BYTE_ARRAY"


def _leaves(name: str, type_: pa.DataType) -> list[str]:
    return [leaf for leaf, _ in _typed_leaves(name, type_)]


def _typed_leaves(name: str, type_: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Parquet's own names of a column's parts, each with its type."""
    if isinstance(type_, pa.StructType):
        for inner in type_:
            yield from _typed_leaves(f"{name}.{inner.name}", inner.type)
    elif isinstance(type_, pa.ListType):
        yield from _typed_leaves(f"{name}.list.element", type_.value_type)
    else:
        yield name, type_


def _range_text(shard: str, first: EntryId, last: EntryId) -> str:
    return f"{shard}_{first[0]}-{first[1]}_{last[0]}-{last[1]}"


def _shard(stream: str) -> str:
    """The part between braces, which is what the streams of one dataset differ in."""
    inner = re.search(r"\{(.+?)\}", stream)
    return re.sub(r"[^A-Za-z0-9]+", "-", inner[1] if inner else stream)
