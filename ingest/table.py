"""Checks a table of the farm file against a Struct and reports every mistake in it at once.

A Struct is the schema: its fields are the keys, their types and ``msgspec.Meta`` bounds what a value may
be, ``Meta(description=…)`` says in words what is expected. Each stage owns the Structs of its own tables.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
SHOWN = 60
"""Characters of a found value that a message repeats."""
CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def check_table(found: object, schema: type[T], where: str, mistakes: list[str]) -> T | None:
    """Read ``found`` as ``schema``; every mistake goes to ``mistakes``, and then the result is None."""
    if not isinstance(found, Mapping):
        mistakes.append(f"{where}: found {shown(found)}, expected a table")
        return None
    before = len(mistakes)
    values = _values(found, schema, where, mistakes)
    return schema(**values) if len(mistakes) == before else None


def _values(found: Mapping[str, Any], schema: type[T], where: str, mistakes: list[str]) -> dict[str, Any]:
    types = get_type_hints(schema, include_extras=True)
    fields = {field.name: field for field in msgspec.structs.fields(schema)}
    for name in found:
        if name not in fields:
            mistakes.append(unknown_key(f"{where}.{name}", name, list(fields), found[name]))
    values = {}
    for name, field in fields.items():
        if name in found:
            try:
                values[name] = msgspec.convert(found[name], types[name])
            except msgspec.ValidationError as error:
                expected = _description(types[name]) or _expected(error)
                mistakes.append(f"{where}.{name}: found {shown(found[name])}, expected {expected}")
        elif field.required:
            mistakes.append(f"{where}.{name}: found nothing, expected {_described(types[name])}")
    return values


def unknown_key(where: str, name: str, known: list[str], value: object) -> str:
    """The message for a key that does not exist, with the nearest one that does."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
    return f"{where}: found an unknown key (= {shown(value)}), expected none of this name; {hint}"


def shown(value: object) -> str:
    """A found value as a message repeats it: cut short, and without the user and password of an address."""
    if isinstance(value, Mapping):
        return "a table"  # it may hold secrets anywhere
    text = CREDENTIALS.sub("***@", repr(value))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _expected(error: msgspec.ValidationError) -> str:
    """What msgspec expected, without its own "Expected" and the paths that our message names already."""
    return str(error).removeprefix("Expected ").replace("`", "").replace(" - at $", " at ")


def _description(kind: object) -> str:
    """What a value must be in the schema's own words; empty where it has none."""
    metas = [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    return next((meta.description for meta in metas if meta.description), "")


def _described(kind: object) -> str:
    name: str = getattr(kind, "__name__", str(kind))
    return _description(kind) or name.replace("str", "a text").replace("float", "a number")
