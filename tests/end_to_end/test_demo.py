"""The demo as a user starts it: simulated printers, and everything else for real."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sinks.read_log import read_anomalies, read_scores


def test_the_demo_finds_every_injected_fault_before_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nozzlewatch", "demo", "--printers", "2", "--seconds", "45"]
    ran = subprocess.run(
        [*command, "--dir", str(tmp_path), "--json", "-"],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    told = json.loads(ran.stdout)
    assert {fault["name"] for fault in told["faults"]} == {"open_heater", "loose_thermistor", "line_errors"}
    assert all(fault["found"] and 0 <= fault["delay_s"] < 25 for fault in told["faults"])
    assert told["false_alarms"] == []
    assert told["simulated"] is True

    log = tmp_path / "data" / "log"
    assert {a.kind.value for a in read_anomalies(log)} >= {"heater_fault", "sensor_fault", "stall"}
    scores = read_scores(log)
    assert set(scores["printer"].to_pylist()) == {"printer-1", "printer-2"}
    assert scores.num_rows - scores["frame"].null_count > 60
