"""The one error tree of Nozzlewatch.

    NozzlewatchError
    ├── UsageError             what was asked for makes no sense (exit code 2)
    │   └── FarmFileError      all mistakes of a farm file at once
    ├── RecordError            bytes that are no record of ours, or a newer one
    ├── SourceError            a camera or a printer
    │   ├── SourceNotFound     what the source's address names is not there, or holds nothing to read
    │   ├── CameraUnreachable
    │   ├── PrinterUnreachable
    │   └── CommandFailed      a printer did not do what it was asked to
    └── StoreError             Redis or the embedded Valkey
        ├── StoreUnreachable
        └── Fenced             another process has taken this shard over

Every message names what was found, what was expected and what to do.
"""


class NozzlewatchError(Exception):
    """Anything that Nozzlewatch raises on purpose; the command line prints it without a traceback."""


class UsageError(NozzlewatchError):
    """What was asked for makes no sense: arguments or configuration are to be corrected."""


class FarmFileError(UsageError):
    """A farm file with mistakes. ``mistakes`` holds one line for each of them."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class RecordError(NozzlewatchError):
    """Bytes that cannot be read as the record that was expected."""


class SourceError(NozzlewatchError):
    """A camera or a telemetry source that cannot be used as its address says."""


class SourceNotFound(SourceError):
    """The address of a source names nothing that exists, or something empty."""


class CameraUnreachable(SourceError):
    """A camera has given up for now; its caller decides when to try again."""


class PrinterUnreachable(SourceError):
    """A printer's port has given up for now; its caller decides when to try again."""


class CommandFailed(SourceError):
    """A printer refused a command, or did not confirm it in time."""


class StoreError(NozzlewatchError):
    """The stores (Redis or the embedded Valkey) cannot do what was asked."""


class StoreUnreachable(StoreError):
    """No store answers at the configured address."""


class Fenced(StoreError):
    """Another process has taken this shard over: stop writing to it."""
