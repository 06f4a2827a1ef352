"""What is said of failures: once, at once, and no more than a person wants to read."""

from __future__ import annotations

from datetime import UTC

import pytest

from detector.anomaly import Kind
from detector.kinds import KindRule, KindRules, Reaction
from ingest.records import NS_PER_S, Health
from sinks.message import About, Phase, Word
from sinks.policy import Quiet
from tests.sinks.conftest import NOON_NS
from tests.sinks.farming import Farm

HOUR_NS = 3600 * NS_PER_S
NIGHT_NS = NOON_NS + 11 * HOUR_NS  # 23:00 UTC
SPAGHETTI, CAMERA = Kind.SPAGHETTI, Kind.CAMERA_FAULT


def test_a_failure_is_told_at_once_and_once() -> None:
    farm = Farm()
    anomaly = farm.opens("voron-2", SPAGHETTI)
    [message] = farm.due().messages
    assert (message.id, message.revision, message.about) == (anomaly.id, 1, About.FAILURE)
    assert (message.phase, message.loud, message.printers) == (Phase.OPENED, True, ("voron-2",))
    farm.policy.take_anomaly(anomaly, farm.now_ns)  # delivered again
    farm.passes(30)
    assert len(farm.told) == 1


def test_what_grows_is_told_quietly_and_what_is_over_aloud() -> None:
    farm = Farm()
    farm.opens("voron-2", SPAGHETTI, severity=0.8)
    farm.passes(10)
    farm.changes("voron-2", SPAGHETTI, severity=0.95)
    farm.passes(10)
    farm.closes("voron-2", SPAGHETTI)
    farm.passes(90)
    assert [(one.phase, one.loud) for one in farm.told] == [
        (Phase.OPENED, True),
        (Phase.UPDATED, False),
        (Phase.UPDATED, False),
        (Phase.CLOSED, True),
    ]
    assert [one.revision for one in farm.told] == [1, 2, 3, 4]
    assert "over after" in farm.told[-1].title


def test_what_comes_back_before_it_settled_is_the_same_message() -> None:
    farm = Farm()
    for _ in range(5):
        farm.opens("voron-2", SPAGHETTI)
        farm.passes(20)
        farm.closes("voron-2", SPAGHETTI)
        farm.passes(20)
    farm.passes(90)
    assert [one.phase for one in farm.loud] == [Phase.OPENED, Phase.CLOSED]
    assert len({one.id for one in farm.told}) == 1


def test_the_same_failure_in_the_next_print_is_told_anew() -> None:
    farm = Farm()
    farm.opens("voron-2", SPAGHETTI, job="a")
    farm.passes(5)
    farm.closes("voron-2", SPAGHETTI, job="a")
    farm.opens("voron-2", SPAGHETTI, job="b")
    farm.passes(1)
    assert [one.phase for one in farm.loud] == [Phase.OPENED, Phase.OPENED]


def test_a_kind_that_is_off_at_a_printer_is_not_told_there() -> None:
    off = KindRules(printers={"voron-2": {SPAGHETTI: KindRule(Reaction.OFF)}})
    farm = Farm(kinds=off)
    farm.opens("voron-2", SPAGHETTI)
    farm.opens("ender-3", SPAGHETTI)
    farm.passes(5)
    assert [one.printers for one in farm.told] == [("ender-3",)]


def test_a_kind_is_told_from_its_own_severity_on() -> None:
    farm = Farm(kinds=KindRules(farm={SPAGHETTI: KindRule(notify_at=0.9)}))
    farm.opens("voron-2", SPAGHETTI, severity=0.8)
    farm.passes(5)
    assert farm.told == []
    farm.changes("voron-2", SPAGHETTI, severity=0.93)
    farm.passes(1)
    assert len(farm.loud) == 1


def test_many_printers_that_fail_alike_are_one_message_after_the_first_few() -> None:
    farm = Farm(group_from=5)
    for number in range(20):
        farm.opens(f"p{number:02}", Kind.HEATER_FAULT)
    farm.due()
    assert [len(one.printers) for one in farm.loud] == [1, 1, 1, 1, 16]
    assert farm.loud[-1].title == "16 printers: heater fault"
    for number in range(20, 30):
        farm.opens(f"p{number:02}", Kind.HEATER_FAULT)
        farm.passes(1)
    farm.passes(60)
    assert len(farm.loud) == 6, "who joins is told aloud, at most once a minute"
    assert len(farm.loud[-1].printers) == 26
    for number in range(30):
        farm.closes(f"p{number:02}", Kind.HEATER_FAULT)
    farm.passes(90)
    assert [one.phase for one in farm.loud[6:]] == [Phase.CLOSED] * 5, "one all-clear for each message"


