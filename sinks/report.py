"""The report of a watched or replayed print: ``report.html`` for people, ``report.json`` for programs.

The page is one file without scripts and without a network. Times are UTC.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.anomaly import Anomaly, Inspection, Kind, State
from sinks import report_charts as drawing
from sinks.anomaly_text import (
    duration_text,
    iso_text,
    kind_text,
    lasted_ns,
    percent,
    plain,
    time_text,
    to_dict,
)
from sinks.dry_run import Done
from sinks.errors import SinkError
from sinks.json_text import as_json
from sinks.pages import rendered
from sinks.parquet_schema import p_column

REPORT_VERSION = 1
"""Of report.json: rises when a field changes its meaning or goes."""
_PNG = b"\x89PNG"
_CHANNELS_SHOWN = 4


class Row(NamedTuple):
    """A line of the table of anomalies."""

    printer: str
    job: str
    kind: str
    color: str
    open: bool
    since: str
    into: str  # how long after the first window of the printer; "" where that is not known
    lasted: str
    severity: str
    text: str
    channels: list[tuple[str, str]]
    thumbnail: str  # a data: URL; "" for none


class Part(NamedTuple):
    """What is said of a finished part, and how that is to be taken: good, bad or soft."""

    text: str
    judged: str


def after_print(inspection: Inspection) -> str:
    """The line of a print's summary."""
    return f"After the print: {plain(inspection.text)}"


def write_report(
    out: Path,
    *,
    title: str,
    anomalies: Sequence[Anomaly],
    scores: pa.Table,
    thumbnails: Mapping[str, bytes],
    counts: Mapping[str, int],
    sources: Sequence[str],
    inspections: Sequence[Inspection] = (),
    done: Sequence[Done] = (),
) -> None:
    """Write both files into the folder ``out``, which is made where it is missing.

    ``anomalies`` may hold several revisions, the last of each is shown; ``scores`` as ``read_scores`` gives
    them; ``thumbnails`` are JPEG or PNG bytes at onset by anomaly id; ``sources`` are shown as they are, so
    they must hold no credentials; ``inspections`` are of the parts whose prints ended; ``done`` is what would
    have been said and done live. Raises SinkError where the folder cannot be written.
    """
    last = drawing.latest(anomalies)
    page = _page(
        title,
        last,
        scores,
        thumbnails,
        counts=sorted(counts.items()),
        sources=sources,
        parts=[_part(one) for one in inspections],
        done=[(time_text(one.at_ns, UTC), one.what, plain(one.text)) for one in done],
    )
    data = _data(title, last, scores, counts, sources) | {
        "inspections": list(map(_inspection, inspections)),
        "dry_run": [{**one._asdict(), "at": iso_text(one.at_ns)} for one in done],
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_bytes(as_json(data))
        (out / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise SinkError(
            f"{out}: cannot write the report ({error}): make room or choose another folder"
        ) from error


def _page(
    title: str,
    anomalies: Sequence[Anomaly],
    scores: pa.Table,
    thumbnails: Mapping[str, bytes],
    **shown: object,
) -> str:
    begins = _begins(scores)
    return rendered(
        "report.html.j2",
        title=title,
        rows=[_row(one, begins.get(one.printer), thumbnails.get(one.id)) for one in anomalies],
        charts=drawing.charts(scores, anomalies),
        drawing=drawing,
        **shown,
    )


def _data(
    title: str,
    anomalies: Sequence[Anomaly],
    scores: pa.Table,
    counts: Mapping[str, int],
    sources: Sequence[str],
) -> dict[str, object]:
    return {
        "version": REPORT_VERSION,
        "title": title,
        "sources": list(sources),
        "counts": dict(counts),
        "anomalies": [to_dict(one) for one in anomalies],
        "figures": {name: _figures(scores.filter(pc.field("printer") == name)) for name in _begins(scores)},
    }


def _figures(scores: pa.Table) -> dict[str, object]:
    """What a printer's scores come to: windows, their span, and the peak per kind that ever showed."""
    times = drawing.times_of(scores)
    peaks = {kind: np.nanmax(drawing.values_of(scores, p_column(kind)), initial=0.0) for kind in Kind}
    novelty = drawing.values_of(scores, "novelty")
    return {
        "windows": len(times),
        "first": iso_text(int(times.min())),
        "last": iso_text(int(times.max())),
        "peaks": {kind.value: float(peak) for kind, peak in peaks.items() if peak > 0},
        "novelty_max": None if np.isnan(novelty).all() else float(np.nanmax(novelty)),
        "frames_lost": pc.sum(scores.column("frame_lost")).as_py() or 0,
    }


def _begins(scores: pa.Table) -> dict[str, int]:
    """Start of the first window per printer, ns UTC, by name."""
    begins: dict[str, int] = {}
    pairs = zip(scores.column("printer").to_pylist(), drawing.times_of(scores).tolist(), strict=True)
    for printer, at_ns in pairs:
        begins[str(printer)] = min(at_ns, begins.get(str(printer), at_ns))
    return dict(sorted(begins.items()))


def _row(anomaly: Anomaly, begin_ns: int | None, thumbnail: bytes | None) -> Row:
    ranked = sorted(anomaly.evidence.channels.items(), key=lambda item: (-item[1], item[0]))
    return Row(
        printer=plain(anomaly.printer),
        job=plain(anomaly.job),
        kind=kind_text(anomaly.kind),
        color=drawing.color_of(anomaly.kind),
        open=anomaly.state is not State.CLOSED,
        since=time_text(anomaly.onset_ns, UTC),
        into="" if begin_ns is None else duration_text(max(0, anomaly.onset_ns - begin_ns)),
        lasted=duration_text(lasted_ns(anomaly)),
        severity=percent(anomaly.severity),
        text=plain(anomaly.text),
        channels=[(plain(name), percent(weight)) for name, weight in ranked[:_CHANNELS_SHOWN]],
        thumbnail=_data_url(thumbnail),
    )


def _part(inspection: Inspection) -> Part:
    judged = "good" if inspection.sound else "bad"
    return Part(after_print(inspection), judged if inspection.verdict else "soft")


def _inspection(inspection: Inspection) -> dict[str, object]:
    """What JSON holds of it: every field, the time also as ISO text."""
    fields: dict[str, object] = msgspec.to_builtins(inspection)
    return fields | {"at": iso_text(inspection.at_ns)}


def _data_url(picture: bytes | None) -> str:
    if not picture:
        return ""
    kind = "png" if picture.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
