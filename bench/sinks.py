"""The sinks: what a log that is killed again and again holds, and how soon alerts are on the wire."""

from __future__ import annotations

from rich.console import Console

from bench import sinks_alerts, sinks_log
from bench.figure import Figure


def measure(console: Console) -> tuple[list[Figure], dict[str, float]]:
    """All figures, for people and as programs read them; ten million rows take some minutes."""
    console.print("sinks: alerts on the wire …")
    alerts = dict(sinks_alerts.measure())
    console.print("sinks: ten million rows and 20 kills …")
    log = list(sinks_log.measure(console=console))
    told = sinks_log.results(log) | {
        "alert_p99_ms": round(alerts[sinks_alerts.SHIPPED].value, 1),
        "alert_p99_ungrouped_ms": round(max(alerts[one].value for one in sinks_alerts.ALONE), 1),
        "alert_p99_ungrouped_plain_ms": round(max(alerts[one].value for one in sinks_alerts.PLAIN), 1),
        "alert_p99_ungrouped_together_ms": round(alerts[sinks_alerts.TOGETHER].value, 1),
    }
    return [*alerts.values(), *log], told
