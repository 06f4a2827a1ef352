"""What a user says of an anomaly, or of a stretch of a print: checked, and put where the log keeps it."""

from __future__ import annotations

import contextlib
from contextlib import closing
from typing import NamedTuple

from detector.anomaly import Anomaly, Kind, Label
from ingest.errors import UsageError
from ingest.stage import StoreSource
from ingest.store import Stores
from nozzlewatch.follow import AnomalyTopic
from sinks.anomaly_text import kind_text, plain, time_text
from sinks.answers import record, say
from sinks.errors import SinkError
from sinks.message import Answer, Word
from sinks.read_log import read_anomalies
from sinks.settings import SinkSettings


class Said(NamedTuple):
    """What stood on the command line; times in ns UTC."""

    anomaly: str | None
    printer: str | None
    job: str
    since_ns: int | None
    until_ns: int | None
    kind: Kind | None
    fine: bool
    text: str


def labelled(settings: SinkSettings, said: Said) -> Label:
    """Record it; where it says that an alert was false, the alert's print is left alone from now on.

    Raises UsageError for what makes no label, StoreUnreachable where the farm's store does not answer.
    """
    if said.fine == (said.kind is not None):
        found = "both a kind and --fine" if said.fine else "neither a kind nor --fine"
        raise UsageError(f"found {found}, expected one of them: what failed, or that nothing did")
    farm = settings.detector.farm
    with closing(StoreSource(farm).attach()) as stores:
        label = _of_anomaly(settings, stores, said) if said.anomaly else _of_stretch(settings, said)
        record(stores.events, label, farm.table.shards)
        if said.fine and label.anomaly:
            answer = Answer(word=Word.FINE, at_ns=label.to_ns, message=label.anomaly, text=label.text)
            say(stores.events, answer)
    return label


def label_text(label: Label) -> str:
    """What was recorded, in a line."""
    what = "nothing was wrong" if label.kind is None else kind_text(label.kind)
    return f"{plain(label.printer)}: {what}, {time_text(label.from_ns)} to {time_text(label.to_ns)}"


def _of_anomaly(settings: SinkSettings, stores: Stores, said: Said) -> Label:
    anomaly = _find(settings, stores, said.anomaly or "")
    return Label(
        printer=anomaly.printer, job=anomaly.job, kind=said.kind,
        from_ns=said.since_ns or anomaly.onset_ns, to_ns=said.until_ns or anomaly.at_ns,
        anomaly=anomaly.id, text=said.text,
    )  # fmt: skip


def _of_stretch(settings: SinkSettings, said: Said) -> Label:
    names = [printer.name for printer in settings.detector.farm.printers]
    if said.printer not in names:
        raise UsageError(
            f"found printer {said.printer!r}, expected --anomaly, or --printer with one of: "
            f"{', '.join(names)}"
        )
    if said.since_ns is None or said.until_ns is None or said.since_ns >= said.until_ns:
        raise UsageError("found no stretch of time, expected --since and a later --until")
    return Label(
        printer=said.printer, job=said.job, kind=said.kind, from_ns=said.since_ns, to_ns=said.until_ns,
        text=said.text,
    )  # fmt: skip


def _find(settings: SinkSettings, stores: Stores, anomaly: str) -> Anomaly:
    """The newest revision: from the topic, which holds the last hour, else from the log."""
    topic = AnomalyTopic(stores.events, range(settings.detector.farm.table.shards), "0")
    found = [one for one in topic.read() if one.id == anomaly]
    if not found:
        with contextlib.suppress(SinkError):  # a log that is not there yet holds no anomaly either
            found = [one for one in read_anomalies(settings.log_path) if one.id == anomaly]
    if not found:
        raise UsageError(
            f"found no anomaly {anomaly!r}, expected an id as `nozzlewatch anomalies list` shows with --json"
        )
    return max(found, key=lambda one: one.revision)