def test_different_failures_are_no_group() -> None:
    farm = Farm(group_from=2)
    farm.opens("p0", Kind.HEATER_FAULT)
    farm.opens("p1", SPAGHETTI)
    farm.due()
    assert [len(one.printers) for one in farm.loud] == [1, 1]


def test_a_short_silence_of_a_camera_is_not_told() -> None:
    farm = Farm()
    farm.opens("voron-2", CAMERA)
    farm.passes(10)
    farm.closes("voron-2", CAMERA)
    farm.passes(600)
    assert farm.told == []


def test_a_camera_that_stays_silent_is_told_as_blindness() -> None:
    farm = Farm()
    farm.opens("voron-2", CAMERA)
    farm.passes(25)
    [message] = farm.loud
    assert message.about is About.BLIND
    assert any("the print itself may be fine" in line for line in message.lines)


def test_a_camera_that_comes_and_goes_is_told_once() -> None:
    farm = Farm()
    for _ in range(40):
        farm.opens("voron-2", CAMERA)
        farm.passes(8)
        farm.closes("voron-2", CAMERA)
        farm.passes(20)
    farm.passes(600)
    assert [one.phase for one in farm.loud] == [Phase.OPENED, Phase.CLOSED]
    assert "comes and goes" in farm.loud[0].title


def test_nobody_is_woken_in_quiet_hours_but_for_what_can_burn() -> None:
    farm = Farm(NIGHT_NS, quiet=Quiet(22 * 60, 7 * 60), zone=UTC)
    farm.opens("voron-2", SPAGHETTI)
    farm.opens("ender-3", SPAGHETTI)
    farm.passes(60)
    assert farm.loud == []
    assert len(farm.told) == 2, "who can replace what was said, is told quietly"
    farm.opens("prusa-1", Kind.HEATER_FAULT)
    farm.passes(1)
    assert [one.printers for one in farm.loud] == [("prusa-1",)]
    farm.closes("ender-3", SPAGHETTI)
    farm.passes(120)
    farm.now_ns = NIGHT_NS + 8 * HOUR_NS
    farm.passes(2)
    morning = farm.loud[1:]
    assert [(one.about, one.printers) for one in morning] == [
        (About.FAILURE, ("voron-2",)),  # is still open
        (About.DIGEST, ()),  # what came and went
    ]
    assert any("ender-3" in line for line in morning[1].lines)


def test_a_digest_comes_once_a_day() -> None:
    farm = Farm(digest_min=13 * 60, zone=UTC)
    farm.opens("voron-2", SPAGHETTI)
    farm.passes(5)
    farm.closes("voron-2", SPAGHETTI)
    farm.passes(90)
    farm.opens("ender-3", SPAGHETTI)
    for hour in range(1, 50):
        farm.now_ns = NOON_NS + hour * HOUR_NS
        farm.passes(2)
        farm.restarts()
    digests = [one for one in farm.loud if one.about is About.DIGEST]
    assert len(digests) == 3
    assert any("voron-2" in line for line in digests[0].lines)
    assert "1 still open" in digests[1].title
    assert len({one.id for one in digests}) == 3


def test_what_nobody_answers_is_escalated_once() -> None:
    farm = Farm(escalate_after_ns=600 * NS_PER_S)
    farm.opens("voron-2", SPAGHETTI)
    farm.opens("ender-3", SPAGHETTI)
    farm.passes(300)
    farm.answers(Word.SEEN, printer="ender-3")
    farm.passes(1000)
    escalated = [one for one in farm.loud if one.escalated]
    assert [one.printers for one in escalated] == [("voron-2",)]
    assert "Nobody has answered." in escalated[0].lines


def test_a_snooze_holds_back_and_what_is_still_so_afterwards_is_told() -> None:
    farm = Farm()
    farm.answers(Word.SNOOZE, printer="voron-2", for_ns=600 * NS_PER_S)
    farm.opens("voron-2", SPAGHETTI)
    farm.opens("ender-3", SPAGHETTI)
    farm.passes(500)
    assert [one.printers for one in farm.loud] == [("ender-3",)]
    farm.passes(200)
    assert [one.printers for one in farm.loud] == [("ender-3",), ("voron-2",)]


