"""Pieces of klippy.log, as Klipper writes them."""

from __future__ import annotations

START = "Start printer at Sat Feb 26 00:17:14 2022 (1645834634.9 20.0)"
START_NS = 1_645_834_634_900_000_000
CONFIG = [
    "===== Config file =====",
    "[gcode_macro PRINT_END]",
    "gcode = ",
    "\tM600",
    "Lost communication with MCU 'quoted'",
    "=======================",
]


def mcu(name: str, sent_again: int = 0) -> str:
    return (
        f"{name}: mcu_awake=0.004 mcu_task_avg=0.000008 bytes_write=38797 bytes_read=47156 "
        f"bytes_retransmit={sent_again} bytes_invalid=0 srtt=0.001 freq=119996583 adj=119996580"
    )


def stats(clock_s: float, *parts: str, hotend: str = "target=210 temp=209.9 pwm=0.550") -> str:
    """A Stats line; ``parts`` stand between the board's numbers and the heaters."""
    head = " ".join((f"Stats {clock_s:.1f}: gcodein=0 ", *(parts or (mcu("mcu"),))))
    return (
        f"{head} heater_bed: target=60 temp=60.1 pwm=0.310 sysload=0.28 cputime=12.311 memavail=763528 "
        f"print_time=164.692 buffer_time=3.352 print_stall=1 extruder: {hotend}"
    )
