"""Messages of this app's own queues, and the container `rejected`, where what can never succeed is kept."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from shared import telemetry
from shared.storage.queues import decode
from shared.times import Now, to_text

if TYPE_CHECKING:
    from shared.storage.blobs import Container

NOT_OURS = "Not a message of this app."


def own_message(body: bytes, **kinds: type) -> tuple[Any, ...] | None:
    """The fields of a message that this app wrote, each of its kind (`own_message(body, id=str, turn=int)`); None for
    any other message.
    """
    try:
        message = json.loads(decode(body))
        values = tuple(message[name] for name in kinds)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return values if all(type(value) is kind for value, kind in zip(values, kinds.values(), strict=True)) else None


class Rejected:
    """The container `rejected`."""

    def __init__(self, container: Container, now: Now) -> None:
        self._container = container
        self._now = now

    def keep(self, queue: str, body: bytes, reason: str) -> None:
        """A copy with the reason, under a name that is the same for a repeat. Raises Retryable if storage is away."""
        name = f"{queue}/{hashlib.sha256(body).hexdigest()}"
        telemetry.event(queue, "rejected", target=name, level=logging.ERROR, message=reason)
        copy = {
            "reason": reason,
            "rejectedAt": to_text(self._now()),
            "message": decode(body).decode("utf-8", "replace"),
        }
        self._container.put(name, json.dumps(copy, indent=1).encode())
