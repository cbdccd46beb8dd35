"""Storage queues, thin: messages are JSON, never lost by age; what triggers get is decoded by one decoder."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from shared.errors import Invalid, Retryable, Unavailable
from shared.storage.connection import storage_errors

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueServiceClient

LARGEST_MESSAGE = 64 * 1024
"""Bytes of text that the service takes as one message."""
LONGEST_DELAY = timedelta(days=7)
"""The service keeps no message invisible for longer."""
FOREVER = -1
MOST_PEEKED = 32
"""Messages that the service shows at once."""
HIDDEN = "hiddenSeconds"
"""Field of a message that was sent with a delay, and how long that was: a peek shows only when a message was put there,
and one that was not to come before an hour has not waited for that hour."""


@dataclass(frozen=True)
class Peeked:
    """A message that anybody may take."""

    inserted_at: datetime
    hidden: timedelta
    """How long it was kept invisible after that, if its text says so."""


@dataclass(frozen=True)
class Front:
    """What stands at the front of a queue. All times are by storage's own clock, whatever ours says."""

    seen_at: datetime
    messages: tuple[Peeked, ...]
    length: int
    """About how many messages there are, counting those that are invisible: delayed, or being worked on."""


class Queue:
    """One queue, to send to and to look at. Raises the errors of `storage_errors`."""

    def __init__(self, service: Callable[[], QueueServiceClient], name: str) -> None:
        self._service = service
        self._name = name
        self._client: QueueClient | None = None

    def send(self, message: Mapping[str, Any], delay: timedelta = timedelta(0)) -> None:
        """Visible after `delay`, rounded up to seconds, so never before. Raises Invalid above 64 KiB."""
        hidden = _seconds(delay)
        told = {**message, HIDDEN: hidden} if hidden else message
        self.send_text(json.dumps(told, separators=(",", ":")), delay)

    def send_text(self, text: str, delay: timedelta = timedelta(0)) -> None:
        """The text as it is; it has to be free of characters that XML refuses (JSON in ASCII is)."""
        if len(text.encode()) > LARGEST_MESSAGE:
            raise Invalid(f"A message for the queue {self._name} is larger than 64 KiB: put its content into a blob.")
        with storage_errors("queue send"):
            self._queue().send_message(text, visibility_timeout=_seconds(delay), time_to_live=FOREVER)

    def front(self) -> Front:
        """Its first messages and its length; nothing is taken, and no delivery counted. Two calls."""
        answers: list[Any] = []
        with storage_errors("queue peek"):
            found = self._queue().peek_messages(max_messages=MOST_PEEKED, raw_response_hook=answers.append)
            length = self._queue().get_queue_properties().approximate_message_count or 0
        messages = (Peeked(each.inserted_on, _hidden(each.content)) for each in found if each.inserted_on)
        return Front(_clock_of(answers[-1]), tuple(messages), length)

    def _queue(self) -> QueueClient:
        if self._client is None:
            self._client = self._service().get_queue_client(self._name)
        return self._client


def _seconds(delay: timedelta) -> int:
    return math.ceil(max(timedelta(0), min(delay, LONGEST_DELAY)).total_seconds())


def _clock_of(answer: Any) -> datetime:
    """When the service answered, by its clock (the header Date, which it sends with every answer)."""
    try:
        return parsedate_to_datetime(answer.http_response.headers["Date"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("Storage answered without saying when. Try again.") from error


def _hidden(content: object) -> timedelta:
    """What the message's text says of its delay; none where it says nothing, or nothing that can be true."""
    message = _object(content) if isinstance(content, str) and HIDDEN in content else {}
    match message.get(HIDDEN):
        case int(seconds) if type(seconds) is int and 0 <= seconds <= LONGEST_DELAY.total_seconds():
            return timedelta(seconds=seconds)
    return timedelta(0)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def decode(body: bytes) -> bytes:
    """A message's JSON: as it came, or, where the sender wrote base64, what that stands for."""
    if body.lstrip()[:1] in (b"{", b"["):
        return body
    try:
        decoded = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return body
    return decoded if decoded.lstrip()[:1] in (b"{", b"[") else body


def put_back(queue: Queue, body: bytes, error: Retryable) -> None:
    """Send a trigger's message again, to come when `error` says, so that an outage never counts as a failed delivery.

    Raises `error` where that fails as well: then the host gives the message back, and counts.
    """
    delay = timedelta(seconds=max(1.0, error.retry_after))
    try:
        queue.send_text(_as_ascii(decode(body), delay), delay)
    except Retryable:
        raise error from None


def _as_ascii(body: bytes, delay: timedelta) -> str:
    """JSON as text that any queue takes; what is no JSON goes back as base64 and stays what it is.

    A message that told of its delay tells of the new one: with the old one it would seem to be hidden for longer.
    """
    try:
        content = json.loads(body)
    except ValueError:
        return base64.b64encode(body).decode("ascii")
    if isinstance(content, dict) and HIDDEN in content:
        content[HIDDEN] = _seconds(delay)
    return json.dumps(content, separators=(",", ":"))
