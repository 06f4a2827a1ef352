"""What is asked of printers: read from ``nw:commands:{shard}``, carried out at most once, answered.

Nobody but ingest talks to a printer. Who wants something appends a ``Command``; the ingest process that
holds the printer notes that it begins (so that no second process and no restart does it again), tells the
printer, waits for the printer's own confirmation and appends a ``CommandResult`` to
``nw:command-results:{shard}``. A command whose process died in the middle is answered UNKNOWN.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, cast

import redis

from ingest.errors import CommandFailed, RecordError, SourceError
from ingest.records import NS_PER_S, Action, Command, CommandResult, Outcome, decode, encode
from ingest.stage import StoreSource, serve_through_outages
from ingest.store import Stores
from ingest.stream import (
    DATA,
    PRINTERS,
    Entry,
    Reader,
    bury,
    ensure_groups,
    entries_of,
    key,
    shard_of,
    store_errors,
)

log = logging.getLogger("nozzlewatch.ingest")

Do = Callable[[Action], Awaitable[str]]
"""Tells a printer; returns its own confirmation. See ``ingest.sources.Commandable``."""

CONFIRMED_WITHIN_S = 20.0
"""How long a printer may take to confirm: OctoPrint's pause waits for the move that runs and its script."""
VALID_FOR_S = 10.0
"""How long a command may wait for its turn where its sender says nothing else."""
REMEMBERED_S = 24 * 3600
"""How long an id counts as carried out."""
KEPT_RESULTS = 1000
BATCH = 16
BLOCK_MS = 200


class CommandDesk:
    """Serves the commands of one ingest process; ``printers`` says how each is told, None for not at all.

    ``serve`` runs in a thread of its own, the printers are told on the event loop that was running when the
    desk was made.
    """

    def __init__(self, printers: Mapping[str, Do | None], shards: int) -> None:
        self._printers, self._shards = printers, shards
        self._loop = asyncio.get_running_loop()
        self._turns = {name: asyncio.Lock() for name in printers}  # one command at a time to a printer
        self._done: deque[tuple[Entry, CommandResult]] = deque()  # results that are not written yet
        self._running: dict[str, Entry] = {}

    def serve(self, source: StoreSource, stop: threading.Event) -> None:
        """Carry out commands until ``stop`` is set; a store that goes away is waited for."""
        serve_through_outages(source, stop, lambda stores: self._serve(stores.events, stop))

    def _serve(self, events: redis.Redis, stop: threading.Event) -> None:
        streams = [key("commands", shard) for shard in range(self._shards)]
        ensure_groups(events, range(self._shards))
        reader = Reader(events, streams, PRINTERS)
        for entries in reader.pending(BATCH):
            self._take(events, entries)
        while not stop.is_set():
            self._take(events, reader.read(BATCH, BLOCK_MS))
            while self._done:
                self._answer(events, *self._done[0])
                self._done.popleft()  # not before: the store may have gone meanwhile

    def _take(self, events: redis.Redis, entries: Sequence[Entry]) -> None:
        for entry in entries:
            command = _command(events, entry)
            if command is None or self._running.get(command.id) == entry:
                continue
            refusal = self._refusal(command)
            if command.id in self._running:
                _acknowledge(events, entry)
            elif refusal is not None:
                self._answer(events, entry, refusal)
            elif _begins(events, entry, command):
                self._begin(entry, command)
            else:
                self._repeated(events, entry, command)

    def _refusal(self, command: Command) -> CommandResult | None:
        now_ns = time.time_ns()
        if now_ns > command.expires_ns:
            late_s = (now_ns - command.expires_ns) / NS_PER_S
            return _result(
                command, Outcome.EXPIRED, f"its turn came {late_s:.1f} s too late: nothing was sent"
            )
        if self._printers.get(command.printer) is None:
            reached = ", ".join(sorted(name for name, do in self._printers.items() if do)) or "none"
            found = "no way to tell this printer" if command.printer in self._printers else "no such printer"
            expected = f"expected one that can be told something: {reached}"
            return _result(command, Outcome.REFUSED, f"{command.printer}: found {found}, {expected}")
        return None

    def _begin(self, entry: Entry, command: Command) -> None:
        self._running[command.id] = entry
        future = asyncio.run_coroutine_threadsafe(self._carry_out(command), self._loop)
        future.add_done_callback(partial(self._ended, entry, command))

    async def _carry_out(self, command: Command) -> CommandResult:
        do = self._printers[command.printer]
        assert do is not None  # noqa: S101 - else it was refused
        try:
            async with asyncio.timeout(CONFIRMED_WITHIN_S), self._turns[command.printer]:
                told = await do(command.action)
        except TimeoutError:
            why = f"found no confirmation within {CONFIRMED_WITHIN_S:g} s, expected one: look at the printer"
            return _result(command, Outcome.FAILED, why)
        except SourceError as error:
            return _result(command, Outcome.FAILED, str(error))
        return _result(command, Outcome.DONE, told)

    def _ended(self, entry: Entry, command: Command, future: Future[CommandResult]) -> None:
        if future.cancelled():  # ingest ends: it may have reached the printer, its successor says so
            return
        error = future.exception()
        if error is not None:
            log.error("%s: %s failed: %r", command.printer, command.action, error)
            self._done.append((entry, _result(command, Outcome.FAILED, f"{type(error).__name__}: {error}")))
        else:
            self._done.append((entry, future.result()))

    def _repeated(self, events: redis.Redis, entry: Entry, command: Command) -> None:
        """An id that has begun before: answered already, or its process died in the middle."""
        with store_errors():
            state = events.get(_state_key(entry, command.id))
        if state == BEGUN:
            why = "the process that carried it out died meanwhile: look at the printer"
            self._answer(events, entry, _result(command, Outcome.UNKNOWN, why))
        else:
            _acknowledge(events, entry)

    def _answer(self, events: redis.Redis, entry: Entry, result: CommandResult) -> None:
        log.log(
            logging.INFO if result.outcome is Outcome.DONE else logging.WARNING,
            "%s: %s %s: %s", result.printer, result.action, result.outcome, result.detail,
        )  # fmt: skip
        with store_errors(), events.pipeline(transaction=True) as pipe:
            results = key("command-results", entry.shard)
            pipe.xadd(results, {DATA: encode(result)}, maxlen=KEPT_RESULTS, approximate=True)
            pipe.set(_state_key(entry, result.id), result.outcome.value, ex=REMEMBERED_S)
            pipe.xack(entry.stream, PRINTERS, entry.id)
            pipe.execute()
        self._running.pop(result.id, None)


