"""Pausing by itself: where it is turned on, when it is sure for long enough, once, and told either way."""

from __future__ import annotations

import pytest

from detector.anomaly import Kind
from detector.kinds import KindRule, KindRules, Reaction
from ingest.records import NS_PER_S, Action, CommandResult, Outcome
from sinks.message import About, Word
from tests.sinks.farming import Farm

SPAGHETTI = Kind.SPAGHETTI
PAUSE = KindRules(farm={SPAGHETTI: KindRule(Reaction.PAUSE, pause_at=0.9, for_s=20.0)})


def fails(farm: Farm, seconds: float, probability: float = 0.95, every_s: int = 1) -> None:
    """The print fails, and the detector is so sure of it every so many seconds."""
    farm.opens("voron-2", SPAGHETTI)
    for second in farm.seconds(seconds):
        if second % every_s == 0:
            farm.scores("voron-2", SPAGHETTI, probability)


def result(farm: Farm, outcome: Outcome, detail: str = "") -> CommandResult:
    [command] = farm.commands
    return CommandResult(
        id=command.id, printer=command.printer, action=command.action, at_ns=farm.now_ns, outcome=outcome,
        detail=detail,
    )  # fmt: skip


def test_nothing_is_paused_unless_it_is_turned_on() -> None:
    farm = Farm()
    fails(farm, 300)
    assert farm.commands == []


@pytest.mark.parametrize("every_s", [1, 5])
def test_a_print_is_paused_once_when_it_is_sure_for_long_enough(every_s: int) -> None:
    farm = Farm(kinds=PAUSE)
    fails(farm, 15, every_s=every_s)
    assert farm.commands == []
    for second in farm.seconds(300):
        if second % every_s == 0:
            farm.scores("voron-2", SPAGHETTI, 0.95)
        farm.restarts() if second % 50 == 49 else None
    [command] = farm.commands
    assert (command.printer, command.action) == ("voron-2", Action.PAUSE)
    assert command.expires_ns > command.asked_ns
    assert "spaghetti at 90 % or more for 2" in command.reason


def test_what_is_not_sure_all_the_while_pauses_nothing() -> None:
    farm = Farm(kinds=PAUSE)
    farm.opens("voron-2", SPAGHETTI)
    for second in farm.seconds(300):
        farm.scores("voron-2", SPAGHETTI, 0.95 if second % 30 < 15 else 0.7)
    assert farm.commands == []


def test_what_is_sure_without_an_anomaly_pauses_nothing() -> None:
    farm = Farm(kinds=PAUSE)
    for _ in farm.seconds(100):
        farm.scores("voron-2", SPAGHETTI, 0.99)
    assert farm.commands == []


def test_what_was_judged_long_ago_pauses_nothing() -> None:
    farm = Farm(kinds=PAUSE)
    farm.opens("voron-2", SPAGHETTI)
    began_ns = farm.now_ns
    for second in range(100):  # a backlog, read an hour later
        farm.now_ns = began_ns + second * NS_PER_S
        farm.scores("voron-2", SPAGHETTI, 0.99)
    farm.now_ns = began_ns + 3600 * NS_PER_S
    farm.due()
    assert farm.commands == []


def test_a_print_that_is_fine_is_not_paused() -> None:
    farm = Farm(kinds=PAUSE)
    fails(farm, 5)
    farm.answers(Word.FINE, printer="voron-2")
    for _ in farm.seconds(100):
        farm.scores("voron-2", SPAGHETTI, 0.99)
    assert farm.commands == []


def test_a_resumed_print_is_not_paused_again_and_the_next_one_is() -> None:
    farm = Farm(kinds=PAUSE)
    fails(farm, 60)
    farm.closes("voron-2", SPAGHETTI)
    farm.passes(300)
    fails(farm, 60)
    assert len(farm.commands) == 1
    farm.opens("voron-2", SPAGHETTI, job="b.gcode")
    for _ in farm.seconds(60):
        farm.scores("voron-2", SPAGHETTI, 0.99, job="b.gcode")
    assert len(farm.commands) == 2
    assert farm.commands[0].id != farm.commands[1].id


def test_one_printer_may_cancel_where_the_farm_only_tells() -> None:
    cancel = KindRules(printers={"voron-2": {SPAGHETTI: KindRule(Reaction.CANCEL, for_s=5.0)}})
    farm = Farm(kinds=cancel)
    fails(farm, 30)
    farm.opens("ender-3", SPAGHETTI)
    for _ in farm.seconds(30):
        farm.scores("ender-3", SPAGHETTI, 0.99)
    assert [(one.printer, one.action) for one in farm.commands] == [("voron-2", Action.CANCEL)]


@pytest.mark.parametrize(
    ("outcome", "title"), [(Outcome.DONE, "voron-2: paused"), (Outcome.FAILED, "voron-2: NOT paused")]
)
def test_what_the_printer_answered_is_told_once(outcome: Outcome, title: str) -> None:
    farm = Farm(kinds=PAUSE)
    fails(farm, 40)
    answer = result(farm, outcome, "because <b>")
    farm.policy.take_result(answer, farm.now_ns)
    farm.policy.take_result(answer, farm.now_ns)
    farm.passes(120)
    [message] = [one for one in farm.loud if one.about is About.ACTION]
    assert message.title == title
    assert f"Answer: {outcome}: because <b>" in message.lines


def test_a_printer_that_does_not_answer_is_told() -> None:
    farm = Farm(kinds=PAUSE)
    fails(farm, 40)
    farm.restarts()
    farm.passes(120)
    [message] = [one for one in farm.loud if one.about is About.ACTION]
    assert message.title == "voron-2: NOT paused"
    assert "no answer" in message.body


def test_the_answer_to_somebody_else_is_none_of_ours() -> None:
    farm = Farm(kinds=PAUSE)
    fails(farm, 40)
    other = CommandResult(
        id="x", printer="voron-2", action=Action.PAUSE, at_ns=farm.now_ns, outcome=Outcome.DONE
    )
    farm.policy.take_result(other, farm.now_ns)
    farm.due()
    assert [one for one in farm.loud if one.about is About.ACTION] == []
