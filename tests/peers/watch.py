"""A telemetry source that is read in a thread of its own, as a farm reads it, while a test goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TypeVar

from ingest.records import Action, Event, EventKind, Reading, SerialLine
from ingest.sources import Commandable, Telemetry, TelemetryItem
from ingest.telemetry import open_telemetry
from tests.waiting import wait_until

COMMAND_S = 30.0
"""How long a command may take to be confirmed."""

T = TypeVar("T", bound=TelemetryItem)


class Watch:
    """What a source has told so far. ``error`` is why it ended, None while it goes on."""

    def __init__(self, source: Telemetry) -> None:
        self.source = source
        self.items: list[TelemetryItem] = []
        self.error: BaseException | None = None
        self.loop = asyncio.new_event_loop()
        self._reading: asyncio.Task[None] | None = None

    def tell(self, action: Action) -> str:
        """Give a command and wait for its confirmation."""
        assert isinstance(self.source, Commandable)
        told = asyncio.run_coroutine_threadsafe(self.source.command(action), self.loop)
        return told.result(COMMAND_S)

    def readings(self, channel: str) -> list[float]:
        return [item.value for item in self._all(Reading) if item.channel == channel]

    def events(self, *kinds: EventKind) -> list[tuple[EventKind, str]]:
        """Kind and text of the events, of these kinds or all, in order."""
        return [(e.kind, e.text) for e in self._all(Event) if not kinds or e.kind in kinds]

    def lines(self, *, sent: bool) -> list[str]:
        return [item.text for item in self._all(SerialLine) if item.sent is sent]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; an error of the source ends the wait."""
        wait_until(lambda: bool(condition()) or self.error is not None, what=what)
        assert condition(), f"{what}: the source ended with {self.error!r}"

    def until_told(self, kind: EventKind, text: str | None = None) -> None:
        told = f"event {kind} {text or ''}"
        self.until(lambda: any(e[0] is kind and text in (None, e[1]) for e in self.events()), told)

    def until_ended(self) -> BaseException:
        """Wait until the source has raised; returns what."""
        wait_until(lambda: self.error is not None, what="the source to end")
        assert self.error is not None
        return self.error

    def _all(self, kind: type[T]) -> Iterator[T]:
        return (item for item in list(self.items) if isinstance(item, kind))

    def run(self) -> None:
        self.loop.run_until_complete(self._main())
        self.loop.close()

    def stop(self) -> None:
        def cancel() -> None:
            assert self._reading is not None
            self._reading.cancel()

        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(cancel)

    async def _main(self) -> None:
        self._reading = asyncio.create_task(self._read())
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            async with aclosing(self.source.items()) as items:  # type: ignore[type-var]
                async for item in items:
                    self.items.append(item)
        except Exception as error:  # the test asks what it was
            self.error = error


@contextmanager
def watching(address: str, *, with_lines: bool = False) -> Iterator[Watch]:
    """A source that is opened and read until the block is left."""
    source = open_telemetry(address, "p")
    source.with_lines = with_lines
    with reading(source) as watch:
        yield watch


@contextmanager
def reading(source: Telemetry) -> Iterator[Watch]:
    """A source that is read, perhaps anew, until the block is left."""
    watch = Watch(source)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join(COMMAND_S)
        assert not thread.is_alive(), "the source did not stop when it was told to"