BEGUN = b"begun"


def ask(
    stores: Stores, shards: int, printer: str, action: Action, *, by: str, reason: str = "",
    limit_s: float = VALID_FOR_S + CONFIRMED_WITHIN_S,
) -> CommandResult:  # fmt: skip
    """Ask something of a printer and wait for what became of it.

    Raises CommandFailed where nobody answers within ``limit_s``, StoreUnreachable without a store.
    """
    now_ns = time.time_ns()
    command = Command(
        id=uuid.uuid4().hex, printer=printer, action=action, by=by, reason=reason,
        asked_ns=now_ns, expires_ns=now_ns + int(VALID_FOR_S * NS_PER_S),
    )  # fmt: skip
    shard = shard_of(printer, shards)
    with store_errors():
        after = _newest(stores.events, key("command-results", shard))
        stores.events.xadd(key("commands", shard), {DATA: encode(command)})
    result = _wait_for(stores.events, key("command-results", shard), after, command.id, limit_s)
    if result is None:
        raise CommandFailed(
            f"{printer}: found no answer to {action} within {limit_s:g} s, expected one: "
            "is the farm being watched (nozzlewatch watch or ingest)?"
        )
    return result


def _wait_for(
    events: redis.Redis, stream: str, after: str, command_id: str, limit_s: float
) -> CommandResult | None:
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        with store_errors():
            reply = cast(Any, events.xread({stream: after}, block=BLOCK_MS))
        for entry in entries_of(reply):
            after = entry.id
            result = decode(entry.data or b"", CommandResult)
            if result.id == command_id:
                return result
    return None


def _newest(events: redis.Redis, stream: str) -> str:
    newest = cast(list[tuple[bytes, Any]], events.xrevrange(stream, count=1))
    return newest[0][0].decode() if newest else "0"


def _command(events: redis.Redis, entry: Entry) -> Command | None:
    """The command of an entry; what is none becomes a dead letter."""
    try:
        return decode(entry.data or b"", Command)
    except RecordError as error:
        log.error("%s %s: %s", entry.stream, entry.id, error)  # noqa: TRY400 - the message says it all
        with store_errors(), events.pipeline(transaction=True) as pipe:
            bury(pipe, entry, str(error))
            pipe.xack(entry.stream, PRINTERS, entry.id)
            pipe.execute()
        return None


def _acknowledge(events: redis.Redis, entry: Entry) -> None:
    with store_errors():
        events.xack(entry.stream, PRINTERS, entry.id)


def _begins(events: redis.Redis, entry: Entry, command: Command) -> bool:
    """Note that this command is being carried out; False where it was begun before."""
    with store_errors():
        return bool(events.set(_state_key(entry, command.id), BEGUN, nx=True, ex=REMEMBERED_S))


def _state_key(entry: Entry, command_id: str) -> str:
    return f"{key('command', entry.shard)}:{command_id}"


def _result(command: Command, outcome: Outcome, detail: str) -> CommandResult:
    return CommandResult(
        id=command.id, printer=command.printer, action=command.action,
        at_ns=time.time_ns(), outcome=outcome, detail=detail,
    )  # fmt: skip
