"""The forms of what provisioning answers: here to be described, and held against real documents in tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic import WithJsonSchema as Described
from pydantic.config import JsonDict

from shared.provisioning.principals import PrincipalType
from shared.provisioning.request import Operation
from shared.validation import Document, TimeText
from shared.workflow.records import Status, StepStatus

# an enumeration of one word, and no constant, which generated clients do not take beside a boolean
_CREATED: JsonDict = {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["uncertain"]}]}
Created = Annotated[bool | Literal["uncertain"], Described(_CREATED)]


class StepAnswer(Document):
    """One step of one environment."""

    name: str
    status: StepStatus
    attempts: int
    started_at: TimeText | None
    ended_at: TimeText | None
    detail: str = Field(description="Why it waits, was skipped, or ended as it did.")


class AccessAnswer(Document):
    """What became of one principal."""

    principal: str = Field(description="As in the request, in lower case.")
    principal_type: PrincipalType
    role: str | None = Field(description="The one that it is to have; of a removal, the one that it had.")
    status: Literal["granted", "unchanged", "removed", "failed"]
    error: str | None


class EnvironmentAnswer(Document):
    """One environment's workspace. `created`: true, false, or "uncertain" where the answer to its making was lost."""

    workspace_id: str | None
    workspace_name: str
    created: Created
    steps: list[StepAnswer]
    access: list[AccessAnswer]


class Progress(Document):
    """Steps that have ended, and how many there are."""

    done: int
    of: int


class ErrorAnswer(Document):
    """Why a request failed."""

    code: str
    message: str
    step: str = Field(description="As in dev/workspace; empty where it was none.")
    request_id: str = Field(description="Power BI's own id of the refused call, or empty.")


class CleanupAnswer(Document):
    """What the undo met."""

    what: str
    status: Literal["undone", "left", "failed"]
    remedy: str = Field(description="What somebody should do about what is left.")


class RequestSummary(Document):
    """What a list shows of a request."""

    id: str
    operation: Operation
    project: str
    status: Status
    waiting_for: str | None = Field(description="Why nothing happens at the moment.")
    created_at: TimeText
    updated_at: TimeText
    correlation_id: str
    caller: dict[str, Any] = Field(description="Who asked, as it was verified.")
    requested_by: str | None = Field(description="The label that the request carried.")
    cancel_requested: bool
    error: ErrorAnswer | None


class StatusDocument(RequestSummary):
    """A request with every step."""

    progress: Progress
    environments: dict[str, EnvironmentAnswer]
    warnings: list[str]
    cleanup: list[CleanupAnswer]


class RequestPage(Document):
    """A page of requests, the newest first."""

    value: list[RequestSummary]
    continuation_token: str | None = Field(description="null at the end; good for the same filter only.")


class PlannedStep(Document):
    """One step that would be done, and why."""

    name: str
    action: Literal["create", "adopt", "assign", "set", "grant", "raise", "lower", "remove", "refuse"] = Field(
        description="refuse: it stands in the way, and would not be done."
    )
    target: str
    reason: str


class PlannedEnvironment(Document):
    """What would be done in one environment."""

    workspace_id: str | None
    workspace_name: str
    steps: list[PlannedStep]


class DryRun(Document):
    """What a request would do; nothing has been done."""

    dry_run: Literal[True]
    operation: Operation
    project: str
    environments: dict[str, PlannedEnvironment]
    warnings: list[str]
