"""Queue triggers: polling, leases, retries and poison as the Functions host's storage extension does them.

Source of the behaviour: Microsoft Learn, "Azure Queue storage trigger", and the extension's public source
(QueueListener, QueueProcessor, RandomizedExponentialBackoffStrategy).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import random
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from emulator.host.app_settings import resolve
from emulator.host.converters import converter, datum
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.log import say
from emulator.host.options import Encoding, QueueOptions
from emulator.host.threads import HostThreads

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

POISON = "-poison"
_LONGEST_NAME = 63
_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")


def queue_name(written: str, environment: Mapping[str, str]) -> str:
    """The queue that a trigger names, `%SETTING%` filled in, in lower case; ValueError if no queue can be called so."""
    name = resolve(written, environment).lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a queue name (3 to 63 lower-case letters, digits and single dashes)")
    return name


def poison_name(queue: str) -> str | None:
    """The poison queue of `queue`; None where the host has none: for poison queues themselves and very long names."""
    name = queue + POISON
    return None if queue.endswith(POISON) or len(name) > _LONGEST_NAME else name


def decode(text: str, encoding: Encoding) -> str | None:
    """A message's text as the function gets it; None if it is not what the encoding demands."""
    if encoding == "none":
        return text
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.decode("utf-8", errors="replace")


class BackOff:
    """How long to wait before the next poll: 100 ms, growing at random while the queue stays empty."""

    def __init__(self, longest: timedelta) -> None:
        self._longest = longest.total_seconds()
        self._empty = 0

    def next(self, found: bool) -> float:
        """Seconds to wait after a poll that found something or nothing."""
        self._empty = 0 if found else self._empty + 1
        if self._empty == 0:
            return 0.1
        grown = 0.1 + random.uniform(0.8, 1.2) * 0.1 * 2.0 ** min(self._empty - 1, 30)
        return float(min(grown, self._longest))


