"""Trimming the streams: what every group is done with goes after a while, the oldest of a crowd at once."""

from __future__ import annotations

from collections.abc import Mapping

import redis

from ingest.stream import MAX_LEN, count_drops, group_rows, id_order, name_and_shard, store_errors, text_of

LAST_ID = f"{2**64 - 1}-0"
"""Beyond every entry's id."""

KEEP_S = {
    "windows": 30.0,
    "scores": 60.0,
    "anomalies": 3600.0,
    "inspections": 3600.0,
    "labels": 3600.0,
    "statuses": 60.0,
    "command-results": 3600.0,
    "answers": 3600.0,
}
"""How long entries stay although every group is done with them, in s: for those who only look on."""


def trim(
    events: redis.Redis, stream: str, max_len: int = MAX_LEN, *, keep_s: Mapping[str, float] = KEEP_S
) -> int:
    """Remove what every group has acknowledged a while ago, and beyond ``max_len`` what they have not.

    Returns how many entries were removed although some group still wanted them: they are lost, and the
    caller counts them. A stream without groups is cut by ``max_len`` alone.
    """
    with store_errors():
        oldest = _oldest_wanted(events, stream)
        if oldest is not None:
            crowded = events.xlen(stream) > max_len  # then nothing stays for those who only look on
            kept = oldest if crowded else min(oldest, _kept_from(events, stream, keep_s), key=id_order)
            events.xtrim(stream, minid=kept, approximate=False)
        excess = events.xlen(stream) - max_len
        return events.xtrim(stream, maxlen=max_len, approximate=False) if excess > 0 else 0


def trim_counted(events: redis.Redis, stream: str, max_len: int = MAX_LEN) -> None:
    """``trim``, with what is lost by it added to the shard's drops."""
    lost = trim(events, stream, max_len)
    if lost:
        name, shard = name_and_shard(stream)
        with store_errors():
            count_drops(events, shard, f"{name}_unread", lost)


def _kept_from(events: redis.Redis, stream: str, keep_s: Mapping[str, float]) -> str:
    """The id from which on entries are too young to go, by the server's clock, which makes the ids."""
    age_s = keep_s.get(name_and_shard(stream)[0], 0.0)
    if age_s <= 0.0:
        return LAST_ID  # an entry of this very millisecond is not kept either
    seconds, microseconds = events.time()
    return f"{max(0, seconds * 1000 + microseconds // 1000 - int(age_s * 1000))}-0"


def _oldest_wanted(events: redis.Redis, stream: str) -> str | None:
    """The smallest id that some group still wants, None where there is no group."""
    wanted = []
    for row in group_rows(events, stream):
        group = text_of(row["name"])
        summary = events.xpending(stream, group)
        wanted.append(
            text_of(summary["min"]) if summary["pending"] else _after(text_of(row["last-delivered-id"]))
        )
    return min(wanted, key=id_order, default=None)


def _after(entry_id: str) -> str:
    milliseconds, sequence = id_order(entry_id)
    return f"{milliseconds}-{sequence + 1}"
