"""What is told of simulated prints: sound ones, and ones with one fault, each judged as the detector does.

    python -m bench.simulated [--prints N] [--seconds S]

Every seed is another printer (heat loss, colour, noise). Simulated prints say that the mechanism works; they
are no rate that a farm may expect.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from bench.judging import windows_of
from detector.anomaly import Anomaly, State
from detector.frames import Picture
from detector.judge import Judge
from detector.model.build import VERSION, build_encoder
from detector.model.encoder import SIDE
from detector.state import PrinterMemory
from features.frame import decode_frame
from features.quality import look
from ingest.records import NS_PER_S, Window
from ingest.simulate.faults import SEEN_ONLY, TRUTH, Fault, FaultKind
from ingest.simulate.recording import EPOCH, write_recording

ONSET_S = 120.0
UNTOLD = frozenset({FaultKind.SILENCE, FaultKind.CAMERA_SILENT})
"""A recording cannot show these: a hole in it is no silence."""

encoder = build_encoder("cpu")


def told(recording: Path) -> list[Anomaly]:
    """Every anomaly that opens in a recording."""
    judge, memory, found = Judge(VERSION), PrinterMemory("bench"), []
    windows = asyncio.run(windows_of(recording))
    for window, picture in zip(windows, pictures_of(recording, windows), strict=True):
        memory.history.push(window)
        judged = judge.judge(memory, window, picture)
        memory.state = judged.state
        found += [anomaly for anomaly in judged.anomalies if anomaly.state is State.OPENED]
    return found


def pictures_of(recording: Path, windows: list[Window]) -> list[Picture]:
    """The windows' frames, embedded all together."""
    pictures, decoded = [Picture()] * len(windows), {}
    for at, window in enumerate(windows):
        if window.frame is not None:
            jpeg = recording / "frames" / f"{window.frame.captured_ns // 10**6}.jpg"
            pixels = decode_frame(jpeg.read_bytes(), SIDE)
            assert pixels is not None, jpeg
            decoded[at] = pixels
    for at, embedding in zip(decoded, encoder.encode(list(decoded.values())), strict=True):
        pictures[at] = Picture(embedding, look=look(decoded[at]))
    return pictures


def delay_s(anomaly: Anomaly) -> float:
    return anomaly.detected_ns / NS_PER_S - EPOCH.timestamp() - ONSET_S


def recorded(folder: Path, seconds: float, fault: FaultKind | None, seed: int) -> list[Anomaly]:
    faults = [Fault(kind=fault, at_s=ONSET_S)] if fault is not None else []
    recording = folder / f"{fault or 'sound'}-{seed}"
    write_recording(recording, seconds, faults, seed)
    return told(recording)


def row(folder: Path, seconds: float, fault: FaultKind | None, prints: int) -> str:
    """How often the fault's kind was told after its onset, how soon, and what else was told."""
    delays, others = [], Counter[str]()
    for seed in range(1, prints + 1):
        anomalies = recorded(folder, seconds, fault, seed)
        right = [a for a in anomalies if fault is not None and a.kind in called(fault) and delay_s(a) > 0]
        delays += [delay_s(right[0])] if right else []
        others.update(a.kind.value for a in anomalies if a not in right[:1])
    median = f"{statistics.median(delays):5.1f} s" if delays else "     - "
    rest = ", ".join(f"{kind} {number}" for kind, number in sorted(others.items())) or "nothing"
    name, kind = (fault.value, TRUTH[fault]) if fault is not None else ("(sound)", "nothing")
    count = f"{len(delays)} of {prints}" if fault is not None else ""
    return f"{name:17s} {kind:15s} {count:8s} {median}  also told: {rest}"


def called(fault: FaultKind) -> set[str]:
    """What a fault may be called; no trained network judges here, so what is seen alone is only unusual."""
    return {TRUTH[fault], *(("unusual",) if TRUTH[fault] in SEEN_ONLY else ())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prints", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=240.0)
    options = parser.parse_args()
    print(f"{VERSION}; simulated prints of {options.seconds:g} s, fault from {ONSET_S:g} s on")
    print("fault             expected kind   told     median   ")
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        for fault in (None, *(kind for kind in FaultKind if kind not in UNTOLD)):
            print(row(Path(folder), options.seconds, fault, options.prints), flush=True)


if __name__ == "__main__":
    main()
