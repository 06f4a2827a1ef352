"""What the detector keeps of each printer between windows, and how it comes back after a restart.

Three things make it up: the last windows and their embeddings (``nw:context:{shard}``, a capped stream), what
the network looked at in the last beats (``nw:beats:{shard}``, another one), and the open episodes with the
running figures of novelty, of the pictures' quality and of the network's evidence, and by which pictures a
finished part is to be judged (``nw:state:{shard}``, a hash). All are written in the same transaction as the
scores they led to, so a detector that starts anew goes on exactly where the last committed one was.
"""

from __future__ import annotations

from msgspec import field
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.beats import Token, WatchState, belongs
from detector.episodes import Episode
from detector.finished import Finish
from detector.novelty import NoveltyState
from detector.rules import HotendPast
from features.quality import QualityState
from features.sequence import History
from ingest.records import Record, Window

HORIZON = 120
"""Windows that rules and models look back on: two minutes at the default span."""


class Context(Record, frozen=True, kw_only=True):
    """One judged window and the embedding of its frame (float16 [dim] as bytes, None without a frame)."""

    window: Window
    embedding: bytes | None


class PrinterState(Record, frozen=True, kw_only=True):
    """A printer's running figures after its last judged window."""

    printer: str
    job: str
    last_index: int
    model: str = ""  # version of what judged: embeddings of two versions cannot be compared
    episodes: dict[Kind, Episode] = field(default_factory=dict)
    novelty: NoveltyState | None = None
    quality: QualityState | None = None
    view: str = ""  # name of the view that pictures were read by: those of two cannot be compared
    clear_ns: int = 0  # when the newest picture was taken that bears no mark
    watch: WatchState | None = None  # the network at the print that runs; None where none runs, or no network
    heat: HotendPast | None = None  # what the hot end took in this print
    finish: Finish | None = None  # the print as far as its inspection needs it; None where nothing inspects


class PrinterMemory:
    """A printer as the detector has it in memory."""

    def __init__(self, printer: str) -> None:
        self.state = PrinterState(printer=printer, job="", last_index=-1)
        self.history = History(HORIZON)
        self.context_ids: list[str] = []  # stream ids of what the horizon still needs
        self.tokens: tuple[Token, ...] = ()  # of the print's last beats, as far back as the network looks
        self.token_ids: list[str] = []  # their stream ids, as far as they are committed

    def begin_anew(self) -> None:
        """The clock was set back between two jobs: what lies ahead of it is no past of the new one."""
        self.state = replace(self.state, last_index=-1)
        self.history = History(HORIZON)

    @property
    def last_index(self) -> int:
        """Index of the last window that was taken in, judged or not."""
        newest = self.history.newest.index if self.history.windows else -1
        return max(newest, self.state.last_index)

    def remember(self, context_id: str, capacity: int = HORIZON) -> None:
        """Note where the newest window's context was written."""
        self.context_ids.append(context_id)
        del self.context_ids[:-capacity]

    def remember_token(self, token_id: str) -> None:
        """Note where the next token was written; those that are kept in memory are the last ones."""
        self.token_ids.append(token_id)
        del self.token_ids[: max(len(self.token_ids) - len(self.tokens), 0)]

    def settle(self, state: PrinterState, tokens: tuple[Token, ...] | None = None) -> None:
        """Take on what judging led to; ``tokens`` are those to be kept, None where no beat was closed.

        With the print the network's past of it ends.
        """
        kept = self.tokens if tokens is None else tokens
        self.state = state
        self.tokens = tuple(token for token in kept if belongs(token, state.watch, state.job))


class Memories(dict[str, PrinterMemory]):
    """The printers of a shard by name; one that is asked for the first time begins with nothing."""

    def __missing__(self, printer: str) -> PrinterMemory:
        memory = self[printer] = PrinterMemory(printer)
        return memory
