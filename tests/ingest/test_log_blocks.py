"""octoprint.log: serial traffic in blocks that overlap and lie back from their stamps."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.records import NS_PER_S, Event, EventKind
from ingest.telemetry.logs.formats import repeated
from tests.ingest.logs import HEAD, OCTO, events, log_of, ns, read, values


def test_a_blocks_lines_lie_back_from_the_stamp_before_it(tmp_path: Path) -> None:
    report = "| Recv:  T:{}.00 /220.00 @:23"
    block = [report.format(220), report.format(219), report.format(218), "| Recv: Error:Thermal Runaway"]
    source = log_of(tmp_path, OCTO.format(30), "", HEAD, *block, OCTO.format(50))
    items = read(source)
    base = ns("2021-05-10T17:00:00")
    assert [((at - base) // NS_PER_S, value) for at, value in values(items, "hotend_c")] == [
        (26, 220),
        (28, 219),
        (30, 218),
    ]
    assert events(items) == [EventKind.ERROR, EventKind.UNRECORDED]
    assert items[-1].at_ns == base + 30 * NS_PER_S
    assert source.time_estimated


def test_what_a_block_repeats_is_told_once(tmp_path: Path) -> None:
    first = ["| Send: M105", "| Recv: ok T:20.0 /0.0", "| Recv: Resend: 41", "| Recv: ok"]
    second = ["| Recv: Resend: 41", "| Recv: ok", "| Recv: Resend: 42"]
    items = read(
        log_of(
            tmp_path,
            OCTO.format(10),
            HEAD,
            *first,
            OCTO.format(11),
            HEAD,
            *second,
            OCTO.format(11),
            HEAD,
            *second,
        )
    )
    resends = [item.text for item in items if isinstance(item, Event) and item.kind is EventKind.RESEND]
    assert resends == ["Resend: 41", "Resend: 42"]
    assert len(values(items, "lines")) == 4
    assert events(items).count(EventKind.UNRECORDED) == 2


def test_a_block_never_reaches_back_before_the_one_before(tmp_path: Path) -> None:
    blocks = [[f"| Recv:  T:{base + step}.00 /220.00" for step in range(5)] for base in (100, 200)]
    items = read(log_of(tmp_path, OCTO.format(10), HEAD, *blocks[0], OCTO.format(12), HEAD, *blocks[1]))
    base = ns("2021-05-10T17:00:00")
    times = [(at - base) / NS_PER_S for at, _ in values(items, "hotend_c")]
    assert times == [2, 4, 6, 8, 10, 10, 10.5, 11, 11.5, 12]


@pytest.mark.parametrize(
    ("recent", "block", "length"),
    [("abcd", "cdef", 2), ("abab", "abab", 4), ("abcd", "xyz", 0), ("", "ab", 0), ("xab", "ab", 2)],
)
def test_the_longest_repetition_is_found(recent: str, block: str, length: int) -> None:
    assert repeated(list(recent), list(block)) == length


# What is no log
