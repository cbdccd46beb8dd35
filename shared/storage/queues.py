"""Storage queues, thin: messages are JSON, never lost by age; what triggers get is decoded by one decoder."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.errors import Invalid, Retryable
from shared.storage.connection import storage_errors

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueServiceClient

LARGEST_MESSAGE = 64 * 1024
"""Bytes of text that the service takes as one message."""
LONGEST_DELAY = timedelta(days=7)
"""The service keeps no message invisible for longer."""
FOREVER = -1


class Queue:
    """One queue, to send to. Raises the errors of `storage_errors`."""

    def __init__(self, service: Callable[[], QueueServiceClient], name: str) -> None:
        self._service = service
        self._name = name
        self._client: QueueClient | None = None

    def send(self, message: Mapping[str, Any], delay: timedelta = timedelta(0)) -> None:
        """Visible after `delay`, rounded up to seconds, so never before. Raises Invalid above 64 KiB."""
        self.send_text(json.dumps(message, separators=(",", ":")), delay)

    def send_text(self, text: str, delay: timedelta = timedelta(0)) -> None:
        """The text as it is; it has to be free of characters that XML refuses (JSON in ASCII is)."""
        if len(text.encode()) > LARGEST_MESSAGE:
            raise Invalid(f"A message for the queue {self._name} is larger than 64 KiB: put its content into a blob.")
        hidden = math.ceil(max(timedelta(0), min(delay, LONGEST_DELAY)).total_seconds())
        with storage_errors("queue send"):
            self._queue().send_message(text, visibility_timeout=hidden, time_to_live=FOREVER)

    def _queue(self) -> QueueClient:
        if self._client is None:
            self._client = self._service().get_queue_client(self._name)
        return self._client


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
        queue.send_text(_as_ascii(decode(body)), delay)
    except Retryable:
        raise error from None


def _as_ascii(body: bytes) -> str:
    """JSON as text that any queue takes; what is no JSON goes back as base64 and stays what it is."""
    try:
        return json.dumps(json.loads(body), separators=(",", ":"))
    except ValueError:
        return base64.b64encode(body).decode("ascii")
