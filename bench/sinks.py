"""The sinks: what a log that is killed again and again holds, and how soon alerts are on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from bench import sinks_alerts, sinks_log
from bench.figure import Figure


def measure(console: Console) -> list[Figure]:
    """All figures; ten million rows take some minutes."""
    console.print("sinks: alerts on the wire …")
    alerts = list(sinks_alerts.measure())
    console.print("sinks: ten million rows and 20 kills …")
    return [*alerts, *sinks_log.measure(console=console)]


def results(figures: Sequence[Figure]) -> dict[str, float]:
    """As programs read them; ``alert_p99_ms`` is the slowest channel's, by itself."""
    alone = [one.value for one in figures if one.name.startswith(sinks_alerts.ALONE)]
    together = [one.value for one in figures if one.name == sinks_alerts.TOGETHER]
    told = {one.name: round(one.value, 3) for one in figures if not one.name.startswith("alert")}
    return {**told, "alert_p99_ms": round(max(alone), 1), "alert_p99_together_ms": round(max(together), 1)}
