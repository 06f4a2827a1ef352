"""What is asked of printers: at most once, confirmed, in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ingest import commands
from ingest.commands import BEGUN, CommandDesk, Do, ask
from ingest.errors import CommandFailed
from ingest.farm import Farm, FarmTable
from ingest.records import NS_PER_S, Action, Command, CommandResult, Outcome, decode, encode
from ingest.stage import StoreSource
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import DATA, PRINTERS, backlog, key, shard_of
from tests.waiting import wait_until

SHARDS = 2
FAR_NS = 2**62


class Printer:
    """A printer that notes what it was told, and confirms when it is let."""

    def __init__(self) -> None:
        self.told: list[Action] = []
        self.confirms, self.confirmed = True, False

    async def command(self, action: Action) -> str:
        self.told.append(action)
        while not self.confirms:
            await asyncio.sleep(0.005)
        self.confirmed = True
        return "//action:paused"


@contextmanager
def desk(embedded: EmbeddedStores, printers: Mapping[str, Do | None]) -> Iterator[None]:
    """A desk at work beside the test, until the block ends."""
    urls = embedded.urls()
    table = FarmTable(redis=urls.events, redis_frames=urls.frames)
    source = StoreSource(Farm(Path("farm.toml"), table, (), {}))
    halt = threading.Event()

    async def serve() -> None:
        await asyncio.to_thread(CommandDesk(printers, SHARDS).serve, source, halt)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield
    finally:
        halt.set()
        thread.join()


def send(stores: Stores, command_id: str, printer: str = "ender", expires_ns: int = FAR_NS) -> None:
    command = Command(id=command_id, printer=printer, action=Action.PAUSE, asked_ns=0, expires_ns=expires_ns)
    stores.events.xadd(key("commands", shard_of(printer, SHARDS)), {DATA: encode(command)})


def results(stores: Stores) -> list[CommandResult]:
    rows = [stores.events.xrange(key("command-results", shard)) for shard in range(SHARDS)]
    return [decode(fields[DATA], CommandResult) for row in rows for _, fields in row]


def unanswered(stores: Stores) -> int:
    return sum(backlog(stores.events, key("commands", shard), PRINTERS) for shard in range(SHARDS))


def test_what_is_asked_is_done_and_answered_with_the_printers_own_words(
    embedded: EmbeddedStores, stores: Stores
) -> None:
    printer = Printer()
    with desk(embedded, {"ender": printer.command}):
        result = ask(stores, SHARDS, "ender", Action.PAUSE, by="test", limit_s=10)
    assert (result.outcome, result.detail) == (Outcome.DONE, "//action:paused")
    assert printer.told == [Action.PAUSE]


def test_the_same_command_is_never_carried_out_twice(embedded: EmbeddedStores, stores: Stores) -> None:
    printer = Printer()
    printer.confirms = False
    with desk(embedded, {"ender": printer.command}):
        send(stores, "one")
        wait_until(lambda: printer.told == [Action.PAUSE], 10, "the printer to be told")
        send(stores, "one")  # while it is under way …
        printer.confirms = True
        wait_until(lambda: len(results(stores)) == 1, 10, "its result")
        send(stores, "one")  # … and after it
        wait_until(lambda: unanswered(stores) == 0, 10, "nothing to be left")
    assert printer.told == [Action.PAUSE]
    assert len(results(stores)) == 1


def test_a_command_begun_by_a_process_that_died_is_not_repeated(
    embedded: EmbeddedStores, stores: Stores
) -> None:
    printer = Printer()
    send(stores, "one")
    stores.events.set(f"{key('command', shard_of('ender', SHARDS))}:one", BEGUN)
    with desk(embedded, {"ender": printer.command}):
        wait_until(lambda: len(results(stores)) == 1, 10, "an answer")
    assert printer.told == []
    assert results(stores)[0].outcome is Outcome.UNKNOWN


def test_a_command_that_expired_reaches_nobody(embedded: EmbeddedStores, stores: Stores) -> None:
    printer = Printer()
    send(stores, "old", expires_ns=NS_PER_S)
    with desk(embedded, {"ender": printer.command}):
        wait_until(lambda: len(results(stores)) == 1, 10, "an answer")
    assert printer.told == []
    assert results(stores)[0].outcome is Outcome.EXPIRED


def test_a_printer_that_does_not_confirm_holds_up_no_other_and_is_told_so(
    embedded: EmbeddedStores, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "CONFIRMED_WITHIN_S", 2.0)
    silent, well = Printer(), Printer()
    silent.confirms = False
    with desk(embedded, {"ender": silent.command, "prusa": well.command}):
        send(stores, "one")
        wait_until(lambda: bool(silent.told), 10, "the first to be told")
        assert ask(stores, SHARDS, "prusa", Action.PAUSE, by="test", limit_s=1.5).outcome is Outcome.DONE
        wait_until(lambda: len(results(stores)) == 2, 10, "both answers")
    failed = next(result for result in results(stores) if result.printer == "ender")
    assert failed.outcome is Outcome.FAILED
    assert "no confirmation within 2 s" in failed.detail


def test_an_answer_that_comes_while_the_store_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    printer = Printer()
    printer.confirms = False
    with EmbeddedStores(tmp_path) as own:
        own.ensure()
        with desk(own, {"ender": printer.command}), closing(open_stores(own.urls())) as before:
            send(before, "a")
            wait_until(lambda: printer.told)
            before.events.shutdown()
            printer.confirms = True
            wait_until(lambda: printer.confirmed)
            own.ensure()
            with closing(open_stores(own.urls())) as after:
                wait_until(lambda: results(after), what="the answer")
                assert [(told.id, told.outcome) for told in results(after)] == [("a", Outcome.DONE)]
                assert unanswered(after) == 0
    assert printer.told == [Action.PAUSE]


@pytest.mark.parametrize(("name", "words"), [("voron", "no such printer"), ("mute", "no way to tell")])
def test_who_cannot_be_told_is_refused_in_words(
    embedded: EmbeddedStores, stores: Stores, name: str, words: str
) -> None:
    with desk(embedded, {"ender": Printer().command, "mute": None}):
        result = ask(stores, SHARDS, name, Action.PAUSE, by="test", limit_s=10)
    assert result.outcome is Outcome.REFUSED
    assert words in result.detail
    assert "ender" in result.detail


def test_a_refusal_of_the_printer_is_passed_on(embedded: EmbeddedStores, stores: Stores) -> None:
    async def refuse(action: Action) -> str:
        raise CommandFailed(f"ender: found nothing that prints, expected a print to {action}")

    with desk(embedded, {"ender": refuse}):
        result = ask(stores, SHARDS, "ender", Action.PAUSE, by="test", limit_s=10)
    assert (result.outcome, result.detail) == (
        Outcome.FAILED, "ender: found nothing that prints, expected a print to pause",
    )  # fmt: skip


def test_what_is_no_command_becomes_a_dead_letter_and_blocks_nothing(
    embedded: EmbeddedStores, stores: Stores
) -> None:
    stores.events.xadd(key("commands", 0), {DATA: b"noise"})
    with desk(embedded, {"ender": Printer().command}):
        wait_until(lambda: stores.events.xlen(key("dead", 0)) == 1, 10, "a dead letter")
        assert ask(stores, SHARDS, "ender", Action.PAUSE, by="t", limit_s=10).outcome is Outcome.DONE


def test_asking_where_nobody_listens_fails_in_words(stores: Stores) -> None:
    with pytest.raises(CommandFailed, match="is the farm being watched"):
        ask(stores, SHARDS, "ender", Action.PAUSE, by="test", limit_s=0.3)
