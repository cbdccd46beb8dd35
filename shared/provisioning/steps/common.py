"""What all steps share: the identity they act as, changes told to the audit, and what the guardrails' refusals mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.errors import AppError, Forbidden, NotFound, Rejected, Retryable, Unavailable
from shared.powerbi.groups import Group, get_group
from shared.powerbi.guardrails import Observed, OutsideTouch
from shared.workflow.records import StepRow, StepStatus
from shared.workflow.steps import Change, Done, Fail, Undone, Wait, Work

if TYPE_CHECKING:
    from shared.powerbi.transport import Transport
    from shared.provisioning.orders import Order

Json = dict[str, Any]

IDENTITY = "operations"
CALL_DEADLINE = timedelta(seconds=30)
"""How long a call may take: its effect is not announced later than this before it begins."""
LATE_EFFECT = timedelta(minutes=5)
"""How long after the end of its time a call may still have its effect."""
LATE_NAMES = timedelta(minutes=15)
"""How long a name may stay invisible after the call that made it, at most."""
VISIBLE_WITHIN = timedelta(minutes=5)
"""How long a workspace that was made a moment ago may refuse its own maker."""
LOOK_AGAIN = 15.0
LONGEST_MESSAGE = 1000


@dataclass(frozen=True)
class Services:
    """What the steps act through. `own_id`: the object id of the service principal that we are at Power BI."""

    transport: Transport
    own_id: Callable[[], str]


@dataclass(frozen=True)
class StepBase:
    """A step of one environment."""

    services: Services
    order: Order

    @property
    def environment(self) -> str:
        """The environment that it belongs to."""
        return self.order.environment

    def made(self, work: Work) -> Json:
        """What the workspace step said: `workspaceId`, `workspaceName`, `created` …; the registry's word where there
        is no such step; empty where there is no workspace."""
        known = work.outcomes.get(f"{self.environment}/workspace")
        return dict(known if known is not None else work.project.environments.get(self.environment, {}))

    def visible(self, work: Work, workspace_id: str) -> Group | None:
        """The workspace if Power BI lets us see it now."""
        work.pace()
        try:
            return get_group(self.services.transport, workspace_id, identity=IDENTITY)
        except (Forbidden, NotFound):
            return None


def group_of(made: Mapping[str, Any]) -> Group:
    """The workspace that a workspace step or the registry names."""
    return Group(made["workspaceId"], made["workspaceName"], made.get("capacityId", ""), made.get("storageFormat", ""))


def is_fresh(made: Mapping[str, Any]) -> bool:
    """This request made it, and knows that from Power BI's own answer: nobody else has been in it."""
    return made.get("created") is True and bool(made.get("fresh"))


def changing(work: Work, action: str, target: str, send: Callable[[], str]) -> str:
    """Send one change and tell of it however it ends; answers Power BI's request id.

    A change that was made and can't be told of counts as one whose answer was lost, never as one that was not made.
    """
    work.pace()
    try:
        request_id = send()
    except (Observed, OutsideTouch):
        raise  # nothing was sent; the guardrails have logged it
    except Rejected as error:
        work.changed(Change(action, target, "refused", error.request_id))
        raise
    except Unavailable as error:
        if error.effect_unknown:
            work.changed(Change(action, target, "unknown", error.request_id))
        raise
    tell(work, Change(action, target, "done", request_id))
    return request_id


def tell(work: Work, change: Change) -> None:
    """Record a change that was made. Raises Unavailable with `effect_unknown` where it can't be."""
    try:
        work.changed(change)
    except Retryable as error:
        raise Unavailable(
            error.detail, retry_after=error.retry_after, effect_unknown=True, evidence=error.evidence
        ) from error


def guarded(error: AppError, what: str, outcome: Json) -> Done | Fail | None:
    """What a refusal by the guardrails means for a step; None if it was not they who refused.

    In `observe` the step is skipped and says what it would have done; the steps after it find no workspace.
    """
    if isinstance(error, Observed):
        said = f"Mode is observe: {what} was planned and not done."
        return Done({**outcome, "observed": True, "warnings": [said]}, StepStatus.SKIPPED, said)
    if isinstance(error, OutsideTouch):
        return Fail("outsideTouch", error.detail)
    return None


def refusal(code: str, error: AppError, what: str) -> Fail:
    """A refusal that ends the workflow."""
    return Fail(code, f"{what}: {error.detail}"[:LONGEST_MESSAGE], error.request_id)


def nothing_to_do(outcome: Json, why: str) -> Done:
    """It is as it should be."""
    return Done(outcome, StepStatus.SKIPPED, why)


def without_workspace(made: Mapping[str, Any], what: str) -> Done | None:
    """Where there is no workspace because the mode is `observe`, later steps are planned and skipped as well."""
    if made.get("workspaceId"):
        return None
    said = f"Mode is observe: {what} was planned and not done."
    return Done({"observed": True, "warnings": [said]}, StepStatus.SKIPPED, said)


def not_visible_yet(row: StepRow, now: datetime, name: str, error: AppError) -> Wait | Fail:
    """A workspace made a moment ago that refuses its maker: rights become visible late."""
    since = row.started_at or now
    if now - since < VISIBLE_WITHIN:
        return Wait(LOOK_AGAIN, f"The workspace '{name}' is not visible yet.")
    return refusal("notVisible", error, f"The workspace '{name}' stays invisible to this app")


def left(what: str, remedy: str, status: str = "left") -> Undone:
    """Something that is not taken back, or can't be."""
    return Undone(({"what": what, "status": status, "remedy": remedy},))


def undone(what: str) -> Undone:
    """Something that was taken back."""
    return Undone(({"what": what, "status": "undone", "remedy": ""},))
