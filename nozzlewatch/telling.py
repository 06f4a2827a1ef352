"""``nozzlewatch tell``: pauses, resumes or cancels a print through the ingest that holds the printer."""

from __future__ import annotations

import getpass
import sys
from contextlib import closing
from pathlib import Path

from ingest.commands import ask
from ingest.errors import UsageError
from ingest.farm import load_farm
from ingest.records import Action, Outcome
from ingest.running import FAILED, FINE
from ingest.stage import StoreSource


def tell(farm_file: Path, printer: str, action: Action) -> int:
    """Ask and wait for the printer's own confirmation; the exit code says whether it came.

    Raises FarmFileError, UsageError for a printer that the farm does not have, StoreUnreachable and
    CommandFailed where nobody watches the farm.
    """
    farm = load_farm(farm_file)
    names = [one.name for one in farm.printers]
    if printer not in names:
        raise UsageError(
            f"found no printer {printer!r} in {farm_file.name}, expected one of: {', '.join(names)}"
        )
    with closing(StoreSource(farm).attach()) as stores:
        result = ask(stores, farm.table.shards, printer, action, by=getpass.getuser())
    sys.stdout.write(f"{printer}: {action} {result.outcome}: {result.detail}\n")
    return FINE if result.outcome is Outcome.DONE else FAILED
