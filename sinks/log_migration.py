"""Rewrites a log's files of older versions as the newest: what ``nozzlewatch migrate`` does with it."""

from __future__ import annotations

from pathlib import Path

from sinks import parquet_files as files
from sinks.errors import SinkError
from sinks.log_compaction import finish_merges
from sinks.log_place import Place, open_place, unwritable
from sinks.parquet_schema import SCHEMA_VERSION, SCHEMAS
from sinks.parquet_versions import checked_version, read_newest


def migrate(root: Path | str) -> int:
    """Rewrite a log's files of older versions as the newest; returns how many. Raises SinkError.

    Readers see each row once all the while. Nobody else may write the log.
    """
    place = open_place(root)
    try:
        finish_merges(place)  # else a file would forget which ones it replaces
        return sum(_migrate(place, dataset) for dataset in SCHEMAS)
    except OSError as error:
        raise SinkError(unwritable(place.folder.told, error)) from error
    finally:
        place.close()


def _migrate(place: Place, dataset: str) -> int:
    number = 0
    for one in place.folder.files(dataset):
        with files.opened(place.folder, one.path) as file:
            found = file.schema_arrow
        if checked_version(place.folder, one.path, found) == SCHEMA_VERSION:
            continue
        ranges, table = files.footer_ranges(found), read_newest(place.folder, dataset, one.path)
        part = place.scratch / f"migrated-{one.name}"
        with files.writing(part, files.footer(table.schema, ranges, [one.name]), dataset) as writer:
            writer.write_table(table, files.ROW_GROUP)
        place.replace(part, files.free_name(place.folder, one.folder, ranges), [one.path])
        number += 1
    return number
