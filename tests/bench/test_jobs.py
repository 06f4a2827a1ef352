"""Jobs that make a file each: what is there is kept, and what waits for another is begun after it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from bench.jobs import Job, run


def quiet() -> Console:
    return Console(file=io.StringIO())


def touching(name: str, folder: Path, needs: Path | None = None) -> Job:
    """``python -m zipfile -c FILE SOURCE`` is a program that every Python has and that makes a file."""
    return Job(name, ("zipfile", "-c", str(folder / name), __file__), folder / name, needs)


def test_what_is_there_is_kept_and_the_rest_is_made(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("kept")
    assert run([touching("one", tmp_path), touching("two", tmp_path)], 2, quiet())
    assert (tmp_path / "one").read_text() == "kept"
    assert (tmp_path / "two").stat().st_size > 0


def test_a_job_waits_for_the_file_that_it_needs(tmp_path: Path) -> None:
    second = touching("second", tmp_path, needs=tmp_path / "first")
    assert run([second, touching("first", tmp_path)], 2, quiet())
    assert (tmp_path / "first").stat().st_mtime_ns < (tmp_path / "second").stat().st_mtime_ns


def test_what_fails_is_said_and_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = Job("broken", ("no_such_module",), tmp_path / "x")
    assert not run([broken, touching("fine", tmp_path)], 1, quiet())
    assert (tmp_path / "fine").is_file()


def test_jobs_that_need_what_nobody_makes_end_the_run(tmp_path: Path) -> None:
    assert not run([touching("never", tmp_path, needs=tmp_path / "nowhere")], 1, quiet())
