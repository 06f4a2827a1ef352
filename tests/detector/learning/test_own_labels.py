"""Users' labels are read as they were meant, and every mistake in them is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.anomaly import Kind
from detector.learning.own_labels import check_names, iso, read_labels, relabelled
from detector.learning.shards import UNKNOWN, Shard
from detector.model.kinds import FINE, KINDS
from ingest.errors import UsageError
from tests.detector.learning.tiny_prints import BEATS, tiny

SPAGHETTI = 1 + KINDS.index(Kind.SPAGHETTI)


def written(folder: Path, text: str) -> Path:
    path = folder / "labels"
    path.write_text(text, encoding="utf-8")
    return path


def labelled(folder: Path, text: str) -> Shard:
    """A print called ``mine``, which bore no labels, with those of the text."""
    path = written(folder, text)
    return relabelled(tiny("mine"), read_labels(path)["mine"], path)


def test_before_a_failure_it_is_fine_and_after_it_nobody_knows(tmp_path: Path) -> None:
    own = labelled(tmp_path, "print,kind,from,to\nmine.mcap,spaghetti,22,60\n")
    assert own.labels.tolist() == [FINE] * 4 + [SPAGHETTI] * 8 + [UNKNOWN] * (BEATS - 12)
    assert (own.facts.kind, own.facts.onset_s) == (Kind.SPAGHETTI, 22.0)


def test_where_stretches_are_called_fine_they_alone_are(tmp_path: Path) -> None:
    text = "print,kind,from,to\nmine,fine,,15\nmine,spaghetti,22,\n"
    labels = labelled(tmp_path, text).labels.tolist()
    assert labels == [FINE] * 3 + [UNKNOWN] + [SPAGHETTI] * (BEATS - 4)


def test_a_print_that_is_fine_has_no_onset(tmp_path: Path) -> None:
    own = labelled(tmp_path, '{"print": "mine", "kind": "fine"}\n')
    assert (own.facts.kind, own.facts.onset_s) == (None, None)
    assert set(own.labels.tolist()) == {FINE}


def test_times_with_a_zone_and_seconds_mean_the_same(tmp_path: Path) -> None:
    begin_ns = tiny("mine").facts.begin_ns
    assert iso(begin_ns) == "2026-01-01T00:00:00+00:00"
    seconds = labelled(tmp_path, '{"print": "mine", "kind": "stall", "from": 30, "to": 55.5}')
    zoned = labelled(
        tmp_path,
        "print, kind, from, to\nmine, stall, 2026-01-01T01:00:30+01:00, 2026-01-01T00:00:55.500Z\n",
    )
    assert seconds.labels.tolist() == zoned.labels.tolist()
    assert seconds.facts == zoned.facts


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "print,kind,from,to\nmine,spagetti,1,2\n,stall,1,2\nmine,stall,nan,2\nmine,stall,9,2\nmine,stall,,2\n"
        "mine,stall,2026-01-01T00:00:00,\nmine,stall,1,2\n",
    )
    with pytest.raises(UsageError) as told:
        read_labels(path)
    expected = (
        "line 2: kind: found 'spagetti', expected fine or one of spaghetti, ",
        "line 3: print: found nothing",
        "line 4: from: found 'nan', expected seconds",
        "line 5: to: found '2', expected a time after '9'",
        "line 6: from: found nothing, expected when the failure began",
        "line 7: from: found '2026-01-01T00:00:00', expected seconds since the recording began, or ISO 8601",
    )
    lines = str(told.value).splitlines()
    assert len(lines) == len(expected)
    assert all(f"{path}: {each}" in line for each, line in zip(expected, lines, strict=True))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,kind\n", "line 1: found no column print, from, to"),
        ('{"print": "a"\n', "line 1: found no JSON"),
        ('{"print": "a", "kind": "stall", "from": true}\n', "line 1: from: found True"),
        ('{"print": "a", "kind": "stall", "from": 1}\n[]\n', r"line 2: found '\[\]', expected an object"),
        ("print,kind,from,to\n", "found no label"),
    ],
)
def test_what_is_no_list_of_labels_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_labels(written(tmp_path, text))


def test_labels_of_no_print_or_of_no_beat_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, "print,kind,from,to\nmine,stall,4000,\n")
    with pytest.raises(UsageError, match="line 2: found a stretch outside of mine, which begins at 2026"):
        relabelled(tiny("mine"), read_labels(path)["mine"], path)
    with pytest.raises(UsageError, match=r"line 2: found the print 'mine'\nexpected names .*: yours"):
        check_names(path, read_labels(path), ["yours"])
    with pytest.raises(UsageError, match="expected labels as CSV or JSON lines"):
        read_labels(tmp_path / "absent")
