"""The Power BI REST API as a service: from a call to its answer, and the control API's door to the state."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from emulator.clock import Clock
from emulator.clouds import POWERBI_REGION_HOST
from emulator.http import Answer, Call, Handler, Json, Service
from emulator.powerbi import (
    activity,
    admin,
    admin_items,
    answers,
    apps,
    body,
    capacities,
    dashboards,
    dataflows,
    dataset_users,
    datasets,
    embed_tokens,
    features,
    gateways,
    groups,
    imports,
    parameters,
    pipelines,
    profiles,
    queries,
    refreshes,
    reports,
    scans,
    schedules,
    users,
)
from emulator.powerbi.access import RESOURCES, Authority, Caller, authenticate
from emulator.powerbi.embed_seal import unseal
from emulator.powerbi.limits import RateLimiter
from emulator.powerbi.operation import BASE, Operation, Visit
from emulator.powerbi.seeding import seeded

OPERATIONS: tuple[Operation, ...] = (
    *groups.OPERATIONS,
    *users.OPERATIONS,
    *capacities.OPERATIONS,
    *datasets.OPERATIONS,
    *dataset_users.OPERATIONS,
    *parameters.OPERATIONS,
    *queries.OPERATIONS,
    *refreshes.OPERATIONS,
    *schedules.OPERATIONS,
    *reports.OPERATIONS,
    *dashboards.OPERATIONS,
    *dataflows.OPERATIONS,
    *imports.OPERATIONS,
    *apps.OPERATIONS,
    *gateways.OPERATIONS,
    *pipelines.OPERATIONS,
    *embed_tokens.OPERATIONS,
    *profiles.OPERATIONS,
    *features.OPERATIONS,
    *admin.OPERATIONS,
    *admin_items.OPERATIONS,
    *scans.OPERATIONS,
    *activity.OPERATIONS,
)
_DOUBLED = re.compile("/{2,}")


def _real_now() -> datetime:
    return datetime.now(UTC)


class PowerBI(Service):
    """All operations, on all clouds' hosts and the one of the tenant's region.

    `real_now`: the time that tokens follow, which no test advances.
    """

    hosts = (*RESOURCES, POWERBI_REGION_HOST)

    def __init__(self, authority: Authority, clock: Clock, real_now: Callable[[], datetime] = _real_now) -> None:
        super().__init__()
        self._authority = authority
        self._clock = clock
        self._real_now = real_now
        self._key = secrets.token_bytes(32)
        for operation in OPERATIONS:
            for path in operation.spellings:
                self.router.add(operation.method, BASE + path, self._through(operation))
        self.reset("default")

    def handle(self, call: Call) -> Answer:
        """As every service; slashes that a client doubled count as one."""
        call.path = _DOUBLED.sub("/", call.path)
        return super().handle(call)

    def reset(self, seed: Literal["default", "empty"]) -> None:
        """Forget everything and start from the seeded organisation, or one without content."""
        self._state = seeded(seed, self._clock.now())
        self._limiter = RateLimiter()

    def state(self) -> Json:
        """A copy of everything: maps keyed by id, and the switches. Refreshes say how they stand."""
        snapshot = self._state.snapshot()
        for run in refreshes.all_runs(self._state, self._clock.now()):
            snapshot["refreshes"][run.record["id"]]["status"] = run.status
        return snapshot

    def merge(self, patch: Json) -> None:
        """JSON merge patch over the maps; ValueError names a map, switch or value that there is none of."""
        self._state.merge(patch)

    def somebody_else_refreshes(self, workspace_id: str, dataset_id: str) -> str:
        """Refresh from the portal, as a colleague would; gives its request id.

        LookupError if there is no such dataset in the workspace, ValueError if a refresh of it is executing.
        """
        return refreshes.from_portal(self._state, workspace_id.lower(), dataset_id.lower(), self._clock.now())

    def read_embed_token(self, token: str) -> Json:
        """What a sealed, unexpired embed token grants; raises ValueError for any other text.

        EmbedTokenExpired, which is one, tells that it was good once.
        """
        return unseal(token, self._key, self._real_now())

    def find_report(self, report_id: str) -> Json | None:
        """A report's record, for the page that draws it."""
        found = self._state.reports.get(report_id.lower())
        return None if found is None else dict(found)

    def finish(self, call: Call, answer: Answer) -> Answer:
        """Every answer, also a refusal or a fault that a test asked for, leaves with the service's headers."""
        return answers.complete(answer, call.request_id)

    def _through(self, operation: Operation) -> Handler:
        def handler(call: Call) -> Answer:
            caller = authenticate(call, self._authority, self._state)
            self._check_scope(operation, caller)
            self._check_rate(operation, caller)
            visit = Visit(call, caller, self._state, self._clock.now(), self._real_now(), self._key)
            if operation.body is not None:
                visit.body = body.read(call, operation.body, required=operation.body_required)
            answer = operation.handler(visit)
            return answers.in_group(answer, call.parameters["groupId"].lower()) if operation.lies_in_group else answer

        return handler

    def _check_scope(self, operation: Operation, caller: Caller) -> None:
        switches = self._state.switches
        if caller.is_app or not operation.scopes or not switches["delegatedScopesMatter"]:
            return
        if not caller.has_scope(operation.scopes):
            raise answers.not_authorized(switches["missingScopeStatus"])

    def _check_rate(self, operation: Operation, caller: Caller) -> None:
        limits = self._state.switches["rateLimits"].get(operation.name, [])
        wait = self._limiter.wait(operation.name, caller.key, limits, self._clock.now())
        if wait:
            raise answers.throttled(wait)
