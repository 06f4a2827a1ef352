"""How many failures a picture can show at all: those that differ from their twins for a minute.

    nozzlewatch simulate --pairs --failing 1 --kinds KINDS ... -o DIR
    nozzlewatch preprocess --pictures-alone DIR -o BEATS
    python -m bench.visible BEATS

What no frame differs in, no network finds: of the failing prints, the share that shows its failure in some
cell (``SHOWN`` of its pixels) in frames that span a minute. Simulated; an upper bound, since what tells a
failure from its twin need not tell it from other prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from detector.learning.frame_batches import SHOWN, shows
from detector.learning.paired import PairedBeat, PairedPrints, read_pair
from detector.learning.shards import BEAT_S, read_shard, shards_in
from detector.training.intervals import wilson

MINUTE_S = 60.0


class Visible(NamedTuple):
    """Failing prints of a kind, and those whose failure shows in one frame, and in frames a minute apart."""

    kind: str
    prints: int
    once: int
    a_minute: int


def of_kind(kind: str, prints: Sequence[Sequence[PairedBeat]]) -> Visible:
    """Look at every moment of these prints."""
    spans_s = [span_s(moments) for moments in prints]
    once, a_minute = (
        sum(one is not None and one >= least_s for one in spans_s) for least_s in (0.0, MINUTE_S)
    )
    return Visible(kind, len(prints), once, a_minute)


def together(rows: Sequence[Visible]) -> Visible:
    """Of all kinds."""
    return Visible(
        "all",
        sum(row.prints for row in rows),
        sum(row.once for row in rows),
        sum(row.a_minute for row in rows),
    )


def span_s(moments: Sequence[PairedBeat]) -> float | None:
    """From the first moment that shows the failure to the last, s; None where none does."""
    seen = [one.row for one in moments if (pair := read_pair(one)) is not None and shows(pair)]
    if not seen:
        return None
    beats = read_shard(moments[0].failing, pictures=False).beats
    return float(beats[seen[-1]] - beats[seen[0]]) * BEAT_S


def main() -> None:
    """A line for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("beats", type=Path, nargs="+")
    prints = PairedPrints(shards_in(parser.parse_args().beats)).prints
    rows = [of_kind(kind.value, own) for kind, own in prints.items() if own]
    print(
        f"pictures whose failure shows ({SHOWN:.0%} of a cell's pixels differ): prints, once, over a minute"
    )
    for row in (*rows, together(rows)):
        share = wilson(row.a_minute, row.prints)
        told = f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
        print(f"{row.kind:16s} {row.prints:4d} {row.once:4d} {row.a_minute:4d}  {told}")


if __name__ == "__main__":
    main()
