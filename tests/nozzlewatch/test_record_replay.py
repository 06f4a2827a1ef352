"""A recording goes through the whole pipeline as what it was made of does."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from detector.anomaly import Anomaly, Kind
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import write_recording
from nozzlewatch.importing import import_print
from nozzlewatch.replay import Replayed, replay


def replayed(out: Path, *sources: str) -> Replayed:
    return replay(sources, out, printer="ender", stop=threading.Event())


def without_job(anomaly: Anomaly) -> Anomaly:
    """The job bears the name of the file, and the id comes of it."""
    return msgspec.structs.replace(anomaly, job="", id="")


def test_a_recording_is_replayed_with_the_same_anomalies_as_its_sources(tmp_path: Path) -> None:
    write_recording(tmp_path, 60, [Fault(kind=FaultKind.OPEN_HEATER, at_s=20)])
    sources = [f"images:{tmp_path}/frames", f"log:{tmp_path}/serial.log"]
    path = tmp_path / "print.mcap"
    import_print(sources, path, printer="ender", offset_s=0.0, stop=threading.Event())
    from_sources = replayed(tmp_path / "sources", *sources)
    from_recording = replayed(tmp_path / "recording", str(path))
    assert Kind.HEATER_FAULT in {anomaly.kind for anomaly in from_sources.anomalies}
    assert from_recording.windows == from_sources.windows
    assert from_recording.counts == from_sources.counts
    assert [*map(without_job, from_recording.anomalies)] == [*map(without_job, from_sources.anomalies)]
