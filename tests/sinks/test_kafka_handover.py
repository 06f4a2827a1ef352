"""What workers tell each other of rows that are durable and not committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks import handover
from sinks.errors import SinkError
from sinks.handover import NOTE, Handover

A, B, C = (("farm", ("nw:scores:{0}", f"{n}-0")) for n in range(3))


@pytest.fixture(name="workers")
def _workers(tmp_path: Path) -> tuple[Handover, Handover]:
    folders = [tmp_path / "worker=one", tmp_path / "worker=two"]
    for folder in folders:
        folder.mkdir()
    return Handover(folders[0]), Handover(folders[1])


def test_what_one_could_not_commit_the_other_knows(workers: tuple[Handover, Handover]) -> None:
    one, two = workers
    assert two.held_by_others() == set()
    one.note([A, B])
    assert two.held_by_others() == {A, B}
    assert one.held_by_others() == set()


def test_what_is_committed_needs_no_note_but_what_was_refused_before_keeps_its_own(
    workers: tuple[Handover, Handover], tmp_path: Path
) -> None:
    one, two = workers
    one.note([A])
    one.note([B])
    one.committed()
    assert two.held_by_others() == {A}


def test_a_worker_without_notes_leaves_no_file(workers: tuple[Handover, Handover], tmp_path: Path) -> None:
    workers[0].note([A])
    workers[0].committed()
    assert list(tmp_path.rglob(f"{NOTE}*")) == []


def test_old_notes_go(workers: tuple[Handover, Handover], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = workers
    one.note([A])
    monkeypatch.setattr(handover, "KEPT_S", 0.0)
    one.note([C])
    assert two.held_by_others() == {C}


def test_a_file_that_is_none_of_ours_is_told(workers: tuple[Handover, Handover], tmp_path: Path) -> None:
    (tmp_path / "worker=two" / NOTE).write_bytes(b"nonsense")
    with pytest.raises(SinkError, match="found other bytes"):
        workers[0].held_by_others()
