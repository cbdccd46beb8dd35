"""What queue and timer functions share: correlation, and outages that never count as failures of a message.

Throttled, unavailable and faulty settings mean that the work waits. Were they to leave a function as an exception, the
host would deliver the message four times more and then give it up, all within minutes of an outage that lasts longer.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Callable
from typing import Any

import azure.functions as func

from shared import telemetry
from shared.errors import Retryable

Consumer = Callable[[func.QueueMessage], None]
Task = Callable[[func.TimerRequest], None]
POISON = "-poison"
"""How the host names the queue of messages that it has delivered in vain. Each is told, whatever becomes of it here:
even where the work is done at the second attempt, something was wrong with the first five deliveries."""


def endpoint(queue: str, key: str = "") -> Callable[[Consumer], Consumer]:
    """For a function of `queue`: what is Retryable sends the message again, to come later.

    `key`: a field of the message by which a repeat is known; where the sender left it out, the message's own id is what
    knows it, so that id has to go along when the message is sent again.
    """

    def decorate(function: Consumer) -> Consumer:
        @functools.wraps(function)
        def consume(message: func.QueueMessage) -> None:
            with telemetry.correlation(message.id or ""):
                if queue.endswith(POISON):
                    telemetry.event(queue, "given up by the host", target=message.id or "", level=logging.WARNING)
                try:
                    function(message)
                except Retryable as error:
                    telemetry.event(
                        queue, "put back", target=message.id or "", level=logging.WARNING, message=str(error)
                    )
                    body = _keyed(message, key) if key else message.get_body()
                    _put_back(queue, body, error)

        return consume

    return decorate


def timer(operation: str) -> Callable[[Task], Task]:
    """For a timer function: what is Retryable waits for the next tick."""

    def decorate(function: Task) -> Task:
        @functools.wraps(function)
        def tick(timer: func.TimerRequest) -> None:
            try:
                function(timer)
            except Retryable as error:
                telemetry.event(operation, "left to the next tick", level=logging.WARNING, message=str(error))

        return tick

    return decorate


def _put_back(queue: str, body: bytes, error: Retryable) -> None:
    """Needs the storage account alone, so that it works while other settings are faulty."""
    from shared.settings import StorageSettings
    from shared.storage.connection import StorageAccount
    from shared.storage.queues import Queue, put_back

    def credential() -> Any:
        from shared.auth.managed_identity import managed_identity

        return managed_identity(os.environ.get("MANAGED_IDENTITY_CLIENT_ID", ""))

    account = StorageAccount(StorageSettings.from_env(os.environ, "AzureWebJobsStorage"), credential)
    put_back(Queue(account.queues, queue), body, error)


def _keyed(message: func.QueueMessage, key: str) -> bytes:
    """The message with its own id as its key, unless it has one, or is nothing that could hold one."""
    from shared.errors import InvalidRequest
    from shared.storage.queues import decode
    from shared.validation import parse_json

    body = decode(message.get_body())
    try:
        content = parse_json(body)
    except InvalidRequest:  # it will be rejected as it is
        return body
    if not isinstance(content, dict) or key in content:
        return body
    return json.dumps({**content, key: message.id}).encode()
