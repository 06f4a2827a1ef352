"""What the surface table is made of: which trainings, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.jobs import Job
from bench.surface_trials import KINDS, PUBLISHED, path_of

SEEDS = (0, 1, 2, 3, 4)
PUBLISHED_SEEDS = SEEDS[:2]
"""The authors' way takes three times as many epochs as ours, and two seeds show how far it is from ours."""


def jobs(seeds: Sequence[int] = SEEDS) -> list[Job]:
    """Everything that the table is made of, in the order in which it is begun."""
    return [
        *_trainings([kind for kind in KINDS if kind.startswith("msa")], seeds),
        *(_job("few", seed, "bench.surface_few", str(seed)) for seed in seeds),
        *(_job("unlike", seed, "bench.surface_unlike", str(seed), needs="msa-200") for seed in seeds),
        _job("other", 0, "bench.surface_other"),
        *_trainings(["plain-200", "modern-200"], seeds),
        *_trainings(["plain-100", "plain-50", "plain-10"], seeds),
        *_trainings([kind for kind in KINDS if kind.startswith(PUBLISHED)], PUBLISHED_SEEDS),
    ]


def _trainings(kinds: Sequence[str], seeds: Sequence[int]) -> Iterator[Job]:
    for kind in kinds:
        for seed in seeds:
            yield _job(kind, seed, "bench.surface_trials", kind, str(seed))


def _job(kind: str, seed: int, *program: str, needs: str = "") -> Job:
    """``needs``: the kind whose network of the same seed it judges by."""
    return Job(f"{kind} {seed}", program, path_of(kind, seed), path_of(needs, seed) if needs else None)