@dataclass
class _Lease:
    """A message that this host holds; each renewal gives it another pop receipt."""

    id: str
    pop_receipt: str
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Listener:
    """Polls one queue for one function and sees each message through to its end."""

    def __init__(
        self,
        *,
        function: Function,
        queue: str,
        service: QueueServiceClient,
        options: QueueOptions,
        lease: timedelta,
        invoker: Invoker,
        threads: HostThreads,
        wake: Callable[[str], None],
    ) -> None:
        self.function = function
        self.queue = queue
        self._client: QueueClient = service.get_queue_client(queue)
        self._poison_name = poison_name(queue)
        self._poison: QueueClient | None = service.get_queue_client(self._poison_name) if self._poison_name else None
        self._options = options
        self._lease = max(1, round(lease.total_seconds()))
        self._invoker = invoker
        self._threads = threads
        self._wake = wake
        self._in_flight: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._stopping = False
        self._told_missing = False

    async def run(self) -> None:
        """Poll until stopped; returns when every message that was fetched is seen through."""
        back_off = BackOff(self._options.max_polling_interval)
        while not self._stopping:
            messages = await self._receive()
            for message in messages:
                self._begin(message)
            wait = back_off.next(bool(messages))
            if messages:
                await self._room()
            else:
                await self._sleep(wait)
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    def stop(self) -> None:
        """Fetch no more."""
        self._stopping = True
        self._woken.set()

    def wake(self) -> None:
        """Poll now: this host wrote to the queue."""
        self._woken.set()

    async def _receive(self) -> list[QueueMessage]:
        try:
            return await self._threads.call(self._fetch)
        except ResourceNotFoundError:
            if not self._told_missing:
                say(f"the queue {self.queue} does not exist; the host does not create it", "warning")
            self._told_missing = True
            return []
        except AzureError as error:
            status = error.status_code if isinstance(error, HttpResponseError) else None
            passing = status is None or status == 409 or status >= 500
            say(
                f"polling {self.queue} failed: {type(error).__name__} {status or ''}", "warning" if passing else "error"
            )
            return []

    def _fetch(self) -> list[QueueMessage]:
        found = self._client.receive_messages(
            messages_per_page=self._options.batch_size,
            visibility_timeout=self._lease,
            retry_total=0,  # the next poll is the retry
        )
        return list(next(found.by_page(), ()))

    def _begin(self, message: QueueMessage) -> None:
        task = asyncio.ensure_future(self._process(message))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _room(self) -> None:
        """Wait until few enough are in flight for the next batch."""
        while len(self._in_flight) > self._options.new_batch_threshold and not self._stopping:
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED, timeout=1)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return
        self._woken.clear()

    async def _process(self, message: QueueMessage) -> None:
        lease = _Lease(str(message.id), str(message.pop_receipt))
        try:
            await self._see_through(message, lease)
        except AzureError as error:
            say(f"a message of {self.queue} is left to the end of its lease: {type(error).__name__}", "error")

    async def _see_through(self, message: QueueMessage, lease: _Lease) -> None:
        text = decode(message.content or "", self._options.encoding)
        if (message.dequeue_count or 0) > self._options.max_dequeue_count:
            await self._poisoned(message, lease, "it was fetched too often")
        elif text is None:
            await self._poisoned(message, lease, "it is not base64, which host.json demands")
        elif await self._invoke(message, lease, text):
            await self._held(lease, self._delete)
        elif (message.dequeue_count or 0) >= self._options.max_dequeue_count:
            await self._poisoned(message, lease, f"it failed {message.dequeue_count} times")
        else:
            await self._held(lease, self._release)

    async def _invoke(self, message: QueueMessage, lease: _Lease, text: str) -> bool:
        renewal = asyncio.ensure_future(self._renew(lease))
        try:
            shown = {"queue": self.queue, "messageId": message.id, "dequeueCount": message.dequeue_count}
            outcome = await self._invoker.run(self.function, queue_message(message, text), shown=shown)
        finally:
            async with lease.renewing:  # a renewal under way brings the receipt without which nothing can be deleted
                renewal.cancel()
        return outcome.succeeded

    async def _renew(self, lease: _Lease) -> None:
        """Prolong the lease each time that half of it is over; who has lost it stops without a word."""
        wait = self._lease / 2
        while True:
            await asyncio.sleep(wait)
            try:
                async with lease.renewing:
                    lease.pop_receipt = await self._threads.call(lambda: self._update(lease, self._lease))
                wait = self._lease / 2
            except HttpResponseError as error:
                if (error.status_code or 500) < 500:
                    return
                wait = self._lease / 10
            except AzureError:
                wait = self._lease / 10

    def _update(self, lease: _Lease, seconds: int) -> str:
        """Change when the message is seen again, and tell its new pop receipt."""
        updated = self._client.update_message(lease.id, pop_receipt=lease.pop_receipt, visibility_timeout=seconds)
        return str(updated.pop_receipt)

    async def _held(self, lease: _Lease, work: Callable[[_Lease], None]) -> None:
        """Do the last thing to a message; that somebody else has it by now is no fault."""
        try:
            await self._threads.call(lambda: work(lease))
        except HttpResponseError as error:
            if error.status_code not in (400, 404):
                raise

    def _delete(self, lease: _Lease) -> None:
        self._client.delete_message(lease.id, pop_receipt=lease.pop_receipt)

    def _release(self, lease: _Lease) -> None:
        self._update(lease, round(self._options.visibility_timeout.total_seconds()))

    async def _poisoned(self, message: QueueMessage, lease: _Lease, reason: str) -> None:
        fields = {"queue": self.queue, "messageId": message.id, "dequeueCount": message.dequeue_count}
        if self._poison is None:
            say(f"a message of {self.queue} is left where it is: {reason}", "error", **fields)
            return
        await self._threads.call(lambda: self._copy_to_poison(message.content or ""))
        say(f"a message of {self.queue} was moved to {self._poison_name}: {reason}", "error", **fields)
        await self._held(lease, self._delete)
        self._wake(str(self._poison_name))

    def _copy_to_poison(self, content: str) -> None:
        """The body only, as it stands; the queue is created if need be."""
        assert self._poison is not None
        try:
            self._poison.send_message(content)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                self._poison.create_queue()
            self._poison.send_message(content)


def queue_message(message: QueueMessage | None, text: str) -> Any:
    """The message as the app gets it; without a message (run by hand) it has only a text."""
    facts: dict[str, Any] = {"Id": datum(message.id if message else str(uuid.uuid4()), "string")}
    if message is not None:
        times = {"InsertionTime": message.inserted_on, "ExpirationTime": message.expires_on}
        times["NextVisibleTime"] = message.next_visible_on
        facts |= {name: datum(f"{time:%Y-%m-%dT%H:%M:%S}+00:00", "string") for name, time in times.items() if time}
        facts["PopReceipt"] = datum(message.pop_receipt, "string")
    facts["DequeueCount"] = datum((message.dequeue_count if message else 0) or 0, "int")
    return converter("queueTrigger").decode(datum(text, "string"), trigger_metadata=facts)
