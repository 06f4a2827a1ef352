"""Channels that are a table in the farm file, ``[alerts.mail]`` or several ``[[alerts.webhooks]]``."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from ingest.table import check_table, shown
from sinks.errors import ChannelError

T = TypeVar("T", bound=Struct)


def read_tables(
    found: object, schema: type[T], where: str, mistakes: list[str], harmless: Collection[str]
) -> Iterator[tuple[str, T]]:
    """Each table with where it stands, as ``schema``; one with mistakes is told and left out.

    A message repeats a value only where its key is one of ``harmless``: a secret may stand at any other.
    """
    tables = found if isinstance(found, list) else [found]
    for number, table in enumerate(tables):
        place = f"{where}[{number}]" if isinstance(found, list) else where
        if not isinstance(table, Mapping):
            mistakes.append(f"{place}: found {_kind(table)}, expected a table")
            continue
        before = len(mistakes)
        check_table(_hidden(table, harmless), schema, place, mistakes)
        read = check_table(table, schema, place, []) if len(mistakes) == before else None
        if read is not None:
            yield place, read


def numbered(name: str, taken: Collection[str]) -> str:
    """The name, with " #2" and so on where it is taken already."""
    number, tried = 1, name
    while tried in taken:
        number += 1
        tried = f"{name} #{number}"
    return tried


def tls_context(ca: str) -> ssl.SSLContext:
    """What checks the other side's certificate: against the authorities in the file ``ca``, or against those
    of this machine where it is empty. Raises ChannelError for a file that holds none."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ChannelError(
            f"ca: found {shown(ca)} ({why}), expected a file with certificates (PEM)"
        ) from error


def _hidden(table: Mapping[str, Any], harmless: Collection[str]) -> dict[str, Any]:
    return {key: value if key in harmless else _blank(value) for key, value in table.items()}


def _blank(value: object) -> object:
    """Something of the same type that tells nothing."""
    if isinstance(value, list):
        return [_blank(one) for one in value]
    if isinstance(value, str):
        return "***"
    return type(value)() if isinstance(value, int | float) else value


def _kind(value: object) -> str:
    return "a text" if isinstance(value, str) else f"a {type(value).__name__}"
