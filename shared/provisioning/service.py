"""Provisioning as its callers know it: submit, get, list, cancel, retry. Here it is decided who may ask for what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared import telemetry
from shared.errors import Ended, Fault, InvalidRequest, NotAllowed, Unknown
from shared.idempotency import REUSED, Keys, key_of, request_id
from shared.listing import Query, page
from shared.provisioning.dry_run import planned
from shared.provisioning.kinds import ADMIN_ROLE, not_owner, owns
from shared.provisioning.orders import accepted, orders
from shared.provisioning.policy import PolicyDocument
from shared.provisioning.request import (
    OPERATIONS,
    TOO_LONG,
    AnyRequest,
    ProvisioningRequest,
    ProvisionRequest,
    fits_a_key,
    request_hash,
)
from shared.provisioning.rules import broken_rules
from shared.provisioning.status_document import NO_DESCRIPTION, status_document, summary
from shared.validation import check
from shared.workflow.engine import Acceptance, Engine
from shared.workflow.records import Head, Status
from shared.workflow.store import is_place_of

if TYPE_CHECKING:
    from shared.provisioning.steps.common import Services

Json = dict[str, Any]

OPERATION = "provisioning-requests"
"""To what an idempotency key belongs, besides the client."""
FILTERS = {"status": [status.value for status in Status], "project": ()}
"""What a list may be asked for."""


class CallerLike(Protocol):
    """A verified caller: `shared.auth.callers.Caller`, or the queue."""

    @property
    def kind(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def object_id(self) -> str: ...
    @property
    def roles(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class QueueCaller:
    """Whoever may write to the queue `provisioning-requests`: storage has verified them, as one client."""

    kind: str = "queue"
    client_id: str = "queue"
    object_id: str = ""
    roles: frozenset[str] = frozenset()


class Provisioning:
    """The service behind the HTTP routes and the queue; shared by all threads.

    `policy` answers the policy in force, or None: then nothing may be asked for.
    """

    def __init__(
        self, engine: Engine, services: Services, policy: Callable[[], PolicyDocument | None], keys: Keys
    ) -> None:
        self._engine = engine
        self._services = services
        self._policy = policy
        self._keys = keys

    def submit(
        self,
        caller: CallerLike,
        request: ProvisioningRequest,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Json:
        """The status document of the request, which will be carried out; or with `dry_run` the plan for it.

        Raises  InvalidRequest (key, policy), NotAllowed (ownership, role, no policy in force), Ended (a key that was
                used for another body), TooManyRequests (of the project have not ended), and Retryable errors
        """
        asked = request.root
        key = key_of(idempotency_key, asked.request_id)
        if dry_run:
            return self._dry_run(caller, asked)
        id = request_id(caller.client_id, OPERATION, key)
        known = self._engine.store.head(id)
        if known is not None and known.body_hash == request_hash(asked):
            return self._document(known)
        body = self._allowed(caller, asked)
        if known is not None:
            raise Ended(REUSED)
        return self._document(self._engine.accept(_acceptance(id, caller, asked, body)))

    def get(self, id: str) -> Json:
        """The status document; raises Unknown."""
        return self._document(self._head(id))

    def list(self, query: Query) -> Json:
        """One page, the newest first: `{"value": [...], "continuationToken": ...}`; `query` by `FILTERS`. Entries lack
        the steps.
        """
        project, status = query.filters.get("project", "").strip(), query.filters.get("status", "")
        if not fits_a_key(project):
            raise InvalidRequest("The list can't be given as it was asked for.", faults=[Fault("project", TOO_LONG)])

        def more(after: str, number: int) -> list[tuple[str, Head | None]]:
            places = self._engine.store.listed(project, after, number)
            return [(place, self._wanted(place, id, status)) for place, id in places]

        return page(query, more, summary)

    def _wanted(self, place: str, id: str, status: str) -> Head | None:
        head = self._engine.store.head(id)
        return head if head and is_place_of(head, place) and status in ("", head.status.value) else None

    def cancel(self, caller: CallerLike, id: str, idempotency_key: str | None = None) -> Json:
        """Take back what was made. Raises Unknown, NotAllowed, InvalidRequest (key), or Ended where there is nothing
        left to cancel.
        """
        head = self._owned(caller, id)

        def cancel(act: str) -> None:
            self._engine.cancel(head.id, act)

        self._keys.act_once(caller.client_id, f"{OPERATION}/cancel", idempotency_key, head.id, cancel)
        return self.get(head.id)

    def retry(self, caller: CallerLike, id: str, idempotency_key: str | None = None) -> Json:
        """Begin again after a failure, by the policy of now. Raises Unknown, NotAllowed, Ended, InvalidRequest,
        TooManyRequests.
        """
        head = self._owned(caller, id)

        def begin_again(act: str) -> None:
            if act not in head.acts:
                self._engine.retry(head.id, act, self._allowed_now(caller, head))

        self._keys.act_once(caller.client_id, f"{OPERATION}/retry", idempotency_key, head.id, begin_again)
        return self.get(head.id)

    def _allowed_now(self, caller: CallerLike, head: Head) -> Json | None:
        """The body for another round; None where there will be none."""
        body = self._engine.store.body(head)
        if body is None:
            raise Ended("This request can't be tried again: it was never valid. Send it anew under another key.")
        if head.status is not Status.FAILED:
            return None
        return self._allowed(caller, check(ProvisioningRequest, body["request"]).root)

    # ---- what may be asked for
    def policy(self) -> PolicyDocument:
        """The policy in force; raises NotAllowed where there is none."""
        policy = self._policy()
        if policy is None:
            detail = "No policy.yaml is in force, so nothing may be provisioned. An operator must upload a valid one."
            raise NotAllowed(detail)
        return policy

    def _allowed(self, caller: CallerLike, asked: AnyRequest) -> Json:
        """The workflow's body, if the policy allows it and the caller may ask for it."""
        policy = self.policy()
        faults = broken_rules(asked, policy)
        if faults:
            raise InvalidRequest("The policy does not allow this request.", faults=faults)
        if isinstance(asked, ProvisionRequest) and asked.adopt and ADMIN_ROLE not in caller.roles:
            raise NotAllowed(f"adopt: true needs the app role '{ADMIN_ROLE}'.")
        project = self._engine.store.project(asked.project)
        if not owns(caller.client_id, caller.roles, project):
            raise NotAllowed(not_owner(project))
        return accepted(asked, policy)

    def _dry_run(self, caller: CallerLike, asked: AnyRequest) -> Json:
        body = self._allowed(caller, asked)
        project = self._engine.store.project(asked.project)
        described = isinstance(asked, ProvisionRequest) and asked.description
        return {
            "dryRun": True,
            "operation": asked.operation,
            "project": asked.project,
            "environments": {order.environment: planned(self._services, order, project) for order in orders(body)},
            "warnings": [NO_DESCRIPTION] if described else [],
        }

    # ---- heads
    def _head(self, id: str) -> Head:
        known = id.lower()
        head = self._engine.store.head(known) if _is_id(known) else None
        if head is None or head.kind not in OPERATIONS:
            raise Unknown(f"There is no provisioning request {id[:64]}.")
        return head

    def _owned(self, caller: CallerLike, id: str) -> Head:
        head = self._head(id)
        if head.client != caller.client_id and ADMIN_ROLE not in caller.roles:
            raise NotAllowed(f"The request belongs to another client. This needs the app role '{ADMIN_ROLE}'.")
        return head

    def _document(self, head: Head) -> Json:
        fresh, rows = self._engine.store.journal(head.id)
        return status_document(fresh or head, rows, self._engine.store.body(head))


def caller_record(caller: CallerLike, requested_by: str | None) -> Json:
    """The caller as it is kept beside the request; `requestedBy` is a label that anybody may write."""
    record: Json = {
        "kind": caller.kind,
        "clientId": caller.client_id,
        "objectId": caller.object_id,
        "roles": sorted(caller.roles),
    }
    return record | ({"requestedBy": requested_by} if requested_by else {})


def _acceptance(id: str, caller: CallerLike, asked: AnyRequest, body: Mapping[str, Any]) -> Acceptance:
    return Acceptance(
        id=id,
        kind=asked.operation,
        project=asked.project,
        client=caller.client_id,
        caller=caller_record(caller, asked.requested_by),
        body=dict(body),
        body_hash=request_hash(asked),
        correlation_id=telemetry.correlation_id() or id,
    )


def _is_id(id: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id) is not None
