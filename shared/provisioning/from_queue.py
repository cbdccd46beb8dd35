"""Requests from the queue `provisioning-requests`: other systems' messages, all of them as one client.

A message that can never succeed is not tried again: it becomes a request that has failed, so that its sender can read
why, and a copy with the reason is kept in the container `rejected`.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Protocol

from shared import telemetry
from shared.errors import (
    AppError,
    Fault,
    InvalidRequest,
    Misconfigured,
    NotAllowed,
    RequestFault,
    TooManyRequests,
    Unavailable,
)
from shared.idempotency import KEY, request_id
from shared.provisioning.request import OPERATIONS, ProvisioningRequest, fits_a_key
from shared.provisioning.service import OPERATION, Provisioning, QueueCaller, caller_record
from shared.storage.queues import decode
from shared.times import Now, to_text
from shared.validation import check, parse_json
from shared.workflow.engine import Engine
from shared.workflow.records import Head, Status

Json = dict[str, Any]

QUEUE = "provisioning-requests"
POISONED = "The message failed again and again by a fault of this app. Report it with the message's id."


class Blobs(Protocol):
    """The container `rejected`."""

    def put(self, name: str, content: bytes) -> None: ...


class QueuedRequests:
    """The functions of the queue `provisioning-requests` and of its poison queue."""

    def __init__(self, provisioning: Provisioning, engine: Engine, rejected: Blobs, now: Now) -> None:
        self._provisioning = provisioning
        self._engine = engine
        self._rejected = rejected
        self._now = now

    def take(self, message_id: str, body: bytes) -> None:
        """One message. Raises Retryable where it has to come again later: storage is away, no policy in force, or too
        many requests for its project have not ended.
        """
        with telemetry.timed(QUEUE, target=message_id) as line:
            try:
                line["request"] = self._submit(message_id, body)["id"]
            except TooManyRequests as error:
                raise Unavailable(error.detail, retry_after=error.retry_after) from error
            except RequestFault as error:
                line["outcome"] = "rejected"
                self._reject(message_id, body, error)

    def poisoned(self, message_id: str, body: bytes) -> None:
        """A message that failed again and again. Never raises: what can't be recorded is logged."""
        try:
            with telemetry.timed(f"{QUEUE}-poison", target=message_id):
                self._reject(message_id, body, InvalidRequest(POISONED), code="internal")
        except Exception:
            logging.getLogger(telemetry.LOGGER).exception("A poisoned request could not be recorded.")

    def _submit(self, message_id: str, body: bytes) -> Json:
        request = check(ProvisioningRequest, parse_json(decode(body)))
        self._check_operation(request.root.operation)
        key = None if request.root.request_id else message_id
        return self._provisioning.submit(QueueCaller(), request, key)

    def _check_operation(self, operation: str) -> None:
        """What messages may ask for. Without a policy nobody can say so yet: the message waits."""
        try:
            allowed = self._provisioning.policy().clients.get("queue", [])
        except NotAllowed as error:
            raise Misconfigured(error.detail) from error
        if operation not in allowed:
            told = f"Messages may ask for (clients.queue): {', '.join(allowed) or 'nothing'}."
            raise InvalidRequest("The policy does not allow this request.", faults=[Fault("operation", told)])

    # ---- what can never succeed
    def _reject(self, message_id: str, body: bytes, error: RequestFault, code: str = "invalidRequest") -> None:
        text = decode(body)
        faults = [{"path": fault.path, "message": fault.message} for fault in error.faults]
        document = _read(text)
        id = request_id("queue", OPERATION, _key_of(document, message_id))
        copy = {
            "reason": error.detail,
            "errors": faults,
            "messageId": message_id,
            "requestId": id,
            "rejectedAt": to_text(self._now()),
            "message": text.decode("utf-8", "replace"),
        }
        self._rejected.put(f"{QUEUE}/{message_id}", json.dumps(copy, indent=1).encode())
        self._record(id, document, {"code": code, "message": _told(error), "step": "", "requestId": ""})
        telemetry.event(QUEUE, "rejected", target=message_id, level=logging.WARNING, request=id, message=error.detail)

    def _record(self, id: str, document: Json, error: Json) -> None:
        """A request that has failed before it began; one that is there already stays as it is. Then it is ended as any
        other, so that its failure is told."""
        now, operation = self._now(), document.get("operation")
        label, project = _text(document.get("requestedBy")), _text(document.get("project"))
        head = Head(
            id=id,
            kind=operation if operation in OPERATIONS else OPERATIONS[0],
            project=project if project and fits_a_key(project) else "-",
            client="queue",
            caller=caller_record(QueueCaller(), label or None),
            body_hash="",
            plan_version=0,
            correlation_id=telemetry.correlation_id() or id,
            created_at=now,
            due=now,
            updated_at=now,
            status=Status.FAILED,
            error=error,
        )
        store = self._engine.store
        known = store.head(id)
        if known is None:
            store.open(id, now)
            store.enlist(head)
            store.insert(head)
        if known is None or known.final:
            self._engine.go_on(id, head.turn)


def _read(text: bytes) -> Json:
    """What can be read of a message that was refused."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _key_of(document: Json, message_id: str) -> str:
    """Its own key where it has one that a valid message could have, else the storage message's id."""
    key = document.get("requestId")
    return key if isinstance(key, str) and KEY.fullmatch(key) else message_id


def _text(value: object) -> str:
    return value.strip()[:100] if isinstance(value, str) and value.isprintable() else ""


def _told(error: AppError) -> str:
    faults = error.faults if isinstance(error, RequestFault) else ()
    told = " ".join(f"{fault.path}: {fault.message}" for fault in faults)
    return f"{error.detail} {told}".strip()[:2000]
