"""Refresh runs as their callers know them: start, get, list, cancel."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shared import telemetry
from shared.errors import Fault, InvalidRequest, NotAllowed, Unknown
from shared.idempotency import Keys, body_hash, key_of
from shared.listing import Query, page
from shared.refresh.documents import NAME, DatasetPolicy, RefreshDocument
from shared.refresh.records import Run, RunStatus
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.run_document import run_document

if TYPE_CHECKING:
    from shared.auth.callers import Caller

Json = dict[str, Any]

OPERATION = "refresh-runs"
"""To what an idempotency key belongs, besides the client."""
FILTERS = {"dataset": (), "status": tuple(status.value for status in RunStatus)}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Engine(Protocol):
    """What is asked of the refresh engine."""

    def start(
        self, policy: DatasetPolicy, *, run_id: str, caller: Json, body: Json | None, correlation_id: str
    ) -> Run: ...

    def cancel(self, run_id: str, act: str) -> Run: ...

    def run(self, run_id: str) -> Run | None: ...

    def listed(self, dataset_id: str, after: str, top: int) -> Sequence[tuple[str, Run | None]]: ...


class RefreshRuns:
    """The service behind the HTTP routes; shared by all threads. `document`: what is in force, None for nothing."""

    def __init__(self, engine: Engine, document: Callable[[], RefreshDocument | None], keys: Keys) -> None:
        self._engine = engine
        self._document = document
        self._keys = keys

    def start(self, caller: Caller, request: RefreshRunRequest, idempotency_key: str | None = None) -> Json:
        """The run document of a run that will refresh the dataset; a queued one is joined where that serves.

        Raises  InvalidRequest (key, an enhanced refresh on shared capacity), NotAllowed (no refresh.yaml in force),
                Unknown (no such dataset there), Ended (a key that was used for another body), and Retryable errors
        """
        key, hashed = key_of(idempotency_key, request.request_id), body_hash(request.canonical())
        known = self._keys.answered(caller.client_id, OPERATION, key, hashed)
        if known:
            return self.get(known)
        policy = self._policy(request)
        body = _body(request, policy)
        correlation_id = telemetry.correlation_id()

        def begin(run_id: str) -> str:
            run = self._engine.start(
                policy,
                run_id=run_id,
                caller=caller_record(caller),
                body=body,
                correlation_id=correlation_id or run_id,
            )
            return run.id

        return self.get(self._keys.once(caller.client_id, OPERATION, key, hashed, begin))

    def get(self, run_id: str) -> Json:
        """The run document; raises Unknown."""
        return run_document(self._run(run_id))

    def list(self, query: Query) -> Json:
        """One page, the newest first: `{"value": [...], "continuationToken": ...}`; `query` by `FILTERS`."""
        dataset_id, status = self._dataset_id(query.filters.get("dataset", "")), query.filters.get("status", "")

        def more(after: str, number: int) -> Sequence[tuple[str, Run | None]]:
            places = self._engine.listed(dataset_id, after, number)
            return [(place, run if run and status in ("", run.status.value) else None) for place, run in places]

        return page(query, more, run_document)

    def cancel(self, caller: Caller, run_id: str, idempotency_key: str | None = None) -> Json:
        """The run document with `cancelRequested`.

        Raises Unknown, InvalidRequest (key), or Ended where there is nothing left to cancel.
        """
        run = self._run(run_id)

        def ask(act: str) -> None:
            self._engine.cancel(run.id, act)
            told = caller_record(caller)
            telemetry.event("refresh.cancel", "requested", target=run.id, caller=told, dataset=run.dataset)

        self._keys.act_once(caller.client_id, f"{OPERATION}/cancel", idempotency_key, run.id, ask)
        return self.get(run.id)

    def _run(self, run_id: str) -> Run:
        known = run_id.lower()
        run = self._engine.run(known) if _ID.fullmatch(known) else None
        if run is None:
            raise Unknown(f"There is no refresh run {run_id[:64]}.")
        return run

    def _policy(self, request: RefreshRunRequest) -> DatasetPolicy:
        document = self._document()
        if document is None:
            raise NotAllowed(f"No {NAME} is in force, so nothing is refreshed. An operator must upload a valid one.")
        if request.dataset is not None:
            policy = document.policy_by_alias(request.dataset)
        else:
            policy = document.policy(request.dataset_id or "")
            policy = policy if policy and policy.workspace_id == request.workspace_id else None
        if policy is None:
            raise Unknown(f"{NAME} has no such dataset: only what stands there may be refreshed.")
        return policy

    def _dataset_id(self, name: str) -> str:
        """Of an alias or an id; empty for no filter."""
        if not name or _ID.fullmatch(name.lower()):
            return name.lower()
        document = self._document()
        policy = document.policy_by_alias(name) if document else None
        if policy is None:
            raise Unknown(f"{NAME} has no dataset of this name. Runs of one that stood there are found by its id.")
        return policy.dataset_id


def caller_record(caller: Caller) -> Json:
    """The verified caller as it is kept beside the run."""
    return {"kind": caller.kind, "clientId": caller.client_id, "objectId": caller.object_id}


def _body(request: RefreshRunRequest, policy: DatasetPolicy) -> Json | None:
    if request.refresh is None:
        return None
    if not policy.premium:
        told = f"{policy.alias} is on shared capacity, which takes standard refreshes only: leave it out."
        raise InvalidRequest(f"The policy of {NAME} does not allow this.", faults=[Fault("refresh", told)])
    return request.refresh.body()