def test_a_snooze_of_the_farm_ends_when_it_is_woken() -> None:
    farm = Farm()
    farm.answers(Word.SNOOZE)
    farm.opens("voron-2", SPAGHETTI)
    farm.passes(5)
    assert farm.loud == []
    farm.answers(Word.WAKE)
    farm.passes(1)
    assert len(farm.loud) == 1


def test_a_print_that_is_fine_is_left_alone_and_teaches() -> None:
    farm = Farm()
    anomaly = farm.opens("voron-2", SPAGHETTI)
    farm.passes(5)
    farm.answers(Word.FINE, message=anomaly.id)
    farm.passes(5)
    [label] = farm.labels
    assert (label.printer, label.job, label.kind, label.anomaly) == ("voron-2", "a.gcode", None, anomaly.id)
    farm.closes("voron-2", SPAGHETTI)
    farm.opens("voron-2", SPAGHETTI)
    farm.passes(200)
    assert len(farm.loud) == 1, "nothing more of this kind in this print"
    farm.opens("voron-2", Kind.HEATER_FAULT)
    farm.passes(1)
    assert farm.loud[-1].kinds == (Kind.HEATER_FAULT,), "but what was not meant is told"
    farm.opens("voron-2", SPAGHETTI, job="b.gcode")
    farm.passes(1)
    assert farm.loud[-1].kinds == (SPAGHETTI,), "and the next print is another one"


def test_a_late_answer_still_teaches() -> None:
    farm = Farm()
    anomaly = farm.opens("voron-2", SPAGHETTI)
    farm.passes(5)
    farm.closes("voron-2", SPAGHETTI)
    farm.passes(120)
    farm.restarts()
    farm.answers(Word.FINE, message=anomaly.id)
    farm.due()
    assert [label.anomaly for label in farm.labels] == [anomaly.id]


@pytest.mark.parametrize("often", [1, 7])
def test_a_restart_neither_repeats_nor_forgets(often: int) -> None:
    farm = Farm()
    anomaly = farm.opens("voron-2", SPAGHETTI)
    farm.opens("ender-3", CAMERA)
    for second in farm.seconds(60):
        if second % often == 0:
            farm.restarts()
            farm.policy.take_anomaly(anomaly, farm.now_ns)  # was not acknowledged
    assert sorted(one.printers for one in farm.loud) == [("ender-3",), ("voron-2",)]
    farm.closes("voron-2", SPAGHETTI)
    farm.restarts()
    farm.passes(90)
    assert farm.loud[-1].phase is Phase.CLOSED


def test_a_stage_that_falls_silent_is_told_and_so_is_its_return() -> None:
    farm = Farm(printers=("voron-2",))
    farm.says("ingest")
    farm.says("detector/0")
    for _ in farm.seconds(45):
        farm.says("detector/0")
    [message] = farm.loud
    assert message.about is About.BLIND
    assert "ingest has said nothing" in message.title
    for _ in farm.seconds(30):
        farm.says("detector/0")
        farm.says("ingest")
    assert farm.loud[-1].title == "The watch: ingest works again"


def test_a_log_that_cannot_write_is_one_alert() -> None:
    farm = Farm()
    for _ in farm.seconds(600):
        farm.says("ingest")
        farm.says("detector/0")
        farm.says("sink/log", Health.DEGRADED, "log: cannot write (No space left on device)")
    [message] = farm.loud
    assert "No space left" in message.title


def test_a_part_that_the_farm_no_longer_has_is_no_alert() -> None:
    farm = Farm(printers=("voron-2",))
    farm.says("ingest", printer="sold-one", health=Health.DOWN)
    for _ in farm.seconds(100):
        farm.says("ingest")
        farm.says("detector/0")
    assert farm.told == []


def test_links_are_filled_in_and_quoted() -> None:
    farm = Farm(link="https://farm.local/{printer}?a={anomaly}")
    farm.opens("a b/<c>", SPAGHETTI)
    [message] = farm.due().messages
    assert message.links == {"Open": "https://farm.local/a%20b%2F%3Cc%3E?a=a1"}
