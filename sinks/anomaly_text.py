"""How an anomaly is told to people, in one place: a line, a few lines, a table, and a dict for programs.

A time shows its zone always. ``zone`` None is this machine's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

import msgspec
from rich.table import Table
from rich.text import Text

from detector.anomaly import Anomaly, Kind, State
from ingest.records import NS_PER_S

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
"""Units of a duration in seconds, the largest first."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""What would break a line, steer a terminal or turn the direction of writing."""
_STYLES = {State.OPENED: "bold red", State.UPDATED: "red", State.CLOSED: "green"}


def plain(text: str) -> str:
    """The text on one line, without anything that steers a terminal."""
    return _UNPRINTABLE.sub(" ", text).strip()


def kind_text(kind: Kind) -> str:
    """The kind in words: "layer shift"."""
    return kind.value.replace("_", " ")


def time_text(at_ns: int, zone: tzinfo | None = None) -> str:
    """A time (ns UTC) with its zone: "2026-02-03 14:05:09 CET"."""
    return _local(at_ns, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def iso_text(at_ns: int) -> str:
    """A time (ns UTC) for programs, exact: "2026-02-03T13:05:09.123456789Z"."""
    seconds, rest = divmod(at_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def duration_text(span_ns: int) -> str:
    """A duration (ns) by its two largest units: "3 h 12 min", "38 s"; "under 1 s" below that."""
    seconds = abs(span_ns) // NS_PER_S
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if parts or count:
            parts.append((count, unit))
    told = " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "under 1 s"
    return f"-{told}" if span_ns < 0 and parts else told


def lasted_ns(anomaly: Anomaly) -> int:
    """From onset to this revision, ns: the whole duration once it is closed."""
    return anomaly.at_ns - anomaly.onset_ns


def headline(anomaly: Anomaly) -> str:
    """What a lock screen shows: "voron-2: layer shift (92 %)"."""
    what = f"{plain(anomaly.printer)}: {kind_text(anomaly.kind)}"
    if anomaly.state is State.CLOSED:
        return f"{what} is over after {duration_text(lasted_ns(anomaly))}"
    return f"{what} ({percent(anomaly.severity)})"


def one_line(anomaly: Anomaly, zone: tzinfo | None = None) -> str:
    """When, where, what, since when, why: on one line whatever the texts hold."""
    since = f"since {_local(anomaly.onset_ns, zone):%H:%M:%S}, {duration_text(lasted_ns(anomaly))}"
    return (
        f"{time_text(anomaly.at_ns, zone)}  {plain(anomaly.printer)}  {kind_text(anomaly.kind)} "
        f"{anomaly.state.value}  {percent(anomaly.score)}  {since}  {plain(anomaly.text)}"
    )


def several_lines(anomaly: Anomaly, zone: tzinfo | None = None) -> str:
    """The same for a message body, one fact a line, with both local and UTC time where they differ."""
    lines = [
        f"Printer: {plain(anomaly.printer)}",
        f"Job: {plain(anomaly.job) or 'unknown'}",
        f"Kind: {kind_text(anomaly.kind)} ({anomaly.state.value}, {percent(anomaly.severity)} at most)",
        f"Since: {_both(anomaly.onset_ns, zone)}",
        f"{'Over' if anomaly.state is State.CLOSED else 'Told'}: {_both(anomaly.at_ns, zone)}, "
        f"{duration_text(lasted_ns(anomaly))} after it began",
        f"Why: {plain(anomaly.text) or 'not told'}",
    ]
    if anomaly.evidence.channels:
        lines.append(f"Channels: {channels_text(anomaly)}")
    return "\n".join(lines)


def channels_text(anomaly: Anomaly) -> str:
    """The channels behind it, the weightiest first: "hotend_power 70 %, hotend_c 30 %"."""
    ranked = sorted(anomaly.evidence.channels.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{plain(name)} {percent(weight)}" for name, weight in ranked)


def table(anomalies: Iterable[Anomaly], zone: tzinfo | None = None, title: str | None = None) -> Table:
    """A rich Table, a row an anomaly. Texts are shown as they are: no markup is read from them."""
    drawn = Table(title=None if title is None else Text(plain(title)), title_justify="left", show_lines=True)
    drawn.add_column("since", no_wrap=True)
    drawn.add_column("what")
    drawn.add_column("why", ratio=1)
    for anomaly in anomalies:
        drawn.add_row(*_cells(anomaly, zone))
    return drawn


def count_text(number: int) -> str:
    """How many, in words: "no anomaly", "1 anomaly", "3 anomalies"."""
    return {0: "no anomaly", 1: "1 anomaly"}.get(number, f"{number} anomalies")


def to_dict(anomaly: Anomaly) -> dict[str, object]:
    """What JSON holds of an anomaly: every field, times also as ISO text (``onset`` beside ``onset_ns``)."""
    fields: dict[str, object] = msgspec.to_builtins(anomaly)
    times = {name: iso_text(getattr(anomaly, f"{name}_ns")) for name in ("onset", "detected", "at")}
    boxes = [box._asdict() for box in anomaly.boxes]
    return fields | times | {"boxes": boxes, "lasted_s": lasted_ns(anomaly) / NS_PER_S}


def percent(share: float) -> str:
    """A share 0..1 as "92 %"."""
    return f"{share * 100:.0f} %"


def _cells(anomaly: Anomaly, zone: tzinfo | None) -> list[Text]:
    date, _, clock = time_text(anomaly.onset_ns, zone).partition(" ")
    state = Text(f"{anomaly.state.value}, {percent(anomaly.severity)}", style=_STYLES[anomaly.state])
    where = "\n".join(filter(None, (plain(anomaly.printer), plain(anomaly.job))))
    return [
        Text(f"{date}\n{clock}\nfor {duration_text(lasted_ns(anomaly))}"),
        Text.assemble(f"{kind_text(anomaly.kind)}\n", state, f"\n{where}"),
        Text(plain(anomaly.text)),
    ]


def _both(at_ns: int, zone: tzinfo | None) -> str:
    local, utc = _local(at_ns, zone), _local(at_ns, UTC)
    here = time_text(at_ns, zone)
    return here if local.utcoffset() == utc.utcoffset() else f"{here} ({utc:%H:%M:%S} UTC)"


def _local(at_ns: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(zone)
