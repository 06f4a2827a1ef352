"""What reads from Faust's agents into the sinks: durable first, then committed, also when partitions move.

Topics have Faust's own acknowledgements off (``acks=False``) and offsets are committed here: Faust marks an
event as done in a ``finally``, after an exception too, and also those that it skips in a rebalance; where
nothing was committed before, it would then commit beyond what the sinks have.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sinks.consume import RETRY_S
from sinks.errors import SinkError
from sinks.event_headers import farm_of, of_dead_letter
from sinks.event_json import DEAD, TOPICS
from sinks.handover import Handover, Mark
from sinks.intake import Incoming, Intake, Letter
from sinks.kafka_address import KafkaAddress

log = logging.getLogger("nozzlewatch.sinks")

InThread = Callable[..., Awaitable[Any]]
"""Calls a function with arguments in the sinks' thread."""


LEAVE_S = 5.0
"""How long brokers are waited for once the end was asked for: one that is away may never answer."""


class _UnansweredError(Exception):
    """The end came, and no broker has answered."""


class Plan(NamedTuple):
    """How the events are served."""

    flush_rows: int  # flush when so many events were read …
    flush_s: float  # … or so many seconds after the first of them
    group: str = "nozzlewatch-sinks"  # workers of one group share the partitions
    session_s: float = 15.0  # a worker that is silent for so long has died; brokers want 6 s at least
    handover: Handover | None = None  # where several workers write logs of their own


