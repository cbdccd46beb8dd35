"""What the queue and timer functions of workflows call. What is Retryable leaves here: their decorator sends the
message again, so that an outage never counts as a failed delivery.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import Retryable
from shared.storage.rejected import NOT_OURS, Rejected, own_message
from shared.times import Now
from shared.workflow.engine import Engine

if TYPE_CHECKING:
    from shared.storage.blobs import Container

STEPS = "workflow-steps"


class Triggers:
    """The functions of the queues `workflow-steps` and `workflow-steps-poison`, and of the sweep's timer."""

    def __init__(self, engine: Engine, rejected: Container, now: Now) -> None:
        self._engine = engine
        self._rejected = Rejected(rejected, now)

    def go_on(self, body: bytes) -> None:
        """One message. Anything but Retryable is a fault of this app: the host delivers it again, and poisons it in
        the end.
        """
        message = self._read(body)
        if message is not None:
            with telemetry.timed(STEPS, target=message[0]):
                self._engine.go_on(*message)

    def poisoned(self, body: bytes) -> None:
        """One message that the host gave up. Raises nothing but Retryable; whatever is missed here the sweep finds."""
        try:
            message = self._read(body)
            if message is not None:
                with telemetry.timed(f"{STEPS}-poison", target=message[0]):
                    self._engine.poisoned(*message)
        except Retryable:
            raise
        except Exception:
            logging.getLogger(telemetry.LOGGER).exception("A poisoned message could not be looked after.")

    def sweep(self) -> None:
        """Each minute: workflows whose message was lost or whose worker died."""
        with telemetry.timed("workflow-sweep") as line:
            line["found"] = self._engine.sweep()

    def _read(self, body: bytes) -> tuple[str, int] | None:
        """Id and turn; a message that is none of ours is kept in the container `rejected`."""
        message = own_message(body, id=str, turn=int)
        if message is None:
            self._rejected.keep(STEPS, body, NOT_OURS)
            return None
        return message[0], message[1]
