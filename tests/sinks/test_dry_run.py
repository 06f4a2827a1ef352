"""A dry run over a recorded print: what would have been said and done, with nothing sent."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from detector.anomaly import Kind, State
from detector.kinds import KindRules
from ingest.records import NS_PER_S
from sinks.dry_run import PAUSING, dry_run
from sinks.parquet_rows import to_table
from sinks.parquet_schema import SCORES
from sinks.policy import Rules
from tests.sinks.conftest import NOON_NS, deliver, make_anomaly, make_scores

FAILS_S, SURE_S, ENDS_S = 30, 40, 120


def scores() -> pa.Table:
    """Two minutes, sure of spaghetti from SURE_S on."""
    told = (
        make_scores(n, probabilities={Kind.SPAGHETTI: 0.97 if n >= SURE_S else 0.6}) for n in range(ENDS_S)
    )
    return to_table(SCORES, [deliver(one, n) for n, one in enumerate(told)])


def anomalies() -> list[Any]:
    opened_ns = NOON_NS + FAILS_S * NS_PER_S
    opened = make_anomaly(kind=Kind.SPAGHETTI, at_ns=opened_ns, onset_ns=opened_ns, detected_ns=opened_ns)
    closed = make_anomaly(
        kind=Kind.SPAGHETTI, revision=2, state=State.CLOSED, at_ns=NOON_NS + ENDS_S * NS_PER_S,
        onset_ns=opened_ns, detected_ns=opened_ns,
    )  # fmt: skip
    return [opened, closed]


def seconds(at_ns: int) -> float:
    return (at_ns - NOON_NS) / NS_PER_S


def test_what_would_have_been_told_and_paused_is_told_with_the_prints_own_times() -> None:
    done = dry_run(anomalies(), scores(), Rules(kinds=PAUSING))
    assert [one.what for one in done] == ["told", "pause", "told"]
    told, paused, over = done
    assert seconds(told.at_ns) == FAILS_S
    assert abs(seconds(paused.at_ns) - (SURE_S + 20)) <= 1
    assert "over after" in over.text
    assert paused.printer == "voron-2"


def test_nothing_is_paused_where_nothing_may_be() -> None:
    done = dry_run(anomalies(), scores(), Rules(kinds=KindRules()))
    assert [one.what for one in done] == ["told", "told"]


def test_a_print_without_anomalies_is_silent() -> None:
    assert dry_run([], scores(), Rules(kinds=PAUSING)) == []
