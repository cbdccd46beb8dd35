"""What the queue and timer functions of refreshes call. What is Retryable leaves here: their decorator sends the
message again, so that an outage never counts as a failed delivery.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from shared import telemetry
from shared.errors import Fault, Misconfigured, Retryable
from shared.refresh.documents import NAME, RefreshDocument
from shared.refresh.events import Landed, read
from shared.refresh.rules import Match, matches
from shared.storage.rejected import NOT_OURS, Rejected, own_message
from shared.times import Now

if TYPE_CHECKING:
    from shared.storage.blobs import Container

LANDED, LOOKS = "data-landed", "refresh-looks"
GIVEN_UP = "It failed again and again by a fault of this app. When that is mended, put it on the queue again."


class Engine(Protocol):
    """What is asked of the refresh engine."""

    def land(self, landed: Landed, matches: Sequence[Match]) -> int: ...

    def look(self, dataset_id: str, number: int) -> None: ...

    def poisoned(self, dataset_id: str) -> None: ...

    def sweep(self) -> int: ...


class RefreshTriggers:
    """The functions of the queues `data-landed`, `refresh-looks` and their poison queues, and of the sweep's timer."""

    def __init__(
        self, engine: Engine, document: Callable[[], RefreshDocument | None], rejected: Container, now: Now
    ) -> None:
        self._engine = engine
        self._document = document
        self._rejected = Rejected(rejected, now)

    def land(self, body: bytes) -> None:
        """One message of Event Grid's: what landed is recorded for the datasets that it concerns; what can never be
        read goes to the container `rejected`. Raises Retryable, also while no refresh.yaml is in force.
        """
        with telemetry.timed(LANDED) as line:
            found = read(body)
            line.update(landed=len(found.landed), faults=len(found.faults))
            line["matches"] = sum(self._land(landed) for landed in found.landed)
            if found.faults:
                line["outcome"] = "rejected"
                self._reject(body, found.faults)

    def landed_poisoned(self, body: bytes) -> None:
        """A message that the host gave up: tried once more, for a file may hang on it, else kept and told.

        Raises nothing but Retryable.
        """
        try:
            self.land(body)
        except Retryable:
            raise
        except Exception:  # noqa: BLE001 - nobody would come after this one; it is logged with its trace
            self._give_up(LANDED, body)

    def look(self, body: bytes) -> None:
        """Look at one dataset."""
        message = self._read(body)
        if message is not None:
            with telemetry.timed(LOOKS, target=message[0]):
                self._engine.look(*message)

    def look_poisoned(self, body: bytes) -> None:
        """A look that the host gave up: the dataset is looked at all the same. Raises nothing but Retryable; whatever
        is missed here the sweep finds.
        """
        try:
            message = self._read(body)
            if message is not None:
                with telemetry.timed(f"{LOOKS}-poison", target=message[0]):
                    self._engine.poisoned(message[0])
        except Retryable:
            raise
        except Exception:  # noqa: BLE001 - as above
            self._give_up(LOOKS, body)

    def sweep(self) -> None:
        """Each minute: datasets whose look was lost."""
        with telemetry.timed("refresh-sweep") as line:
            line["found"] = self._engine.sweep()

    def _land(self, landed: Landed) -> int:
        found = matches(self._in_force(), landed.path)
        if not found:
            telemetry.event(LANDED, "no rule", target=landed.path)
            return 0
        return self._engine.land(landed, found)

    def _in_force(self) -> RefreshDocument:
        document = self._document()
        if document is None:
            raise Misconfigured(f"No {NAME} is in force: files wait until an operator has uploaded a valid one.")
        return document

    def _give_up(self, queue: str, body: bytes) -> None:
        logging.getLogger(telemetry.LOGGER).exception("A message of %s could not be handled.", queue)
        try:
            self._rejected.keep(queue, body, GIVEN_UP)
        except Retryable:
            raise
        except Exception:
            logging.getLogger(telemetry.LOGGER).exception("A message of %s could not be kept.", queue)

    def _reject(self, body: bytes, faults: Sequence[Fault]) -> None:
        self._rejected.keep(LANDED, body, " ".join(f"{fault.path} {fault.message}".strip() for fault in faults))

    def _read(self, body: bytes) -> tuple[str, int] | None:
        """Dataset id and number; a message that is none of ours is kept in the container `rejected`."""
        message = own_message(body, datasetId=str, number=int)
        if message is None:
            self._rejected.keep(LOOKS, body, NOT_OURS)
            return None
        return message[0], message[1]
