"""What the queue and timer functions call. An outage never leaves here as an exception: five of them poison a message
within minutes, and an outage lasts longer.
"""

from __future__ import annotations

import hashlib
import json
import logging

from shared import telemetry
from shared.errors import Retryable
from shared.storage.queues import Queue, decode, put_back
from shared.workflow.engine import Engine
from shared.workflow.store import Bodies


class Triggers:
    """The functions of the queues `workflow-steps` and `workflow-steps-poison`, and of the sweep's timer."""

    def __init__(self, engine: Engine, steps: Queue, rejected: Bodies) -> None:
        self._engine = engine
        self._steps = steps
        self._rejected = rejected

    def go_on(self, body: bytes) -> None:
        """One message. What it raises is a fault of this app: the host delivers again, and poisons it in the end."""
        message = self._read(body)
        if message is None:
            return
        try:
            with telemetry.timed("workflow-steps", target=message[0]):
                self._engine.go_on(*message)
        except Retryable as error:
            put_back(self._steps, body, error)

    def poisoned(self, body: bytes) -> None:
        """One message that the host gave up. Never raises: whatever is missed here the sweep finds again."""
        try:
            message = self._read(body)
            if message is not None:
                with telemetry.timed("workflow-steps-poison", target=message[0]):
                    self._engine.poisoned(*message)
        except Exception:
            logging.getLogger(telemetry.LOGGER).exception("A poisoned message could not be looked after.")

    def sweep(self) -> None:
        """Each minute. Storage that is away is no failure: the next sweep finds the same."""
        try:
            with telemetry.timed("workflow-sweep") as fields:
                fields["found"] = self._engine.sweep()
        except Retryable:
            return  # `timed` has logged it

    def _read(self, body: bytes) -> tuple[str, int] | None:
        """Id and turn; a message that is none of ours is kept in the container `rejected`, with the reason."""
        try:
            message = json.loads(decode(body))
            id, turn = message["id"], message["turn"]
            if isinstance(id, str) and type(turn) is int:
                return id, turn
            reason = "`id` is not a text, or `turn` not a number."
        except (ValueError, TypeError, KeyError) as error:
            reason = f"Not a message of this app: {type(error).__name__}."
        self._reject(body, reason)
        return None

    def _reject(self, body: bytes, reason: str) -> None:
        name = f"workflow-steps/{hashlib.sha256(body).hexdigest()}"
        telemetry.event("workflow-steps", "rejected", target=name, level=logging.ERROR, message=reason)
        copy = {"reason": reason, "message": body.decode("utf-8", "replace")}
        try:
            self._rejected.put(name, json.dumps(copy).encode())
        except Retryable as error:
            put_back(self._steps, body, error)
