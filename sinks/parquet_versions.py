"""Files of older versions of the log: read as if they were the newest; ``log_migration`` rewrites them.

Each rise of SCHEMA_VERSION is one step here, which makes a table of one version one of the next. A column
that a version did not have yet and that may be null needs no step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from sinks import parquet_files as files
from sinks.errors import SinkError
from sinks.log_folder import LogFolder
from sinks.parquet_schema import ANOMALIES, SCHEMA_VERSION, SCHEMAS

Step = Callable[[str, pa.Table], pa.Table]
"""(dataset, rows of a version) → rows of the next one."""


def _as_it_is(_: str, table: pa.Table) -> pa.Table:
    """0 → 1: the columns stayed, the files began to say their version."""
    return table


def _with_pictures(dataset: str, table: pa.Table) -> pa.Table:
    """1 → 2: anomalies name the frames that are kept beside; of older ones there are none."""
    if dataset != ANOMALIES or "pictures" in table.column_names:
        return table
    kind = SCHEMAS[ANOMALIES].field("pictures")
    return table.append_column(kind, pa.array([[]] * table.num_rows, kind.type))


STEPS: tuple[Step, ...] = (_as_it_is, _with_pictures)
"""The n-th leads from version n to n + 1."""


def brought_forward(dataset: str, table: pa.Table, version: int) -> pa.Table:
    """Rows of a version with the columns of the newest one, in their order."""
    for step in STEPS[version:]:
        table = step(dataset, table)
    schema = SCHEMAS[dataset]
    columns = [
        table.column(one.name).cast(one.type)
        if one.name in table.column_names
        else pa.nulls(table.num_rows, one.type)
        for one in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def checked_version(folder: LogFolder, path: str, schema: pa.Schema) -> int:
    """The version of a file. Raises SinkError for one that is newer than this code."""
    version = files.version_of(schema)
    if version > SCHEMA_VERSION:
        raise SinkError(
            f"{folder.where(path)}: found log version {version}, expected {SCHEMA_VERSION}: "
            "update Nozzlewatch"
        )
    return version


def read_newest(folder: LogFolder, dataset: str, path: str) -> pa.Table:
    """One file as the newest version. FileNotFoundError passes; raises SinkError for what is none of ours."""
    with files.opened(folder, path) as file:
        version = checked_version(folder, path, file.schema_arrow)
        return brought_forward(dataset, file.read(), version)


def newest(folder: LogFolder, dataset: str, paths: Iterable[str], chosen: pc.Expression) -> pa.Table:
    """The chosen rows of files, as the newest version.

    Files of the newest version are read as far as the condition asks; older ones whole.
    """
    tables, current = [SCHEMAS[dataset].empty_table()], []
    for path in paths:
        with files.opened(folder, path) as file:
            version = checked_version(folder, path, file.schema_arrow)
        if version == SCHEMA_VERSION:
            current.append(path)
        else:
            tables.append(read_newest(folder, dataset, path).filter(chosen))
    if current:
        log = ds.dataset(current, schema=SCHEMAS[dataset], format="parquet", filesystem=folder.fs)
        tables.append(log.to_table(filter=chosen))
    return pa.concat_tables(tables)
