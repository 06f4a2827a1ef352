"""The table of limits: what each limit of pictures beyond their past does, and what limits make of prints."""

from __future__ import annotations

from pathlib import Path

from bench.limits import by_limit, in_words, of, row
from detector.anomaly import Kind
from detector.learning.methods import PrintSet
from detector.learning.own_past import LEVELS
from detector.model.kinds import KINDS
from tests.detector.learning.looks import filed
from tests.detector.small_watch import small_model


def quiet(folder: Path) -> PrintSet:
    """A sound print and a failing one, whose pictures show something in their last part, and a network that
    never alarms."""
    model = small_model(threshold=0.999999, temperatures=(1.0,) * (1 + len(KINDS)), beyond=2.5)
    prints = [filed(folder, None, -1.0, "sound"), filed(folder, Kind.SPAGHETTI, 3.0, "failing")]
    return PrintSet(model, prints)


def test_a_line_for_each_limit_says_who_reaches_it(tmp_path: Path) -> None:
    prints = quiet(tmp_path)
    told = by_limit(prints, of(prints, prints.model, pictures=False))
    assert len(told) == len(LEVELS)
    assert told[0] == "from 2.0 on: 0.00 mistakes; reached falsely by 0 of 2, rightly by 1 of 1"
    assert told[-1] == "from 8.0 on: 10.00 mistakes; reached falsely by 0 of 2, rightly by 0 of 1"


def test_limits_are_told_with_and_without_pictures_by_themselves(tmp_path: Path) -> None:
    prints = quiet(tmp_path)
    first, kinds = row("as they are", of(prints, prints.model)).split("\n")[1:]
    assert first.strip().startswith("mistakes 0.0 [")
    assert kinds.strip() == "spaghetti 1/1"
    assert row("without", of(prints, prints.model, pictures=False)).endswith("spaghetti 0/1")
    assert in_words(prints.model).endswith("pictures from 2.5, temperature 1.00")
