"""The pure parts of a tap: the stream of replies, the pairing of lines with their "ok", motion, prints."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.records import NS_PER_S, EventKind
from ingest.telemetry.marlin import parse
from ingest.telemetry.wire.job_watch import Job, JobWatch
from ingest.telemetry.wire.pairing import LOST_OK_NS, MOST_AHEAD, Pairing
from ingest.telemetry.wire.printing import Printing
from ingest.telemetry.wire.reply_stream import ReplyStream
from ingest.telemetry.wire.sampler import Sampler

OK = re.compile(rb"ok(?: [NPB]\d+)*\s*\n")
PIECES = st.sampled_from([b"ok", b"o", b"k", b" P15 B3", b"\n", b" T:20.0 /0.0", b"\r\n", b"echo:x", b"\xff"])


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8))
def test_what_is_not_edited_goes_through_as_it_is(chunks: list[bytes]) -> None:
    stream = ReplyStream()
    assert [stream.pass_on(chunk) for chunk in chunks] == chunks


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8))
def test_one_bare_ok_is_taken_out_and_nothing_else_is_touched(chunks: list[bytes]) -> None:
    stream = ReplyStream()
    stream.swallow()
    passed = b"".join(stream.pass_on(chunk) for chunk in chunks) + stream.restarted()
    lines = re.findall(rb"[^\n]*\n|[^\n]+", b"".join(chunks))
    taken = next((number for number, line in enumerate(lines) if OK.fullmatch(line)), len(lines))
    assert passed == b"".join(lines[:taken] + lines[taken + 1 :])


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=8), st.booleans())
def test_a_line_is_put_in_between_two_others(chunks: list[bytes], swallows: bool) -> None:
    stream = ReplyStream()
    before = stream.pass_on(b"echo:begun")
    assert stream.insert(b"//action:pause\n") == b""
    if swallows:
        stream.swallow()
    passed = before + b"".join(stream.pass_on(chunk) for chunk in chunks)
    first, found, _ = passed.partition(b"//action:pause\n")
    assert bool(found) == (b"\n" in b"".join(chunks))
    assert not found or (first.endswith(b"\n") and first.count(b"\n") == 1)


def sent(pairing: Pairing, *lines: str) -> None:
    for line in lines:
        pairing.sent(line, 0)


def test_each_ok_takes_the_oldest_line() -> None:
    pairing = Pairing()
    sent(pairing, "G28", "; a comment gets no ok", "M105")
    assert pairing.replied("ok", parse("ok"), 1) == ["G28"]
    assert pairing.unanswered(1) == 1
    assert pairing.replied(" T:1.0 /2.0", parse(" T:1.0 /2.0"), 1) == []
    assert pairing.replied("ok T:1.0 /2.0", parse("ok T:1.0 /2.0"), 1) == ["M105"]
    assert pairing.replied("ok", parse("ok"), 1) == []


def test_what_is_asked_for_again_was_not_taken() -> None:
    pairing = Pairing()
    sent(pairing, "N7 G1 X1*1", "N8 G1 X2*1", "N9 G1 X3*1")
    pairing.replied(
        "Error:checksum mismatch, Last Line: 7", parse("Error:checksum mismatch, Last Line: 7"), 1
    )
    pairing.replied("Resend: 8", parse("Resend: 8"), 1)
    assert pairing.replied("ok", parse("ok"), 1) == ["N7 G1 X1*1"]
    assert pairing.replied("ok", parse("ok"), 1) == []  # the one of the request
    assert pairing.unanswered(1) == 0


def test_an_ok_that_never_comes_is_given_up_unless_the_printer_is_busy() -> None:
    pairing = Pairing()
    sent(pairing, "M109 S210")
    busy = parse("echo:busy: processing")
    pairing.replied("echo:busy: processing", busy, LOST_OK_NS)
    assert pairing.unanswered(2 * LOST_OK_NS) == 1
    assert pairing.unanswered(2 * LOST_OK_NS + 1) == 0


def test_a_host_that_does_not_wait_is_taken_at_its_word() -> None:
    pairing = Pairing()
    taken = [line for number in range(MOST_AHEAD + 5) for line in pairing.sent(f"G1 X{number}", 0)]
    assert taken == [f"G1 X{number}" for number in range(5)]


def test_filament_and_heat_are_told_per_second_of_the_printers_time() -> None:
    printing = Printing(JobWatch(sees_hosts=True))
    for line in ("M104 S225", "G28", "M83", "G1 X1 F6000"):
        printing.take(line, 0)
    rates = []
    for quarter in range(40):
        printing.take(f"G1 X{10 + quarter % 2 * 10} E0.5", 0)
        rates.append(dict(printing.readings(quarter * NS_PER_S // 4)))
    assert rates[-1]["extrusion_mm_s"] == pytest.approx(2.0)
    assert rates[-1]["melt_w"] == pytest.approx(2.0 * 5.6e-3 * 200)
    rests = [dict(printing.readings((40 + quarter) * NS_PER_S // 4)) for quarter in range(6)]
    assert [rest["extrusion_mm_s"] for rest in rests][-2:] == [0.0, 0.0]
    assert all(after["melt_w"] <= before["melt_w"] for before, after in pairwise(rests))


def test_a_value_is_told_when_it_changes_and_once_a_second() -> None:
    sampler = Sampler()
    told = []
    for at_ns in range(0, 3 * NS_PER_S, NS_PER_S // 100):
        sampler.set("fan", 0.5 if at_ns < NS_PER_S else 0.7)
        sampler.add("lines")
        if sampler.is_due(at_ns):
            told += list(sampler.due(at_ns))
    assert [value for channel, value in told if channel == "fan"] == [0.5, 0.7, 0.7]
    assert sum(value for channel, value in told if channel == "lines") == pytest.approx(300, abs=25)


def test_a_file_opened_at_the_screen_is_a_print_and_one_that_a_host_opens_is_none_yet() -> None:
    opened = "File opened: CUBE.GCO Size: 1234"
    at_screen = JobWatch(sees_hosts=True)
    assert at_screen.replied(opened, parse(opened)) == [(EventKind.JOB_STARTED, "CUBE.GCO")]
    by_host = JobWatch(sees_hosts=True)
    by_host.sent("M23 CUBE.GCO")
    assert by_host.replied(opened, parse(opened)) == []
    assert by_host.taken("M24") == [(EventKind.JOB_STARTED, "CUBE.GCO")]
    unknown = JobWatch(sees_hosts=False)
    assert unknown.replied(opened, parse(opened)) == []
    byte = "SD printing byte 617/1234"
    assert unknown.replied(byte, parse(byte)) == [(EventKind.JOB_STARTED, "CUBE.GCO")]
    assert unknown.progress == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("Done printing file", True),
        ("Not SD printing", True),
        ("Error:Printer halted. kill() called!", True),
        ("echo:busy: processing", False),
    ],
)
def test_a_card_print_ends_with_a_certain_word(said: str, ends: bool) -> None:
    jobs = JobWatch(sees_hosts=True)
    jobs.replied("SD printing byte 1/9", parse("SD printing byte 1/9"))
    assert jobs.replied(said, parse(said)) == ([(EventKind.JOB_ENDED, said)] if ends else [])
    assert (jobs.job is Job.NONE) == ends


def test_a_card_print_that_is_paused_has_not_ended() -> None:
    """Older Marlin answers "Not SD printing" to M27 while it is paused."""
    jobs = JobWatch(sees_hosts=True)
    jobs.replied("SD printing byte 1/9", parse("SD printing byte 1/9"))
    assert jobs.taken("M25") == [(EventKind.PAUSED, "M25")]
    assert jobs.replied("Not SD printing", parse("Not SD printing")) == []
    assert jobs.taken("M24") == [(EventKind.RESUMED, "M24")]


def test_a_second_print_without_switching_off_is_another_one() -> None:
    jobs = JobWatch(sees_hosts=True)
    told = []
    for _ in range(2):
        for line in ("G28", "M109 S210"):
            told += jobs.taken(line)
        told += jobs.laid()
        told += jobs.taken("M104 S0")
    assert [kind for kind, _ in told] == [
        EventKind.JOB_STARTED,
        EventKind.JOB_ENDED,
        EventKind.JOB_STARTED,
    ]