class Feed:
    """Takes what a Faust app reads into the sinks, and commits."""

    def __init__(
        self,
        app: Any,
        address: KafkaAddress,
        plan: Plan,
        intake: Intake,
        in_thread: InThread,
    ) -> None:
        self.served = False  # events came once
        self._app, self._plan, self._intake, self._in_thread = app, plan, intake, in_thread
        self._lock = asyncio.Lock()  # held while the sinks work and while partitions move
        # Kafka numbers the times that it shares partitions out; an event is of the one that it was read in.
        self._generation: int | None = None  # which one the events that we take are of
        self._handed_over: int | None = None  # whose partitions are about to move, or have
        self._buffer: list[Incoming] = []
        self._handover = plan.handover
        self._marks: list[Mark] = []  # of what the sinks have taken, not noted yet
        self._elsewhere: set[Mark] = set()  # what other workers' logs hold
        self._first_s = 0.0  # when the oldest of them came
        self._read: dict[
            tuple[str, int], int
        ] = {}  # up to which offset each partition was read; not committed yet
        self._trouble = ""  # why the sinks could not make it durable, empty when all is well
        self._failed = False  # for good: whoever reads on would commit beyond what was not kept
        self._leaving = asyncio.Event()  # brokers are waited for no longer
        self._dead = self._topic(address.topic(DEAD))
        for stream, topic in TOPICS.items():
            self._listen(stream, self._topic(address.topic(topic.name)))
        app.task(self._flush_in_time)
        app.on_partitions_revoked.connect(self._hand_over)
        app.on_partitions_assigned.connect(self._assigned)
        app.on_before_shutdown.connect(self._hand_over)

    def leave(self) -> None:
        """The app is about to end: wait for brokers LEAVE_S from now and no longer.

        What is not committed then is read again, and known by its entry.
        """
        asyncio.get_running_loop().call_later(LEAVE_S, self._leaving.set)

    def _topic(self, name: str) -> Any:
        # Bytes in and out: Faust's models would take what is no record of ours.
        return self._app.topic(
            name, value_type=bytes, key_serializer="raw", value_serializer="raw", acks=False
        )

    def _listen(self, stream: str, topic: Any) -> None:
        async def listen(events: Any) -> None:
            async for event in events.noack().events():
                try:
                    await self._offer(stream, event)
                except Exception as error:
                    await self._app.crash(error)
                    raise

        self._app.agent(topic, name=stream)(listen)

    async def _offer(self, stream: str, event: Any) -> None:
        """Take an event, as soon as there is room."""
        message = event.message
        headers = {name: value or b"" for name, value in dict(message.headers or {}).items()}
        while True:
            async with self._lock:
                generation = message.generation_id
                moved = (
                    generation in (self._handed_over, None) or generation != self._app.consumer_generation_id
                )
                if self._failed or moved:
                    return  # whoever has its partition reads it again
                if generation != self._generation:
                    await self._begin(generation)
                full = self._trouble or len(self._buffer) >= self._plan.flush_rows
                if not full or await self._flush():
                    self._first_s = self._first_s if self._buffer else time.monotonic()
                    place = (message.topic, message.partition, message.offset)
                    self._buffer.append(Incoming(stream, *place, message.key, message.value, headers))
                    self._read[message.tp] = message.offset + 1
                    return
            await asyncio.sleep(RETRY_S)

    async def _flush_in_time(self) -> None:
        while not self._app.should_stop:
            await self._app.sleep(min(self._plan.flush_s, RETRY_S))
            async with self._lock:
                old = self._buffer and time.monotonic() - self._first_s >= self._plan.flush_s
                if old or self._trouble:
                    await self._flush()

    async def _flush(self) -> bool:
        """Make durable what was read, then commit it; False where the sinks cannot for now."""
        if self._failed:
            return False
        batch, self._buffer = self._buffer, []
        new = [one for one in batch if _mark(one) not in self._elsewhere]
        try:
            letters = await self._in_thread(self._intake.take, new)
            self._marks += [_mark(one) for one in new] if self._handover else []
            buried = await self._bury(letters)
            await self._in_thread(self._intake.flush)
            if self._handover:
                await self._in_thread(self._handover.note, self._marks)
        except SinkError as error:
            if not self._trouble:
                log.error("%s", error)  # noqa: TRY400 - the message says it all
            self._trouble = str(error)
            return False
        except BaseException:
            self._failed = True
            raise
        if self._trouble:
            log.warning("%s: writing again", self._plan.group)
        self._trouble = ""
        if not buried:
            self._failed = True
            return False
        await self._commit()
        return True

    async def _commit(self) -> None:
        """Commit at once: what is durable and not committed comes again, to another worker maybe."""
        read, self._read, self._marks = self._read, {}, []
        if not read:
            return
        # Not ``commit()``: that goes by Faust's acknowledgements.
        with suppress(_UnansweredError):
            if await self._answer(self._app.consumer._commit_offsets(read)) and self._handover:
                await self._in_thread(self._handover.committed)

    async def _bury(self, letters: Sequence[Letter]) -> bool:
        """Send dead letters; False where no broker has them all for sure."""
        for told, error in letters:
            log.error("%s/%d/%d: %s", told.topic, told.partition, told.offset, error)
            headers = of_dead_letter(told.headers, told.topic, told.partition, told.offset, error)
            try:
                sent = await self._answer(self._dead.send(key=told.key, value=told.value, headers=headers))
                await self._answer(sent)
            except _UnansweredError:
                return False
        return True

    async def _answer(self, asked: Awaitable[Any]) -> Any:
        """What the brokers answer. Raises _UnansweredError where they have not until it is time to leave."""
        answer = asyncio.ensure_future(asked)
        leaving = asyncio.ensure_future(self._leaving.wait())
        try:
            await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _UnansweredError
            return answer.result()
        finally:
            answer.cancel()
            leaving.cancel()

    async def _begin(self, generation: int) -> None:
        """Those that had the partitions before have noted what they could not commit.

        Done with the first event and not when Faust says that partitions are assigned: events flow before
        it says so, and one that is let go then is never read again.
        """
        if self._handover:
            self._elsewhere = await self._in_thread(self._handover.held_by_others)
        self._generation, self.served = generation, True

    def _assigned(self, *_: object, **__: object) -> None:
        self._handed_over = None  # a group that was made anew counts from one again

    async def _hand_over(self, *_: object, **__: object) -> None:
        """Before partitions move or the app ends: what was read is durable and committed, or let go.

        With Kafka's classic protocol all partitions are revoked before any is assigned anew.
        """
        async with self._lock:
            await self._flush()
            self._generation, self._handed_over = None, self._app.consumer_generation_id
            self._read, self._marks = {}, []


def _mark(incoming: Incoming) -> Mark:
    return farm_of(incoming.headers), incoming.entry
